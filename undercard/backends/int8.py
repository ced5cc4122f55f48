"""Qwen-Image-Edit with its blocks in int8, a scale a row: the size of fp8 at a third of its error."""

from __future__ import annotations

from undercard.backends.qwen.bf16 import QwenBackend

BACKEND = QwenBackend("int8", codec="int8")
