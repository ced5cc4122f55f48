"""The canvas that a model draws a picture on: its sides are multiples of 16 px, and the picture is its middle."""

from __future__ import annotations

from PIL.Image import Image

from undercard.domain.requests import Size

PATCH = 16
"""Pixels on a side of what one token stands for: the VAE's 8 by the transformer's 2."""


def canvas(size: Size) -> Size:
    """Return the (width, height) px that is denoised for *size*: the next multiples of 16.

    diffusers takes the multiples before, and gives a smaller picture than it was asked for.
    """
    width, height = size
    return -(-width // PATCH) * PATCH, -(-height // PATCH) * PATCH


def middle(image: Image, size: Size) -> Image:
    """Return the middle *size* px of *image*, which is at least as large."""
    left, top = (image.width - size[0]) // 2, (image.height - size[1]) // 2
    return image.crop((left, top, left + size[0], top + size[1]))
