"""Bytes as people read them."""

from __future__ import annotations


def gigabytes(count: float) -> str:
    """Return *count* bytes as people read them: `9.2 GB`."""
    return f"{count / 1e9:.1f} GB"
