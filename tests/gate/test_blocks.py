"""A JPEG's blocks, over pictures that need no renderer."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests.gate.pictures import SIZE, as_jpeg, finding_of, keyframe
from tests.paths import DATA
from undercard.gate.checks import blocks, seam
from undercard.gate.contract import Fault, Finding
from undercard.gate.evidence import Evidence
from undercard.gate.measures.grid import block_step
from undercard.gate.pictures import Pixels

PHOTOGRAPHS = DATA / "photographs"


def ring() -> Pixels:
    """Return the ring under light that falls off to one side, as nothing in a picture is flat."""
    fall = np.linspace(0.6, 1.3, SIZE[0])[None, :, None]
    return np.clip(keyframe() * fall + 8.0, 0, 255).astype(np.uint8)


def grey(pixels: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(pixels).convert("L"))


def examine(pixels: Pixels) -> Finding:
    return blocks.CHECK.examine(Evidence(pixels, (pixels.shape[1], pixels.shape[0])))


@pytest.mark.parametrize(("quality", "quantum"), [(50, 16), (30, 27), (20, 40), (10, 80)])
def test_the_step_is_an_eighth_of_what_the_quality_rounds_means_to(quality: int, quantum: int) -> None:
    step, _ = block_step(grey(as_jpeg(ring(), quality)))

    assert step == pytest.approx(quantum / 8, rel=0.25)


def test_a_coarse_jpeg_is_called_blocky_and_a_good_one_is_not() -> None:
    finding = examine(as_jpeg(ring(), 20))

    assert finding.fault is Fault.BLOCKY
    assert "every 8 pixels" in finding.cause
    assert examine(as_jpeg(ring(), 75)).passed
    assert examine(ring()).passed


@pytest.mark.parametrize("crop", [(0, 1), (3, 0), (5, 7), (7, 2)])
def test_blocks_are_found_wherever_their_grid_begins(crop: tuple[int, int]) -> None:
    down, right = crop

    assert not examine(as_jpeg(ring(), 20)[down:, right:]).passed


def test_the_region_is_where_the_blocks_are() -> None:
    whole = ring()
    pixels = whole.copy()
    pixels[:, 160:] = as_jpeg(whole, 15)[:, 160:]

    region = examine(pixels).region

    assert region is not None
    left, _, width, _ = region
    assert 128 <= left <= 192
    assert left + width > 480


@pytest.mark.parametrize("name", ["astronaut", "coffee"])
def test_a_photograph_that_was_saved_well_passes_and_saved_badly_does_not(name: str) -> None:
    pixels = np.asarray(Image.open(PHOTOGRAPHS / f"{name}.jpg").convert("RGB"))

    assert examine(pixels).passed
    assert not examine(as_jpeg(pixels, 15)).passed


def test_a_seam_is_no_grid_and_a_grid_is_no_seam() -> None:
    seamed = ring().astype(np.int16)
    seamed[:, 256:] += 12
    lighter = np.clip(seamed, 0, 255).astype(np.uint8)

    assert not seam.CHECK.examine(Evidence(lighter, SIZE)).passed
    assert examine(lighter).passed
    assert finding_of("seam", Evidence(as_jpeg(ring(), 20), SIZE)).passed


def test_bars_as_wide_as_blocks_pass() -> None:
    bars = np.where(np.arange(SIZE[0]) // 8 % 2, 12, 0)[None, :, None]

    assert examine(np.clip(ring() + bars, 0, 255).astype(np.uint8)).passed


@pytest.mark.parametrize("shape", [(1, 1), (16, 400), (33, 47)])
def test_nothing_is_said_of_what_is_too_small_or_empty(shape: tuple[int, int]) -> None:
    assert block_step(np.full(shape, 90, np.uint8)) == (0.0, None)
