"""Optical flow: what both pictures show is moved, and what only one shows is left to it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests.film.footage import grey
from undercard.film.base.pixels import Pixels
from undercard.film.motion.flow import Flow, _trust, flow

SIZE = (96, 64)


def textured(seed: int = 5) -> Pixels:
    """Return smooth shades without a repeat, wider than `SIZE` by 16 px on each side."""
    coarse = np.random.default_rng(seed).integers(40, 220, (12, 18, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((SIZE[0] + 32, SIZE[1]), Image.Resampling.BICUBIC))


def seen_from(left: int) -> Pixels:
    """Return what a window sees that begins in column *left* of the shades."""
    return textured()[:, left : left + SIZE[0]].copy()


def known(first: Pixels, last: Pixels, across: float, trust_first: float = 1.0, trust_last: float = 1.0) -> Flow:
    """Return a flow in which everything goes *across* px to the right."""
    shape = first.shape[:2]
    way = np.broadcast_to(np.array([across, 0.0], np.float32), (*shape, 2))
    trusts = (np.full(shape, trust, np.float32) for trust in (trust_first, trust_last))
    return Flow(first, last, way, -way, *trusts)


def inner(picture: Pixels) -> np.ndarray:
    """Return *picture* without its margins, where what comes in from outside is not known."""
    return picture[8:-8, 16:-16].astype(int)


def test_a_picture_part_of_the_way_is_moved_by_that_part() -> None:
    between = known(seen_from(16), seen_from(8), 8.0)

    for t in (0.25, 0.5, 0.75):
        assert np.abs(inner(between.at(t)) - inner(seen_from(16 - round(8 * t)))).max() <= 1


def test_at_its_ends_a_flow_has_the_pictures_themselves() -> None:
    between = known(seen_from(16), seen_from(8), 8.0)

    assert between.at(0.0) is between.first
    assert between.at(1.0) is between.last


def test_what_is_not_found_again_has_next_to_no_say() -> None:
    first, last = grey(40, SIZE), grey(200, SIZE)

    assert known(first, last, 0.0).at(0.25).mean() == pytest.approx(80, abs=0.5)
    assert known(first, last, 0.0, trust_first=1e-3).at(0.25).mean() == pytest.approx(200, abs=2)
    assert known(first, last, 0.0, trust_last=1e-3).at(0.25).mean() == pytest.approx(40, abs=2)


def test_the_way_that_everything_went_is_found_there_and_back() -> None:
    found = flow(seen_from(16), seen_from(11))

    for way, across in ((found.there, 5.0), (found.back, -5.0)):
        assert float(np.median(way[8:-8, 16:-16, 0])) == pytest.approx(across, abs=0.3)
        assert float(np.median(np.abs(way[8:-8, 16:-16, 1]))) < 0.3
    assert float(np.median(found.trust_first)) > 0.9


# A width of 80 px makes 4 px the distance at which trust has fallen to 1 / e.
@pytest.mark.parametrize(("back", "trust"), [(-6.0, 1.0), (-2.0, 0.3679), (0.0, 0.1054), (40.0, 0.001)])
def test_trust_falls_with_the_distance_that_there_and_back_end_apart(back: float, trust: float) -> None:
    there, other = (np.broadcast_to(np.array([way, 0.0], np.float32), (48, 80, 2)).copy() for way in (6.0, back))

    assert _trust(there, other) == pytest.approx(np.full((48, 80), trust), abs=1e-4)


def test_the_same_picture_twice_does_not_move() -> None:
    found = flow(seen_from(16), seen_from(16))

    assert np.abs(found.at(0.5).astype(int) - seen_from(16)).max() <= 1
