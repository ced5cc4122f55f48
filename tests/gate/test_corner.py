"""Whose colours whom: previz keyframes as asked for, and with the fighters' looks exchanged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.gate.test_people import BLUE, RED, SIZE, WIDE, frame, keypoints
from tests.previz.stagings import staged
from undercard.domain.staging import PlacedFighter
from undercard.gate.checks import corner
from undercard.gate.contract import Fault, Finding
from undercard.gate.evidence import Evidence
from undercard.gate.pictures import Pixels

AS_RED = replace(RED, look=BLUE.look, corner=BLUE.corner)
AS_BLUE = replace(BLUE, look=RED.look, corner=RED.corner)


def examined(pixels: Pixels, *asked: PlacedFighter) -> Finding:
    fighters = asked or (RED, BLUE)
    asked_for = frame(*fighters, camera=WIDE)
    evidence = Evidence(
        pixels,
        SIZE,
        staging=staged(*fighters, camera=WIDE),
        keypoints=keypoints(asked_for),
        control=asked_for.image,
    )
    return corner.CHECK.examine(evidence)


def test_each_in_his_own_colours_passes() -> None:
    assert examined(frame(RED, BLUE).image).score > 0.3


def test_exchanged_colours_are_rejected_with_both_names() -> None:
    finding = examined(frame(AS_RED, AS_BLUE).image)

    assert finding.fault is Fault.SWAPPED
    assert "Rojas and Okafor wear each other's colours" in finding.cause


def test_a_light_that_tints_everything_exchanges_nobody() -> None:
    blue = np.clip(frame(RED, BLUE).image * [0.6, 0.8, 1.2] + [0, 0, 25], 0, 255).astype(np.uint8)

    assert examined(blue).passed


def test_two_who_wear_the_same_cannot_be_exchanged() -> None:
    twin = replace(BLUE, look=RED.look)

    assert not examined(frame(RED, twin).image, RED, twin).judged


def test_one_alone_has_nobody_to_be_exchanged_with() -> None:
    assert not examined(frame(RED).image, RED).judged


def test_whom_the_control_image_does_not_tell_apart_nobody_can_exchange() -> None:
    hall = (np.asarray(frame(RED, BLUE, camera=WIDE).image) * 0.02).astype(np.uint8)
    grey = np.repeat(hall.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    evidence = Evidence(
        frame(AS_RED, AS_BLUE).image,
        SIZE,
        staging=staged(RED, BLUE, camera=WIDE),
        keypoints=keypoints(frame(RED, BLUE, camera=WIDE)),
        control=grey,
    )

    assert not corner.CHECK.examine(evidence).judged


def test_without_a_staging_nobody_knows_who_wears_what() -> None:
    asked_for = frame(RED, BLUE)
    evidence = Evidence(frame(AS_RED, AS_BLUE).image, SIZE, keypoints=keypoints(asked_for), control=asked_for.image)

    assert not corner.CHECK.examine(evidence).judged
