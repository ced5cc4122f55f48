"""Qwen-Image-Edit with its blocks in scaled fp8: half of the host memory and of the copying of bf16."""

from __future__ import annotations

from undercard.backends.qwen.bf16 import QwenBackend

BACKEND = QwenBackend("fp8", codec="fp8")
