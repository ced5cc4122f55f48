from __future__ import annotations

import numpy as np
import pytest

from tests.gate.vision.test_adherence import STANDING
from undercard.gate.vision.colour import cloth, lab, worn
from undercard.gate.vision.pose import Pixels


def figure(trunks: tuple[int, int, int], gloves: tuple[int, int, int]) -> Pixels:
    """Paint the thighs and what lies beyond the wrists of one who stands before grey."""
    pixels = np.full((260, 220, 3), 128, np.uint8)
    pixels[108:145, 70:130] = trunks
    pixels[100:130, 120:140] = gloves
    pixels[45:62, 45:65] = gloves
    return pixels


def test_trunks_are_read_below_the_hips_and_gloves_beyond_the_wrists() -> None:
    found = worn(figure((200, 20, 28), (27, 69, 196)), STANDING, np.ones(17, bool), 200.0)

    assert found.trunks == pytest.approx(lab("#c8141c"), abs=0.5)
    assert found.gloves == pytest.approx(lab("#1b45c4"), abs=0.5)


def test_what_is_hidden_has_no_colour() -> None:
    nothing = worn(figure((200, 20, 28), (27, 69, 196)), STANDING, np.zeros(17, bool), 200.0)

    assert (nothing.trunks, nothing.gloves) == (None, None)


def test_joints_outside_the_picture_have_no_colour_either() -> None:
    away = (STANDING + 1000).astype(np.float32)

    assert worn(figure((200, 20, 28), (27, 69, 196)), away, np.ones(17, bool), 200.0).trunks is None


def test_cloth_is_told_place_by_place_and_out_of_frame_there_is_none() -> None:
    painted = figure((200, 20, 28), (27, 69, 196))
    beside = (STANDING - (60, 0)).astype(np.float32)

    here, there = (cloth(painted, xy, np.ones(17, bool), 200.0) for xy in (STANDING, beside))

    assert here.trunks.shape == there.trunks.shape
    assert here.trunks * 255.0 == pytest.approx(np.broadcast_to((200, 20, 28), here.trunks.shape))
    assert np.isnan(there.gloves).any()
    assert not len(cloth(painted, STANDING, np.zeros(17, bool), 200.0).gloves)


def test_colours_are_those_of_the_standard() -> None:
    # CIE L*a*b* of sRGB red under D65, as in Lindbloom's tables.
    assert lab("#ff0000") == pytest.approx([53.24, 80.09, 67.20], abs=0.02)
    assert lab("#ffffff") == pytest.approx([100.0, 0.0, 0.0], abs=0.02)
