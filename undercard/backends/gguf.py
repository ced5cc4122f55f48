"""Qwen-Image-Edit from a GGUF file, such as Q4_K_M: its blocks pass to the card as they lie there."""

from __future__ import annotations

from undercard.backends.qwen.quantised import QuantisedBackend
from undercard.models.quantised_files import Kind

BACKEND = QuantisedBackend("gguf", Kind.GGUF, usual="gguf-q4-k")
