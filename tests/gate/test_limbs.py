"""Arms and legs that nobody should have: previz keyframes with one limb drawn too many."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from PIL import Image

from benchmarks.labelled.edits import Grade, redrawn
from tests.gate.pictures import finding_of
from tests.gate.test_people import BLUE, FROM_ABOVE, GUEST, RED, SIZE, WIDE, frame, keypoints
from tests.previz.stagings import red, staged
from undercard.domain.staging import Vec3
from undercard.gate.checks import limbs, pose, stranger
from undercard.gate.contract import Fault, Finding
from undercard.gate.evidence import Evidence
from undercard.gate.pictures import Pixels
from undercard.previz.frame import Frame
from undercard.previz.limbs import Kind, Limb
from undercard.previz.render import draw

STAGING = staged(RED, BLUE, camera=WIDE)
LOOK = Grade(gamma=0.9, contrast=0.5, saturation=1.2, relight=0.12, texture=0.04)
RAISED: Vec3 = (0.35, 2.2, 0.0)
LOW: Vec3 = (0.3, 0.75, 0.45)


@cache
def with_limb(kind: Kind, place: Vec3) -> Pixels:
    field = "lead_hand" if kind == "arm" else "lead_foot"
    limb = Limb(replace(RED, pose=replace(RED.pose, **{field: place})), kind, "lead")
    return draw(STAGING, SIZE, 1, limbs=(limb,)).image


def evidence(pixels: Pixels, asked: Frame | None = None, *, draws_itself: bool = False) -> Evidence:
    given = asked or frame(RED, BLUE)
    return Evidence(
        pixels, SIZE, control=given.image, staging=STAGING, keypoints=keypoints(given), draws_itself=draws_itself
    )


def examined(pixels: Pixels, asked: Frame | None = None) -> Finding:
    return finding_of("limbs", evidence(pixels, asked))


def edited(pixels: Pixels) -> Pixels:
    return redrawn(pixels, LOOK, np.random.default_rng(5))


def moved(pixels: Pixels, most: float) -> Pixels:
    """Return *pixels* pulled about by up to *most* px, smoothly."""
    height, width = pixels.shape[:2]
    y, x = np.mgrid[0:height, 0:width]
    across = np.rint(x + most * np.sin(y / 40.0)).astype(int) % width
    down = np.rint(y + most * np.sin(x / 55.0)).astype(int) % height
    return np.asarray(pixels[down, across])


@pytest.mark.parametrize(
    ("kind", "place"), [("arm", RAISED), ("arm", LOW), ("leg", (0.1, 0.45, 0.8))], ids=["raised", "low", "leg"]
)
def test_a_third_arm_or_leg_is_named_and_its_place_shown(kind: Kind, place: Vec3) -> None:
    finding = examined(with_limb(kind, place))

    assert finding.fault is Fault.EXTRA_LIMB
    assert "Rojas has a limb too many" in finding.cause
    assert finding.region is not None
    left, top, width, height = finding.region
    new = np.abs(with_limb(kind, place).astype(int) - frame(RED, BLUE).image).max(axis=2)
    assert new[top : top + height, left : left + width].max() > 60


def test_a_third_arm_is_found_in_other_tones_and_light() -> None:
    assert examined(edited(with_limb("arm", RAISED))).fault is Fault.EXTRA_LIMB


@pytest.mark.parametrize("shift", [(0.0, 0.2, 0.0), (0.0, -0.1, 0.1), (0.0, 0.0, 0.15), (0.15, 0.15, 0.0)])
def test_a_glove_that_a_model_drew_elsewhere_is_no_third_one(shift: Vec3) -> None:
    x, y, z = np.add(RED.pose.rear_hand, shift)
    other = replace(RED, pose=replace(RED.pose, rear_hand=(float(x), float(y), float(z))))

    finding = examined(edited(frame(other, BLUE).image))

    # Without what is gone round about, each scores 0.35 to 0.78.
    assert finding.passed
    assert finding.judged
    assert finding.score == 0.0


@pytest.mark.parametrize("most", [0.0, 2.0, 4.0])
def test_who_has_two_arms_passes_in_other_tones_and_a_little_elsewhere(most: float) -> None:
    finding = examined(moved(edited(frame(RED, BLUE).image), most))

    assert finding.passed
    assert finding.judged


def test_a_limb_too_many_is_neither_a_stranger_nor_another_pose() -> None:
    third_arm = evidence(edited(with_limb("arm", RAISED)))

    assert stranger.CHECK.examine(third_arm).passed
    assert pose.CHECK.examine(third_arm).passed


def test_the_arms_of_a_third_fighter_are_his() -> None:
    crowded = frame(RED, BLUE, GUEST).image

    assert examined(crowded).passed
    assert stranger.CHECK.examine(evidence(crowded)).fault is Fault.WRONG_COUNT


def test_the_arms_of_one_in_another_pose_are_elsewhere_and_not_too_many() -> None:
    assert not examined(frame(RED, replace(BLUE, pose=red("victory").pose)).image).judged


def test_where_somebody_is_missing_what_is_behind_him_is_no_limb() -> None:
    assert examined(frame(RED).image).passed


def test_gloves_in_another_colour_are_no_gloves_too_many() -> None:
    swapped = frame(replace(RED, look=BLUE.look), replace(BLUE, look=RED.look)).image

    assert examined(swapped).passed


def painted(pixels: Pixels, x: float, y: float, colour: tuple[int, int, int], radius: int = 8) -> Pixels:
    """Return *pixels* with a disc, a glove's size or of *radius* px, at *x* and *y*, shares of the picture."""
    rows, columns = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    disc = (rows - y * SIZE[1]) ** 2 + (columns - x * SIZE[0]) ** 2 < radius**2
    return np.where(disc[..., None], np.array(colour, np.uint8), pixels)


GLOVE = (206, 33, 51)
"""As the light shows Rojas's."""


def test_a_glove_that_hangs_beside_him_is_one_too_many() -> None:
    assert examined(painted(frame(RED, BLUE).image, 0.345, 0.35, GLOVE)).fault is Fault.EXTRA_LIMB


def test_less_than_a_glove_is_one_too_many_unless_it_lies_beside_a_hand() -> None:
    good = frame(RED, BLUE).image
    beside, apart = (examined(painted(good, 0.56 + away, 0.32, GLOVE, 5)) for away in (0.0, 0.03))

    assert beside.passed
    assert beside.score > 0.1
    assert apart.fault is Fault.EXTRA_LIMB


def test_a_glove_in_the_crowd_is_nobodys() -> None:
    assert examined(painted(frame(RED, BLUE).image, 0.04, 0.08, GLOVE)).passed


def test_something_beside_him_in_nobodys_colour_is_no_limb() -> None:
    assert examined(painted(frame(RED, BLUE).image, 0.345, 0.35, (20, 160, 40))).passed


def test_a_glove_is_known_by_what_he_wears_where_the_control_image_hides_both_of_his() -> None:
    turned = replace(RED, facing_degrees=180.0, look=replace(RED.look, gloves="#20a040"))
    behind = replace(turned, pose=replace(turned.pose, lead_hand=(0.05, 1.2, 0.3), rear_hand=(-0.05, 1.2, 0.3)))
    staging = staged(behind, camera=WIDE)
    asked = draw(staging, SIZE, 1)
    pixels = painted(asked.image, 0.27, 0.3, (60, 190, 80))

    known, unknown = (
        limbs.CHECK.examine(Evidence(pixels, SIZE, control=asked.image, staging=told, keypoints=keypoints(asked)))
        for told in (staging, None)
    )

    assert known.fault is Fault.EXTRA_LIMB
    assert unknown.passed


def test_a_picture_that_is_another_one_altogether_says_nothing_of_limbs() -> None:
    other = np.random.default_rng(1).integers(0, 255, (18, 32, 3), np.uint8)
    clouds = np.asarray(Image.fromarray(other).resize(SIZE, Image.Resampling.BICUBIC))
    mixed = (0.45 * clouds + 0.55 * frame(RED, BLUE).image).astype(np.uint8)

    assert examined(mixed).passed


def test_fighters_seen_from_straight_above_are_not_judged() -> None:
    above = frame(RED, BLUE, camera=FROM_ABOVE)

    assert not examined(above.image, above).judged


def test_where_nothing_was_asked_for_nothing_is_judged() -> None:
    pixels, given = with_limb("arm", RAISED), frame(RED, BLUE)

    assert not limbs.CHECK.examine(Evidence(pixels, SIZE, control=given.image)).judged
    assert not limbs.CHECK.examine(Evidence(pixels, SIZE, keypoints=keypoints(given))).judged
    assert not limbs.CHECK.examine(evidence(pixels, draws_itself=True)).judged


def test_a_control_image_of_another_size_is_compared_alike() -> None:
    given = frame(RED, BLUE)
    half = np.asarray(Image.fromarray(given.image).resize((256, 144), Image.Resampling.BOX))

    for pixels, passed in ((given.image, True), (with_limb("arm", RAISED), False)):
        finding = limbs.CHECK.examine(Evidence(pixels, SIZE, control=half, keypoints=keypoints(given)))
        assert finding.passed is passed
