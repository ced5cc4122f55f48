"""Exact Qwen-Image-Edit in bf16: its blocks packed without loss, streamed past the card as far as they do not fit."""

from __future__ import annotations

from undercard.backends.qwen.bf16 import QwenBackend

BACKEND = QwenBackend("bf16", codec="packed", exact=True)
