"""Fighters who keep their colours, and who lose them: previz keyframes against the control image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from tests.gate.test_people import BLUE, RED, SIZE, frame, keypoints
from undercard.gate.checks import banding, identity
from undercard.gate.contract import Fault, Finding
from undercard.gate.evidence import Evidence
from undercard.gate.pictures import Pixels

ASKED_BY = (RED, BLUE)


def examined(pixels: Pixels, control: Pixels | None = None) -> Finding:
    given = frame(*ASKED_BY).image if control is None else control
    return identity.CHECK.examine(Evidence(pixels, SIZE, control=given, keypoints=keypoints(frame(*ASKED_BY))))


def test_who_wears_what_he_should_passes() -> None:
    assert examined(frame(*ASKED_BY).image).score < 0.1


def test_another_exposure_takes_nobodys_colours() -> None:
    brighter = np.clip(frame(*ASKED_BY).image * 1.3 + 8.0, 0, 255).astype(np.uint8)

    assert examined(brighter).passed


def test_a_deeper_and_warmer_grade_takes_nobodys_colours() -> None:
    curve = (frame(*ASKED_BY).image / 255.0) ** 1.15 * (1.1, 1.0, 0.85)
    deeper = 1.3 * curve - 0.3 * curve.mean(axis=2, keepdims=True)

    finding = examined(np.clip(deeper * 255.0, 0, 255).astype(np.uint8))

    assert finding.judged
    assert finding.score < 0.2


def test_green_trunks_and_gloves_on_the_red_fighter_have_drifted() -> None:
    green = replace(RED, look=replace(RED.look, trunks="#1f8a3b", gloves="#1f8a3b"))

    finding = examined(frame(green, BLUE).image)

    assert finding.fault is Fault.DRIFTED
    assert "Rojas's" in finding.cause
    assert finding.region is not None
    assert finding.region[0] < SIZE[0] / 2


def test_green_trunks_of_which_most_is_a_white_stripe_have_drifted_as_far() -> None:
    asked = frame(*ASKED_BY)
    # Five columns of eight of the red fighter are white in both pictures, about his trunks.
    joints = {name: joint["y"] for name, joint in keypoints(asked)["fighters"][0]["joints"].items()}  # type: ignore[index]
    striped = asked.fighters == 1
    striped[: int(joints["left_hip"]) - 6] = striped[int(joints["left_knee"]) + 4 :] = False
    striped[:, np.arange(SIZE[0]) % 8 < 3] = False
    green = replace(RED, look=replace(RED.look, trunks="#1f8a3b"))
    control, picture = (np.where(striped[:, :, None], 200, each.image) for each in (asked, frame(green, BLUE)))

    finding = examined(picture.astype(np.uint8), control.astype(np.uint8))

    assert finding.fault is Fault.DRIFTED
    assert "trunks" in finding.cause
    assert examined(control.astype(np.uint8), control.astype(np.uint8)).passed


def test_colours_that_were_lost_to_bands_are_the_bands_business() -> None:
    green = replace(RED, look=replace(RED.look, trunks="#1f8a3b", gloves="#1f8a3b"))
    banded = (frame(green, BLUE).image // 24) * 24

    assert not examined(banded).judged
    assert not banding.CHECK.examine(Evidence(banded, SIZE)).passed


def test_a_control_image_of_another_size_is_compared_alike() -> None:
    half = np.asarray(Image.fromarray(frame(*ASKED_BY).image).resize((256, 144), Image.Resampling.BOX))

    assert examined(frame(*ASKED_BY).image, half).score < 0.4


def test_without_a_control_image_nothing_is_said() -> None:
    evidence = Evidence(frame(*ASKED_BY).image, SIZE, keypoints=keypoints(frame(*ASKED_BY)))

    assert not identity.CHECK.examine(evidence).judged
