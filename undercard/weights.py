"""Which weights this machine renders with: the model's folder, its LoRA, and the file of each quantised backend."""

from __future__ import annotations

from pathlib import Path

from undercard import settings

QUANTISED = ("gguf", "fp8-lightning", "nunchaku")
"""Backends with a file of their own for the transformer; whatever else a model needs, they take from its folder."""


def folder() -> Path | None:
    """Return the folder of Qwen-Image-Edit in diffusers' layout, or None where there is none."""
    return settings.load().model


def lora() -> Path | None:
    """Return the file of the LoRA that is fused into bf16 weights, or None where there is none."""
    return settings.load().lora


def quantised(backend: str) -> Path | None:
    """Return the file of the transformer that the quantised *backend* renders with, or None where there is none."""
    chosen = settings.load()
    return {"gguf": chosen.gguf, "fp8-lightning": chosen.fp8_lightning, "nunchaku": chosen.nunchaku}.get(backend)


def remedy(backend: str) -> str:
    """Return the one command that fetches what *backend* renders with: how a reason for not running ends."""
    return f"run undercard provision --backend {backend}"
