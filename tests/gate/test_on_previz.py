"""The gate before the pictures that it will see most: previz keyframes, as drawn and with planted defects."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.fakes.stagings import LOOK, fighter
from tests.gate.pictures import blurred, exposed
from undercard.domain.staging import Camera, Staging
from undercard.gate.contract import Verdict
from undercard.gate.evidence import Evidence
from undercard.gate.judging import judge
from undercard.gate.pictures import Pixels
from undercard.previz import lights
from undercard.previz.poses import pose
from undercard.previz.render import draw

SIZE = (512, 288)
WIDE = Camera((0.0, 1.7, 7.5), (0.0, 1.0, 0.0), lens_mm=35.0)
CLOSE = Camera((-1.4, 1.5, 1.6), (0.45, 1.5, 0.0), lens_mm=70.0, f_number=2.0)


@cache
def frame(light: str = "stage", camera: Camera = WIDE, step_metres: float = 0.0) -> Pixels:
    red = replace(fighter(90.0, "Rojas", pose("jab")), position=(-0.5 + step_metres, 0.0))
    blue = replace(
        fighter(-90.0, "Okafor", pose("guard")),
        position=(0.5, 0.0),
        corner="blue",
        look=replace(LOOK, skin="#5a3a26", trunks="#1830c0", gloves="#1830c0"),
    )
    return draw(Staging(camera, (red, blue), light), SIZE, seed=1).image


def verdict_on(pixels: Pixels, *neighbours: Pixels) -> Verdict:
    return judge(Evidence(pixels, SIZE, neighbours))


def failed(pixels: Pixels, *neighbours: Pixels) -> set[str]:
    return {finding.check for finding in verdict_on(pixels, *neighbours).findings if not finding.passed}


@pytest.mark.parametrize("camera", [WIDE, CLOSE], ids=["wide", "close-up at f/2"])
@pytest.mark.parametrize("light", lights.names())
def test_a_frame_under_any_light_is_accepted(light: str, camera: Camera) -> None:
    assert verdict_on(frame(light, camera)).causes == ()


@pytest.mark.parametrize("camera", [WIDE, CLOSE], ids=["wide", "close-up at f/2"])
@pytest.mark.parametrize("radius", [2, 4])
def test_a_blurred_frame_is_rejected_as_soft(radius: float, camera: Camera) -> None:
    assert failed(blurred(frame(camera=camera), radius)) == {"blur"}


@pytest.mark.parametrize("camera", [WIDE, CLOSE], ids=["wide", "close-up at f/2"])
def test_three_times_the_exposure_is_rejected_as_burnt(camera: Camera) -> None:
    assert "burnt" in failed(exposed(frame(camera=camera), 3.0))


@pytest.mark.parametrize("camera", [WIDE, CLOSE], ids=["wide", "close-up at f/2"])
def test_crushed_shadows_are_rejected_as_crushed(camera: Camera) -> None:
    assert "crushed" in failed(exposed(frame(camera=camera), 1.5, -90.0))


def test_a_dead_tile_in_a_frame_is_rejected_as_dead() -> None:
    pixels = frame().copy()
    pixels[128:256, 128:256] = 0

    assert failed(pixels) == {"dead"}


def test_a_step_of_one_centimetre_in_the_widest_shot_makes_another_keyframe() -> None:
    assert failed(frame(step_metres=0.01), frame()) == set()


def test_a_copy_with_other_grain_is_rejected_as_a_duplicate() -> None:
    grain = np.random.default_rng(3).normal(0.0, 2.0, (SIZE[1], SIZE[0], 3))
    grainy = np.clip(frame() + grain, 0, 255).astype(np.uint8)

    assert failed(grainy, frame()) == {"duplicate"}
