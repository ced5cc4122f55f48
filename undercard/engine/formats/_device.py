"""Whether a tensor is decoded by Triton's kernels or by PyTorch."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import logging
import subprocess
from types import ModuleType

import torch
from torch import Tensor

log = logging.getLogger(__name__)


def kernels_for(out: Tensor) -> ModuleType | None:
    """Return the module of kernels that fill *out*, or None where PyTorch has to."""
    return _kernels(out.device) if out.is_cuda else None


@functools.cache
def _kernels(device: torch.device) -> ModuleType | None:
    if importlib.util.find_spec("triton") is None:
        return None
    kernels = importlib.import_module("undercard.engine.formats._kernels")
    values = torch.ones(1, 64, dtype=torch.int8, device=device)
    out = torch.empty(1, 64, dtype=torch.bfloat16, device=device)
    try:
        # Triton builds its launcher with the machine's C compiler, which may be missing.
        kernels.per_row(values, torch.ones(1, device=device), out)
    except (RuntimeError, OSError, subprocess.SubprocessError) as reason:
        log.warning("weights are decoded without Triton, which is slower: %s", reason)
        return None
    return kernels
