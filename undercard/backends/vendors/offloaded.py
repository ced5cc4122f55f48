"""diffusers' own pipeline with sequential offload: what many have today, kept as the baseline of the others.

Each layer is brought to the card when it is called and taken from it right after, through ordinary host memory. The
pixels are those of bf16 Qwen-Image-Edit, since where a weight has lain before its layer computes changes nothing.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLQwenImage, QwenImageTransformer2DModel
from PIL.Image import Image

from undercard.backends.vendors.calling import ask, tell_of_pictures
from undercard.backends.vendors.renderer import Draw
from undercard.domain import progress
from undercard.domain.requests import RenderRequest
from undercard.engine.stages import pipeline, schedule
from undercard.engine.stages.pipeline import StagedPipeline
from undercard.engine.text import encoder
from undercard.engine.weights.lora import open_lora
from undercard.store import Store


@dataclass(frozen=True, slots=True)
class Offloaded:
    """What to open."""

    folder: Path
    """A Qwen-Image-Edit in diffusers' layout."""
    steps: int
    store: Store
    lora: Path | None = None
    """Fused into the transformer's weights in bf16."""
    lora_strength: float = 1.0
    """What the LoRA is multiplied by."""
    guidance: float = 1.0
    """diffusers' true_cfg_scale."""

    def load(self, device: torch.device, resources: ExitStack) -> Draw:
        """Open the pipeline for *device*, with nothing on it yet.

        Raises:
            BadCheckpoint: the LoRA is another model's, or damaged.
        """
        whole = self._assembled()
        if self.lora is not None:
            # Each product on the device, as the engine fuses: rounded otherwise, it would not be the same model.
            open_lora(self.lora, whole.transformer, self.lora_strength).fuse(whole.transformer, device)
        tell_of_pictures(whole.text_encoder, whole.text_encoder.config.image_token_id)
        place(whole, device)
        # A pipeline and the hooks of its layers hold each other.
        resources.callback(whole.remove_all_hooks)
        return lambda request: self._draw(whole, request)

    def _assembled(self) -> StagedPipeline:
        options: dict[str, Any] = {"torch_dtype": torch.bfloat16, "local_files_only": True}
        whole = StagedPipeline(
            transformer=QwenImageTransformer2DModel.from_pretrained(self.folder / "transformer", **options).eval(),
            vae=AutoencoderKLQwenImage.from_pretrained(self.folder / "vae", **options).eval(),
            text_encoder=encoder.open_encoder(self.folder),
            # The processor has one of its own.
            tokenizer=None,
            processor=encoder.open_processor(self.folder),
            scheduler=schedule.lightning(),
        )
        whole.set_progress_bar_config(disable=True)
        return whole

    def _draw(self, whole: StagedPipeline, request: RenderRequest) -> Image:
        latents = pipeline.load_latents(request.key, self.store)
        if latents is None:
            latents = ask(whole, request, self.store, self.steps, "latent", self.guidance)
            pipeline.save_latents(latents, request.key, self.store)
        progress.tell("decode")
        picture = pipeline.decode(whole, latents, request.size)
        pipeline.forget_latents(request.key, self.store)
        return picture


def place(whole: StagedPipeline, device: torch.device) -> None:
    """Let *whole* compute on *device*, a layer at a time; on the processor there is nothing to bring anywhere."""
    whole.place = device
    if device.type != "cpu":
        whole.enable_sequential_cpu_offload(device=device)
