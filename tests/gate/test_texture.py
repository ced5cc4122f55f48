"""Noise, banding and seams, over pictures that need no renderer."""

from __future__ import annotations

import numpy as np
import pytest

from tests.gate.pictures import SIZE, as_jpeg, exposed, finding_of, keyframe
from undercard.domain.requests import Size
from undercard.gate.checks import banding, noise
from undercard.gate.contract import Fault, Finding
from undercard.gate.evidence import Evidence
from undercard.gate.measures import noise as noise_measure
from undercard.gate.pictures import Pixels

HD = (1024, 576)


def noisy(sigma: float, size: Size = SIZE) -> Pixels:
    grain = np.random.default_rng(4).normal(0.0, sigma, (size[1], size[0], 3))
    return np.clip(keyframe(size=size) + grain, 0, 255).astype(np.uint8)


def lit(size: Size = SIZE) -> Pixels:
    """Return the ring under light that falls off to one side, so that it has every level."""
    fall = np.linspace(0.6, 1.3, size[0])[None, :, None]
    return np.clip(keyframe(size=size) * fall + 8.0, 0, 255).astype(np.uint8)


def stepped(pixels: Pixels, at: int, levels: float, axis: int) -> Pixels:
    """Return *pixels* with everything beyond *at* along *axis* lighter by *levels*."""
    lighter = pixels.astype(np.float64)
    part = (slice(at, None),) if axis == 0 else (slice(None), slice(at, None))
    lighter[part] += levels
    return np.clip(lighter, 0, 255).astype(np.uint8)


def examine_seam(pixels: Pixels, control: Pixels | None = None) -> Finding:
    return finding_of("seam", Evidence(pixels, (pixels.shape[1], pixels.shape[0]), control=control))


def test_the_noise_that_was_added_is_what_is_measured() -> None:
    added = np.random.default_rng(4).normal(0.0, 9.0, (256, 256))
    grey = np.clip(128 + np.linspace(-40, 40, 256)[None, :] + added, 0, 255).astype(np.uint8)

    assert noise_measure.noise(grey) == pytest.approx(9.0, rel=0.1)


def test_film_grain_passes_and_a_noisy_picture_does_not() -> None:
    assert noise.CHECK.examine(Evidence(noisy(1.0), SIZE)).passed

    finding = noise.CHECK.examine(Evidence(noisy(14.0), SIZE))

    assert finding.fault == Fault.NOISY
    assert "of 255 levels" in finding.cause


def test_sharp_edges_are_not_taken_for_noise() -> None:
    stripes = np.tile(np.where(np.arange(512) // 6 % 2, 190, 60).astype(np.uint8), (288, 1))

    assert noise_measure.noise(stripes) < 1.0


@pytest.mark.parametrize("step", [12, 24])
def test_a_picture_in_few_levels_is_banded(step: int) -> None:
    pixels = lit() // step * step + step // 2

    finding = banding.CHECK.examine(Evidence(pixels.astype(np.uint8), SIZE))

    assert finding.fault == Fault.BANDED
    assert finding.score >= step


def test_steps_of_six_levels_are_bands() -> None:
    finding = banding.CHECK.examine(Evidence((lit() // 6 * 6 + 3).astype(np.uint8), SIZE))

    assert finding.score == pytest.approx(6.0, abs=0.5)
    assert not finding.passed


def test_a_black_night_saved_as_jpeg_is_not_banded() -> None:
    night = exposed(lit(HD), 0.2, -1.0)

    assert banding.CHECK.examine(Evidence(as_jpeg(night, 75), HD)).score < 2.0


def test_the_one_level_of_a_dead_tile_is_no_band() -> None:
    pixels = lit()
    pixels[:, :256] = 128

    assert banding.CHECK.examine(Evidence(pixels, SIZE)).score < 2.0


def test_a_picture_with_more_contrast_is_not_banded() -> None:
    assert banding.CHECK.examine(Evidence(exposed(lit(), 1.3), SIZE)).passed


def test_mild_jpeg_is_neither_banded_nor_tiled() -> None:
    pixels = as_jpeg(lit(HD), 60)

    assert banding.CHECK.examine(Evidence(pixels, HD)).passed
    assert examine_seam(pixels).passed


@pytest.mark.parametrize("axis", [0, 1], ids=["across", "upright"])
@pytest.mark.parametrize("levels", [5.0, -5.0])
def test_a_step_along_a_tiles_border_is_found_where_it_is(axis: int, levels: float) -> None:
    finding = examine_seam(stepped(keyframe(size=HD) // 2 + 60, 192, levels, axis))

    assert finding.fault == Fault.TILED
    assert finding.score == pytest.approx(5.0, abs=1.0)
    assert finding.region is not None
    assert finding.region[1 - axis] == pytest.approx(192, abs=4)


def test_a_rope_is_no_seam_since_all_is_as_before_behind_it() -> None:
    roped = keyframe(size=HD).copy()
    roped[160:168] += 18

    assert examine_seam(roped).passed


def test_an_edge_that_the_control_image_has_as_well_is_no_seam() -> None:
    ledge = stepped(keyframe(size=HD) // 2 + 60, 192, 12.0, axis=0)

    assert not examine_seam(ledge).passed
    assert examine_seam(ledge, control=ledge).passed


def test_an_edge_that_only_the_control_image_takes_back_is_no_seam() -> None:
    picture = stepped(keyframe(size=HD) // 2 + 60, 192, 6.0, axis=0)
    control = stepped(picture, 200, -6.0, axis=0)

    assert not examine_seam(picture).passed
    assert examine_seam(picture, control=control).passed


def test_lines_in_noise_are_the_noises_business() -> None:
    tiled = stepped(noisy(20.0, HD) // 2 + 60, 192, 12.0, axis=0)
    finding = examine_seam(tiled)

    assert not noise.CHECK.examine(Evidence(tiled, HD)).passed
    assert finding.passed
    assert not finding.judged


def test_a_picture_smaller_than_a_cell_has_no_seam() -> None:
    assert examine_seam(np.full((7, 5, 3), 90, np.uint8)).passed
