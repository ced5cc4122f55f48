"""Qwen-Image-Edit with its blocks in NF4: for machines whose host memory holds no more than 10 GB of weights."""

from __future__ import annotations

from undercard.backends.qwen.bf16 import QwenBackend

BACKEND = QwenBackend("nf4", codec="nf4")
