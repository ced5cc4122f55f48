"""Operators of torchvision that its library cannot bring where it was built for another torch."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch

BOXES = ("nms", "qnms")
"""Whose shapes torchvision 0.28 describes when it is imported, whether they are there or not."""

# The schemas last as long as their library.
_declared: list[torch.library.Library] = []


def declare_missing() -> None:
    """Let torchvision be imported beside a torch that its own library does not load with, such as one without CUDA.

    transformers imports torchvision where it finds it; to be called before that. What is declared cannot be computed,
    and nothing here asks for it.
    """
    spec = importlib.util.find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations or _declared:
        return
    libraries = [path for folder in spec.submodule_search_locations for path in Path(folder).glob("_C*")]
    try:
        for library in libraries:
            torch.ops.load_library(library)
    except OSError:
        libraries = []
    if not libraries:
        declaring = torch.library.Library("torchvision", "DEF")
        for name in BOXES:
            declaring.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _declared.append(declaring)
