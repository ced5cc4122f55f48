"""Asking a pipeline of diffusers' shape for a request's picture."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VLModel

from undercard.domain import progress
from undercard.domain.canvas import canvas
from undercard.domain.requests import RenderRequest
from undercard.engine.stages.pictures import negative_prompt, references
from undercard.store import Store


def ask(
    pipeline: Any, request: RenderRequest, store: Store, steps: int, output_type: str, guidance: float = 1.0
) -> Any:
    """Return what *pipeline* makes of *request*: packed latents for `latent`, a PIL image for `pil`.

    The noise comes from a generator on the CPU, so that a seed means the same on every device.

    Args:
        pipeline: of diffusers' shape.
        request: what to render.
        store: where its references are.
        steps: denoising steps.
        output_type: `latent` or `pil`.
        guidance: diffusers' true_cfg_scale; Lightning is distilled to do without, with 1.

    Raises:
        BackendError: the request names no reference.
        MissingObject: a reference is gone from the store.
    """

    def after_step(_pipeline: object, step: int, _timestep: object, state: dict[str, Any]) -> dict[str, Any]:
        if step + 1 < steps:
            progress.tell("denoise", step + 2, steps)
        return state

    width, height = canvas(request.size)
    given = references(request, store)
    progress.tell("denoise", 1, steps)
    return pipeline(
        image=given,
        prompt=request.prompt,
        width=width,
        height=height,
        num_inference_steps=steps,
        true_cfg_scale=guidance,
        **({"negative_prompt": negative_prompt(request)} if guidance > 1.0 else {}),
        generator=torch.Generator("cpu").manual_seed(request.seed),
        callback_on_step_end=after_step,
        output_type=output_type,
        return_dict=False,
    )[0]


def tell_of_pictures(encoder: nn.Module, picture_token: int) -> None:
    """Let *encoder*, a whole Qwen2.5-VL, know which tokens are a picture's, so that they lie in rows and columns.

    transformers 5 places them so only where it is told, and neither diffusers nor DiffSynth tells it
    (docs/decisions/0010); older ones find out by themselves, and do not know the argument.
    """
    if "mm_token_type_ids" not in inspect.signature(Qwen2_5_VLModel.get_rope_index).parameters:
        return
    forward = encoder.forward

    def told(input_ids: Tensor, **others: Any) -> Any:
        others.setdefault("mm_token_type_ids", (input_ids == picture_token).int())
        return forward(input_ids=input_ids, **others)

    encoder.forward = told
