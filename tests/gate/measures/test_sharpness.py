"""How sharp the sharpest tenth of a picture is, by pictures whose Laplacian is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from undercard.gate.evidence import Evidence
from undercard.gate.measures.sharpness import sharpness, sharpness_of
from undercard.gate.pictures import Grey

SIDE = 66
"""One tile, and a pixel round about that has no neighbour."""


def waves(period: float, width: int = SIDE, contrast: float = 100.0) -> Grey:
    line = 128 + contrast * np.sin(2 * math.pi * np.arange(width) / period)
    return np.broadcast_to(np.rint(line), (SIDE, width)).astype(np.uint8)


# A wave is an eigenfunction of the Laplacian: -(2 - 2 cos(2π / period)) times itself.
@pytest.mark.parametrize("period", [4.0, 8.0, 16.0])
def test_the_sharpness_of_a_wave_is_its_eigenvalue_squared(period: float) -> None:
    known = (2 - 2 * math.cos(2 * math.pi / period)) ** 2

    assert sharpness(waves(period)) == pytest.approx(known, rel=0.05)


def test_nothing_is_sharper_than_a_chequered_board() -> None:
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    board = np.where((x + y) % 2, 200, 100).astype(np.uint8)

    # Every pixel's four neighbours are of the other colour: -8 times what it is off the mean.
    assert sharpness(board) == pytest.approx(64.0)


def test_contrast_and_exposure_change_nothing() -> None:
    full = sharpness(waves(8))

    assert sharpness(waves(8, contrast=30)) == pytest.approx(full, rel=0.05)
    assert sharpness(waves(8, contrast=30) - np.uint8(60)) == pytest.approx(full, rel=0.05)


def test_a_picture_without_structure_has_no_sharpness() -> None:
    assert sharpness(np.full((SIDE, SIDE), 90, np.uint8)) == 0.0
    # A wave of 10 levels has a deviation of 7, which grain reaches, too.
    assert sharpness(waves(8, contrast=10)) == 0.0
    assert sharpness(np.zeros((2, 9), np.uint8)) == 0.0


def test_the_sharpest_tenth_speaks_for_the_picture() -> None:
    # Ten tiles in a row, of which one or none is sharp.
    soft = waves(32, 642)
    sharp = soft.copy()
    sharp[:, 1:129] = waves(4, 128)

    assert sharpness_of(Evidence(np.repeat(soft[..., None], 3, axis=2), (642, SIDE))) < 0.01
    assert sharpness(sharp) == pytest.approx(4.0, rel=0.1)


def test_tiles_without_structure_have_no_say() -> None:
    hall = np.full((SIDE, 642), 128, np.uint8)
    hall[:, :65] = waves(8, 65)

    # One column of the wave lacks its neighbour.
    assert sharpness(hall) == pytest.approx(sharpness(waves(8)), rel=0.1)
