"""How far apart the levels lie that a picture uses."""

from __future__ import annotations

import numpy as np
import pytest

from undercard.gate.evidence import Evidence
from undercard.gate.measures.levels import spacing, spacing_of
from undercard.gate.pictures import Pixels


def ramp(step: int = 1, size: tuple[int, int] = (256, 32)) -> Pixels:
    """Return a slope of grey whose levels are *step* apart."""
    levels = np.linspace(0, 255, size[0]).astype(int) // step * step
    return np.broadcast_to(levels[None, :, None], (size[1], size[0], 3)).astype(np.uint8)


def comb(step: int, count: float = 100.0) -> np.ndarray:
    counts = np.zeros(256)
    counts[::step] = count
    return counts


@pytest.mark.parametrize("step", [1, 2, 8, 16])
def test_the_spacing_of_a_comb_is_the_distance_of_its_teeth(step: int) -> None:
    assert spacing(comb(step)) == step


def test_a_comb_is_judged_by_its_pixels_not_by_its_levels() -> None:
    # Of 50 teeth ten are 10 apart, with four times the pixels of the forty that are one apart.
    counts = np.zeros(256)
    counts[20:60] = 100
    counts[70:170:10] = 400

    # 39 gaps of 1 and the one of 11 weigh 100 each, nine gaps of 10 weigh 400 each.
    assert spacing(counts) == pytest.approx((39 * 1 + 11 + 9 * 4 * 10) / (39 + 1 + 9 * 4))


def test_levels_beside_a_peak_are_no_gap() -> None:
    counts = comb(1, 1e3)
    counts[40] = 1e6

    assert spacing(counts) == 1.0


def test_a_rare_level_between_two_teeth_does_not_make_a_comb_smooth() -> None:
    # Beyond the last tooth there is none to compare with.
    assert spacing(comb(8) + 11) == pytest.approx(8, abs=0.5)
    assert spacing(comb(8) + 14) == 1


@pytest.mark.parametrize("used", [[128], [100, 108], [10, 80, 150, 220]])
def test_a_picture_of_one_or_two_levels_or_of_scattered_ones_says_nothing(used: list[int]) -> None:
    counts = np.zeros(256)
    counts[used] = 1000

    assert spacing(counts) == 1.0


def test_what_is_cut_off_at_black_and_white_has_no_say() -> None:
    counts = np.zeros(256)
    counts[10:246] = 100
    counts[[0, 255]] = 1e5

    assert spacing(counts) == 1.0


def test_a_picture_is_as_coarse_as_the_middle_one_of_its_channels() -> None:
    one, two = ramp(), ramp()
    one[..., 2] = ramp(16)[..., 2]
    two[..., 1:] = ramp(16)[..., 1:]

    assert spacing_of(Evidence(one, (256, 32))) == pytest.approx(1.0, abs=0.05)
    assert spacing_of(Evidence(two, (256, 32))) == pytest.approx(16.0)
