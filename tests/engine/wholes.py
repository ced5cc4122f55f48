"""The engine's stages on a tiny checkpoint, and diffusers' pipeline called whole, to compare them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLQwenImage, QwenImageEditPlusPipeline, QwenImageTransformer2DModel
from PIL.Image import Image

from tests import here
from tests.fakes import tiny
from undercard.engine.stages import pipeline, schedule
from undercard.engine.stages.pipeline import Denoising, StagedPipeline
from undercard.engine.text import embeddings
from undercard.engine.text.embeddings import Embeddings, Encode, Wording
from undercard.engine.text.encoder import Headless, open_encoder, open_processor
from undercard.engine.vae.vae import PictureVae
from undercard.engine.weights import modulation

CPU = torch.device("cpu")
ENCODER = "the tiny text encoder"
# The order in which oneDNN sums a convolution follows the tile's shape; in bf16 the difference has always rounded away.
FLOAT_ROUNDING = 4e-6


@dataclass(frozen=True)
class Case:
    """A picture to render; its references are pictures of noise of different shapes."""

    references: int = 1
    guidance: float = 1.0
    steps: int = 4
    size: tuple[int, int] = (32, 32)
    prompt: str = "a jab"
    negative: str = "blurred gloves"
    seed: int = 7

    @property
    def pictures(self) -> list[Image]:
        return [tiny.picture(number, shape) for number, shape in enumerate(((64, 64), (96, 64), (64, 80)))][
            : self.references
        ]

    def wording(self, prompt: str) -> Wording:
        return Wording(prompt, tuple(digest(picture) for picture in self.pictures))


def digest(picture: Image) -> str:
    return hashlib.sha256(picture.tobytes()).hexdigest()


def whole_pipeline(folder: Path, **parts: Any) -> QwenImageEditPlusPipeline:
    whole = QwenImageEditPlusPipeline.from_pretrained(
        folder, processor=open_processor(folder), dtype=torch.bfloat16, local_files_only=True, **parts
    )
    whole.set_progress_bar_config(disable=True)
    return whole


def render_whole(whole: QwenImageEditPlusPipeline, case: Case) -> Image:
    picture: Image = whole(
        image=case.pictures,
        prompt=case.prompt,
        negative_prompt=case.negative if case.guidance > 1 else None,
        true_cfg_scale=case.guidance,
        width=case.size[0],
        height=case.size[1],
        num_inference_steps=case.steps,
        generator=torch.Generator("cpu").manual_seed(case.seed),
    ).images[0]
    return picture


@contextmanager
def opened(folder: Path, device: torch.device = CPU) -> Iterator[Encode]:
    encoder = Headless(open_encoder(folder)).to(device)
    yield embeddings.encoding(encoder, open_processor(folder), device)


def encode(folder: Path, cases: Sequence[Case], device: torch.device = CPU) -> int:
    """Encode what *cases* say as one film."""
    wordings = [case.wording(prompt) for case in cases for prompt in (case.prompt, case.negative)]
    pictures = {digest(picture): picture for case in cases for picture in case.pictures}
    return embeddings.encode_missing(
        wordings, ENCODER, here.store(), pictures.__getitem__, lambda: opened(folder, device)
    )


def kept(case: Case, prompt: str) -> Embeddings:
    found = embeddings.load(case.wording(prompt), ENCODER, here.store())
    assert found is not None
    return found


def denoising(case: Case) -> Denoising:
    return Denoising(
        prompt=kept(case, case.prompt),
        negative=kept(case, case.negative) if case.guidance > 1 else None,
        references=case.pictures,
        seed=case.seed,
        size=case.size,
        steps=case.steps,
        guidance=case.guidance,
    )


def staged_pipeline(folder: Path, device: torch.device = CPU) -> StagedPipeline:
    transformer = QwenImageTransformer2DModel.from_pretrained(folder / "transformer", dtype=torch.bfloat16)
    autoencoder = AutoencoderKLQwenImage.from_pretrained(folder / "vae", dtype=torch.bfloat16)
    transformer, autoencoder = transformer.eval().to(device), autoencoder.eval().to(device)
    return pipeline.assemble(transformer, PictureVae(autoencoder), schedule.lightning(), device)


def attach_tables(staged: StagedPipeline, steps: int) -> modulation.Tables:
    transformer = staged.transformer
    table = modulation.compute(
        modulation.weights_of(transformer),
        len(transformer.transformer_blocks),
        transformer.time_text_embed,
        schedule.timesteps(steps),
        zero_cond_t=transformer.config["zero_cond_t"],
        device=staged.place,
    )
    return modulation.attach(transformer, table, staged.place)


def difference(one: torch.Tensor, other: torch.Tensor) -> float:
    """Return the largest difference of a value of *one* from its value of *other*, which has the same shape."""
    assert one.shape == other.shape
    return (one - other).abs().max().item()
