"""Which weights this machine renders with: the model's folder, its LoRA, and the file of each quantised backend."""

from __future__ import annotations

from pathlib import Path

from undercard import settings

QUANTISED = ("gguf", "fp8-lightning", "nunchaku")
"""Backends with a file of their own for the transformer; whatever else a model needs, they take from its folder."""
FUSED = "lightning"
"""What the names of published files say that have Lightning fused in; nothing within them does."""


def folder() -> Path | None:
    """Return the folder of Qwen-Image-Edit in diffusers' layout, or None where there is none."""
    return settings.load().model


def lora(backend: str = "") -> Path | None:
    """Return the file of the LoRA that *backend* adds to its weights, or None where it adds none.

    A file of weights that is called so has Lightning in it already, and a second time would be too much.
    """
    file = quantised(backend)
    return None if file is not None and FUSED in file.name.lower() else settings.load().lora


def quantised(backend: str) -> Path | None:
    """Return the file of the transformer that the quantised *backend* renders with, or None where there is none."""
    chosen = settings.load()
    files = {"gguf": chosen.gguf, "fp8-lightning": chosen.fp8_lightning, "nunchaku": chosen.nunchaku}
    # Both read the files of nunchaku.
    return files.get("nunchaku" if backend == "nunchaku-official" else backend)


def setting(backend: str) -> str:
    """Return the variable that names the file of the quantised *backend*, such as `UNDERCARD_FP8_LIGHTNING`."""
    return f"UNDERCARD_{backend.upper().replace('-', '_')}"
