"""What is drawn of people on a picture that the gate explains."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw

from tests.gate.test_people import BLUE, GUEST, RED, evidence, frame
from tests.previz.stagings import red
from undercard.cli.verdict_people import draw_people
from undercard.cli.verdict_picture import annotated
from undercard.gate.evidence import Evidence
from undercard.gate.judging import judge
from undercard.gate.pictures import Pixels

SIZE = (512, 288)


def signs(pixels: Pixels) -> tuple[str, Pixels]:
    """Return the words of the legend, and what is drawn, on black."""
    given = evidence(pixels)
    canvas = Image.new("RGB", SIZE)
    found = draw_people(ImageDraw.Draw(canvas), given, judge(given), 1.0)
    return "\n".join(sign.text for sign in found), np.asarray(canvas)


def test_everybody_in_place_is_told_with_his_joints() -> None:
    words, drawn = signs(frame(RED, BLUE).image)

    assert "Rojas: " in words
    assert "joints in place, fit 1.00" in words
    assert "nobody" not in words
    assert drawn.any()


def test_who_does_something_else_has_his_skeleton_drawn_and_measured() -> None:
    words, _ = signs(frame(RED, replace(BLUE, pose=red("victory").pose)).image)

    assert "its skeleton: PCK" in words
    assert "a joint that is not where it should be" in words
    assert "the pose that is there" in words


def test_a_missing_fighter_is_told_as_such() -> None:
    words, _ = signs(frame(RED).image)

    assert "Okafor: nobody is there" in words


def test_the_joints_of_a_stranger_are_marked_where_he_stands() -> None:
    words, drawn = signs(frame(RED, BLUE, GUEST).image)
    _, without = signs(frame(RED, BLUE).image)

    columns = np.nonzero((drawn != without).any(axis=(0, 2)))[0]
    assert "a joint of somebody who should not be there" in words
    assert abs(columns.mean() - SIZE[0] / 2) < SIZE[0] / 6


def test_without_a_control_image_nothing_is_drawn_and_there_is_no_legend() -> None:
    bare = Evidence(frame(RED, BLUE).image, SIZE)

    assert draw_people(ImageDraw.Draw(Image.new("RGB", SIZE)), bare, judge(bare), 1.0) == []
    assert annotated(bare, judge(bare), "bare").width == annotated(evidence(frame(RED).image), judge(bare), "x").width
