"""What Qwen-Image-Edit is given of a request."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PIL import Image

from tests import here
from tests.backends.requests import requested, stored
from undercard.engine.stages import pictures
from undercard.errors import BackendError, MissingObject

RED, HALF_BLUE, GREY = ("RGB", (255, 0, 0)), ("RGBA", (0, 0, 255, 128)), ("L", 90)


def test_references_come_in_their_order_and_without_transparency() -> None:
    request = requested("a jab", [Image.new(mode, (4, 2), colour) for mode, colour in (RED, HALF_BLUE, GREY)])

    found = pictures.references(request, here.store())

    assert [(picture.mode, picture.size) for picture in found] == [("RGB", (4, 2))] * 3
    assert [picture.getpixel((0, 0)) for picture in found] == [(255, 0, 0), (0, 0, 255), (90, 90, 90)]


def test_a_request_without_a_picture_to_edit_is_refused() -> None:
    request = requested("a jab", [])

    with pytest.raises(BackendError, match="edits a picture, and the request names none; give it a reference"):
        pictures.references(request, here.store())


def test_a_reference_that_is_gone_from_the_store_is_told_by_its_digest() -> None:
    there = stored(Image.new("RGB", (4, 2)))
    request = replace(requested("a jab", []), references=(there, "0" * 64))

    with pytest.raises(MissingObject, match="0" * 62 + r"\.png is gone"):
        pictures.references(request, here.store())


def test_without_a_negative_prompt_the_models_own_blank_is_taken() -> None:
    request = requested("a jab", [])

    assert pictures.negative_prompt(request) == " "
    assert pictures.negative_prompt(replace(request, negative_prompt="blur")) == "blur"
