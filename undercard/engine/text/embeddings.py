"""Prompt embeddings, kept by content: a film's prompts are encoded in one pass and never again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import diffusers
import torch
import transformers
from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as edit_plus
from PIL.Image import Image
from torch import Tensor

from undercard.domain.keys import content_key
from undercard.engine.faults import stage
from undercard.engine.files import tensor_files
from undercard.engine.text.encoder import Headless, PictureProcessor
from undercard.store import Store


@dataclass(frozen=True, slots=True)
class Wording:
    """What the text encoder reads: a prompt beside the pictures that it speaks of."""

    prompt: str
    references: tuple[str, ...]
    """SHA-256 of each picture, in order."""


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings:
    """What the text encoder makes of a wording, in host memory."""

    states: Tensor
    """(1, tokens, width), bf16."""
    mask: Tensor | None
    """(1, tokens), 0 where there is none; None as in diffusers where all are there."""


Encode: TypeAlias = Callable[[str, Sequence[Image]], Embeddings]
"""Prompt and pictures → embeddings."""


def encoding(text_encoder: Headless, processor: PictureProcessor, device: torch.device) -> Encode:
    """Return diffusers' way from a prompt and pictures to embeddings.

    Args:
        text_encoder: on *device*, or streamed to it.
        processor: of the same checkpoint.
        device: where to compute.
    """
    pipeline = edit_plus.QwenImageEditPlusPipeline(
        text_encoder=text_encoder, processor=processor, tokenizer=None, transformer=None, vae=None, scheduler=None
    )

    def encode(prompt: str, pictures: Sequence[Image]) -> Embeddings:
        with torch.no_grad(), stage("encode"):
            small = [_condition(pipeline, picture) for picture in pictures]
            states, mask = pipeline.encode_prompt(prompt=[prompt], image=small, device=device)
            return Embeddings(states.cpu(), None if mask is None else mask.cpu())

    return encode


def _condition(pipeline: edit_plus.QwenImageEditPlusPipeline, picture: Image) -> Image:
    """Return *picture* at the size at which the encoder looks at it, as the pipeline's call does."""
    width, height = edit_plus.calculate_dimensions(edit_plus.CONDITION_IMAGE_SIZE, picture.width / picture.height)
    resized: Image = pipeline.image_processor.resize(picture, height, width)
    return resized


def encode_missing(
    wordings: Iterable[Wording],
    encoder_digest: str,
    store: Store,
    picture: Callable[[str], Image],
    open_encode: Callable[[], AbstractContextManager[Encode]],
) -> int:
    """Encode and keep those of *wordings* that are not kept yet; return how many.

    Args:
        wordings: in any order; a wording that comes again is encoded once.
        encoder_digest: of the text encoder's weights, and of whatever else changes its answers.
        store: where they are kept.
        store: where they are kept.
        picture: finds a reference by its SHA-256.
        open_encode: opens the text encoder; called only when something is missing, and left as soon as nothing is.

    Raises:
        OutOfMemory: in the stage `encode`; what was encoded before it is kept.
        StoreError: the embeddings cannot be written.
    """
    missing = [wording for wording in dict.fromkeys(wordings) if load(wording, encoder_digest, store) is None]
    if missing:
        with open_encode() as encode:
            for wording in missing:
                found = encode(wording.prompt, [picture(digest) for digest in wording.references])
                save(found, wording, encoder_digest, store)
    return len(missing)


def key(wording: Wording, encoder_digest: str) -> str:
    """Return the key under which the embeddings of *wording* are kept."""
    return content_key(
        {
            "wording": wording,
            "encoder": encoder_digest,
            "picture_area": edit_plus.CONDITION_IMAGE_SIZE,
            # They decide the template, the resizing and where a picture's tokens stand.
            "diffusers": diffusers.__version__,
            "transformers": transformers.__version__,
        }
    )


def path(embeddings_key: str, store: Store) -> Path:
    """Return where the embeddings of that key are kept."""
    return store.root / "embeddings" / f"{embeddings_key}.safetensors"


def save(embeddings: Embeddings, wording: Wording, encoder_digest: str, store: Store) -> None:
    """Keep *embeddings*.

    Raises:
        StoreError: they cannot be written.
    """
    name = key(wording, encoder_digest)
    tensors = {"states": embeddings.states}
    if embeddings.mask is not None:
        tensors["mask"] = embeddings.mask
    tensor_files.write(path(name, store), tensors, {"embeddings": name})


def load(wording: Wording, encoder_digest: str, store: Store) -> Embeddings | None:
    """Return the embeddings of *wording*, or None when they are not kept, or damaged."""
    name = key(wording, encoder_digest)
    found = tensor_files.read(path(name, store), {"embeddings": name})
    return Embeddings(found["states"], found.get("mask")) if found and "states" in found else None
