"""From embeddings and references to latents, and from latents to a picture, through diffusers' own pipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, QwenImageEditPlusPipeline
from PIL.Image import Image
from torch import Tensor, nn

from undercard.domain.canvas import canvas, middle
from undercard.domain.requests import Size
from undercard.engine.faults import stage
from undercard.engine.files import tensor_files
from undercard.engine.stages.schedule import timesteps
from undercard.engine.text.embeddings import Embeddings
from undercard.engine.vae.vae import PictureVae
from undercard.engine.weights.modulation import Tables
from undercard.store import Store


class StagedPipeline(QwenImageEditPlusPipeline):  # type: ignore[misc]  # diffusers counts as Any
    """diffusers' pipeline without its text encoder, on a device that its parts need not be on: they may be streamed."""

    place: torch.device

    @property
    def _execution_device(self) -> torch.device:
        return self.place


@dataclass(frozen=True, slots=True, eq=False)
class Denoising:
    """Everything that decides the latents of one picture, beside the weights."""

    prompt: Embeddings
    references: Sequence[Image]
    """One to three, in the order that the prompt speaks of them."""
    seed: int
    size: Size
    """(width, height) px; the latents are of `canvas(size)`."""
    steps: int
    negative: Embeddings | None = None
    """Read only where `guidance` exceeds 1."""
    guidance: float = 1.0
    """diffusers' true_cfg_scale; above 1 every step takes two passes."""


def assemble(
    transformer: nn.Module, vae: PictureVae, scheduler: FlowMatchEulerDiscreteScheduler, device: torch.device
) -> StagedPipeline:
    """Put a pipeline together that denoises and decodes on *device*."""
    pipeline = StagedPipeline(
        transformer=transformer, vae=vae, scheduler=scheduler, text_encoder=None, tokenizer=None, processor=None
    )
    pipeline.place = device
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def denoise(
    pipeline: StagedPipeline,
    work: Denoising,
    tables: Tables | None = None,
    before_step: Callable[[int], None] | None = None,
) -> Tensor:
    """Return the latents of one picture, packed: (1, tokens, 64) on the pipeline's device.

    The noise comes from a generator on the CPU, so that a seed means the same on every device.

    Args:
        pipeline: from `assemble`.
        work: what to denoise.
        tables: of the transformer, where it has them in place of its modulation.
        before_step: called with the number of each step, from 0, before the transformer is asked; both passes of a
            guided step are one step.

    Raises:
        OutOfMemory: in the stage `denoise`.
        DeviceFault: the device failed.
        ValueError: the tables are of another schedule.
    """
    if tables is not None and tables.timesteps != timesteps(work.steps, pipeline.scheduler):
        raise ValueError(
            f"tables for the timesteps {tables.timesteps} cannot serve {work.steps} steps of this schedule"
        )

    def follow(step: int) -> None:
        if tables is not None:
            tables.select(step)
        if before_step is not None:
            before_step(step)

    def after_step(_pipeline: object, step: int, _timestep: object, state: dict[str, Any]) -> dict[str, Any]:
        if step + 1 < work.steps:
            follow(step + 1)
        return state

    width, height = canvas(work.size)
    guided = work.guidance > 1 and work.negative is not None
    with stage("denoise"):
        follow(0)
        return pipeline(  # type: ignore[no-any-return]
            image=list(work.references),
            width=width,
            height=height,
            num_inference_steps=work.steps,
            true_cfg_scale=work.guidance if guided else 1.0,
            generator=torch.Generator("cpu").manual_seed(work.seed),
            callback_on_step_end=after_step,
            output_type="latent",
            return_dict=False,
            **_embeddings(work.prompt, pipeline.place, "prompt_embeds"),
            **(_embeddings(work.negative, pipeline.place, "negative_prompt_embeds") if guided else {}),
        )[0]


def _embeddings(embeddings: Embeddings | None, device: torch.device, name: str) -> dict[str, Tensor]:
    """Return the pipeline's arguments for *embeddings*."""
    assert embeddings is not None
    states = embeddings.states.to(device)
    # A mask of ones is what diffusers asks for instead of None, and what it turns into None again.
    mask = torch.ones(states.shape[:2], dtype=torch.long) if embeddings.mask is None else embeddings.mask
    return {name: states, f"{name}_mask": mask.to(device)}


def decode(pipeline: StagedPipeline, latents: Tensor, size: Size) -> Image:
    """Return the picture of packed *latents*, RGB, the middle *size* px of its canvas.

    Raises:
        OutOfMemory: in the stage `decode`, when the smallest tiles take more than there is; the latents still stand.
        DeviceFault: the device failed.
    """
    vae: PictureVae = pipeline.vae
    width, height = canvas(size)
    with torch.no_grad(), stage("decode"):
        unpacked = pipeline._unpack_latents(latents.to(pipeline.place), height, width, pipeline.vae_scale_factor)
        # As the pipeline's call does, the reciprocal in bf16 included.
        unpacked = unpacked.to(vae.dtype)
        mean, std = (
            torch.tensor(vae.config[name]).view(1, -1, 1, 1, 1).to(unpacked) for name in ("latents_mean", "latents_std")
        )
        pixels = vae.decode(unpacked / (1.0 / std) + mean, return_dict=False)[0][:, :, 0]
        image: Image = pipeline.image_processor.postprocess(pixels, output_type="pil")[0]
    return middle(image, size)


def latents_path(request_key: str, store: Store) -> Path:
    """Return where the latents of a request are kept until its picture is."""
    return store.root / "latents" / f"{request_key}.safetensors"


def save_latents(latents: Tensor, request_key: str, store: Store) -> None:
    """Keep packed *latents* under the key of their request.

    Raises:
        StoreError: they cannot be written.
    """
    tensor_files.write(latents_path(request_key, store), {"latents": latents}, {"request": request_key})


def load_latents(request_key: str, store: Store) -> Tensor | None:
    """Return the packed latents of a request, in host memory, or None when they are not kept, or damaged."""
    found = tensor_files.read(latents_path(request_key, store), {"request": request_key})
    return found.get("latents") if found else None


def forget_latents(request_key: str, store: Store) -> None:
    """Drop the latents of a request whose picture is stored."""
    latents_path(request_key, store).unlink(missing_ok=True)
