"""Qwen-Image-Edit from a single file of 8-bit floats, with Lightning fused in or added as a LoRA."""

from __future__ import annotations

from undercard.backends.qwen.quantised import QuantisedBackend
from undercard.models.quantised_files import Kind

BACKEND = QuantisedBackend("fp8-lightning", Kind.FP8, usual="fp8-file")
