from __future__ import annotations

import math
from dataclasses import replace

import pytest

from tests.fakes.stagings import fighter, staging
from undercard.domain.keys import content_key
from undercard.domain.requests import RenderRequest
from undercard.domain.staging import Camera

REQUEST = RenderRequest(
    prompt="a jab lands, ringside photograph",
    negative_prompt="blurry",
    seed=7,
    size=(1024, 576),
    staging=staging(fighter()),
    renderer="previz 1",
    control="c" * 64,
    references=("a" * 64, "b" * 64),
)


def with_camera(camera: Camera) -> RenderRequest:
    return replace(REQUEST, staging=replace(REQUEST.staging, camera=camera))


def test_a_key_stays_the_same_from_one_release_to_the_next() -> None:
    # Written down: if this changes, every film made before renders again.
    assert REQUEST.key == "45fde09a107e18e1560fc1e62a527f55161a601c797de7ef37789dcd821d9a71"


def test_equal_requests_have_equal_keys() -> None:
    camera = REQUEST.staging.camera
    whole, negative_zero = replace(camera, lens_mm=35), replace(camera, roll_degrees=-0.0)

    assert with_camera(whole) == with_camera(negative_zero) == REQUEST
    assert with_camera(whole).key == with_camera(negative_zero).key == REQUEST.key


@pytest.mark.parametrize(
    "changed",
    [
        replace(REQUEST, prompt="a cross lands, ringside photograph"),
        replace(REQUEST, negative_prompt=""),
        replace(REQUEST, seed=8),
        replace(REQUEST, size=(576, 1024)),
        replace(REQUEST, staging=staging(fighter(90.001))),
        replace(REQUEST, staging=staging(fighter(), light="training")),
        replace(REQUEST, renderer="previz 2"),
        replace(REQUEST, control=""),
        replace(REQUEST, references=("b" * 64, "a" * 64)),
        replace(REQUEST, references=("a" * 64,)),
    ],
    ids=lambda changed: changed.key[:8],
)
def test_whatever_decides_the_pixels_changes_the_key(changed: RenderRequest) -> None:
    assert changed.key != REQUEST.key


def test_the_order_of_names_does_not_change_a_key() -> None:
    assert content_key({"a": 1, "b": [2, 3]}) == content_key({"b": (2, 3), "a": 1})


def test_true_is_not_one() -> None:
    assert content_key({"loop": True}) != content_key({"loop": 1})


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_has_no_key(number: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        content_key([number])


def test_what_json_has_no_form_for_has_no_key() -> None:
    with pytest.raises(TypeError):
        content_key({"picture": b"bytes"})
