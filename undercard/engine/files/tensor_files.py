"""Tensors that are made once and kept: safetensors files, whole or absent, that say what they hold."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes

from undercard import store

DIGEST = "sha256"


def write(path: Path, tensors: Mapping[str, torch.Tensor], facts: Mapping[str, str]) -> None:
    """Write *tensors* and the *facts* about them to *path*, atomically.

    Raises:
        StoreError: it cannot be written.
    """
    here = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    store.write_atomically(path, to_bytes(here, {**facts, DIGEST: _digest(here, facts)}))


def read(path: Path, facts: Mapping[str, str]) -> dict[str, torch.Tensor] | None:
    """Return the tensors of *path*, or None when it is absent, damaged or says other than *facts*.

    The tensors are in memory, not mapped: the file may be replaced or removed after.
    """
    try:
        with safe_open(path, framework="pt") as file:
            found = file.metadata() or {}
            # safetensors gives views of the mapped file.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118  # not a mapping
    except (OSError, SafetensorError):
        # Whatever is wrong with it, the answer is the same: make it again.
        return None
    if {**facts, DIGEST: _digest(tensors, facts)} != found:
        return None
    return tensors


def _digest(tensors: Mapping[str, torch.Tensor], facts: Mapping[str, str]) -> str:
    """SHA-256 of the names, types, shapes and bytes: safetensors itself notices a short file, not an altered one."""
    digest = hashlib.sha256(repr(sorted(facts.items())).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
