"""The text encoder and its processor: opened without torchvision, run without the head that speaks."""

from __future__ import annotations

from pathlib import Path

from transformers import Qwen2Tokenizer, Qwen2VLImageProcessorPil, Qwen2VLProcessor


class PictureProcessor(Qwen2VLProcessor):  # type: ignore[misc]  # transformers counts as Any
    """Qwen2-VL's processor of prompts and pictures, without the one for videos, which alone needs torchvision."""

    # transformers reads the parts of a processor from this signature: what is not named here is never looked for.
    def __init__(
        self,
        image_processor: Qwen2VLImageProcessorPil,
        tokenizer: Qwen2Tokenizer,
        chat_template: str | None = None,
    ) -> None:
        super(Qwen2VLProcessor, self).__init__(image_processor, tokenizer, chat_template=chat_template)
        self.image_token, self.video_token = "<|image_pad|>", "<|video_pad|>"
        self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
        self.video_token_id = tokenizer.convert_tokens_to_ids(self.video_token)


def open_processor(folder: Path) -> PictureProcessor:
    """Open the processor of a checkpoint in diffusers' layout; *folder* holds `processor/`."""
    source = folder / "processor"
    return PictureProcessor(Qwen2VLImageProcessorPil.from_pretrained(source), Qwen2Tokenizer.from_pretrained(source))
