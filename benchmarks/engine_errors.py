"""How far one step's answer, and a picture, are from bf16's on identical weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

if TYPE_CHECKING:
    from undercard.engine.stages.opening import Ready

ANSWER = "answer"
EXACT = "bf16"


def of(ready: Ready, backend: str, checkpoint: Path) -> float | None:
    """Return the error of the first step, relative, in L2; bf16's own answer is kept, and its error is 0.

    None where bf16 was not measured on this checkpoint yet.
    """
    from safetensors.torch import load_file

    ours = _answer(ready, checkpoint)
    path = _kept(checkpoint, "answer.safetensors")
    if backend == EXACT:
        _keep(ours, path)
    if not path.exists():
        return None
    exact = load_file(path)[ANSWER].double()
    return round(float((ours.double() - exact).norm() / exact.norm()), 6)


def of_picture(picture: Image.Image, backend: str, checkpoint: Path) -> float | None:
    """Return the error of a *picture* of one request; bf16's own is kept, and its error is 0.

    None where bf16 was not measured on this checkpoint yet.
    """
    path = _kept(checkpoint, "picture.png")
    if backend == EXACT:
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
    if not path.exists():
        return None
    with Image.open(path) as exact:
        return between(picture, exact)


def between(picture: Image.Image, exact: Image.Image) -> float:
    """Return the root mean square of what *picture* differs by, relative to the spread of the pixels of *exact*."""
    ours, theirs = (np.asarray(each.convert("RGB"), float) for each in (picture, exact))
    return round(float(np.sqrt(((ours - theirs) ** 2).mean()) / theirs.std()), 6)


def _answer(ready: Ready, checkpoint: Path) -> Tensor:
    """Return the transformer's answer at the first step for one picture and one reference, in host memory."""
    from benchmarks.engine_inputs import step_of

    transformer = ready.pipeline.transformer
    ready.tables.select(0)
    given = step_of(checkpoint, ready.pipeline.place)
    now = torch.tensor([ready.tables.timesteps[0]], dtype=torch.bfloat16, device=ready.pipeline.place)
    with torch.inference_mode():
        answer: Tensor = transformer(timestep=now, **given)[0]
    return answer[:, : given["hidden_states"].shape[1] // 2].cpu()


def _kept(checkpoint: Path, what: str) -> Path:
    return checkpoint.with_name(f"{checkpoint.name}-quantised") / f"{EXACT}-{what}"


def _keep(answer: Tensor, path: Path) -> None:
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({ANSWER: answer.contiguous()}, path)
