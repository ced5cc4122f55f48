"""Character sheets: a fighter in his look, twice, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from undercard.previz import studio
from undercard.shotlist.likeness import sheet_request
from undercard.shotlist.staged import CastMember

SIZE = (192, 192)


def drawn(**look: str) -> np.ndarray:
    """Draw the sheet of a red fighter in *look*, small."""
    member = CastMember.model_validate({"name": "Ray", "corner": "red", "look": look})
    return np.asarray(studio.draw(sheet_request(member).staging, SIZE, 1)).astype(int)


@pytest.fixture(scope="module")
def sheet() -> np.ndarray:
    return drawn(trunks="green", gloves="yellow")


def share(pixels: np.ndarray, channel: int) -> float:
    """Return the share of *pixels* in which *channel* is far above the others."""
    others = np.delete(pixels, channel, axis=2).max(axis=2)
    return float((pixels[:, :, channel] > 1.6 * others + 10).mean())


def test_both_halves_show_the_fighter_in_his_colours(sheet: np.ndarray) -> None:
    assert all(share(half, channel=1) > 0.03 for half in np.split(sheet, 2, axis=1))


def test_the_two_views_differ(sheet: np.ndarray) -> None:
    front, turned = np.split(sheet, 2, axis=1)

    assert np.abs(front - turned).mean() > 10


def test_the_backdrop_is_one_quiet_grey_to_every_edge(sheet: np.ndarray) -> None:
    edge = np.concatenate([sheet[:6].reshape(-1, 3), sheet[:, :3].reshape(-1, 3), sheet[:, -3:].reshape(-1, 3)])

    # Neither ring nor crowd nor coloured light.
    assert np.ptp(edge, axis=1).max() <= 6
    assert np.ptp(edge.mean(axis=1)) < 60
    assert 110 < edge.mean() < 220


def test_the_fighter_is_whole_and_fills_the_height(sheet: np.ndarray) -> None:
    # What is not grey, or darker or lighter than the paper around it.
    paper = np.median(sheet[:8].reshape(-1, 3), axis=0)
    rows = np.nonzero((np.abs(sheet - paper).max(axis=2) > 60).any(axis=1))[0]

    assert 4 < rows.min() < 0.12 * SIZE[1]
    assert 0.93 * SIZE[1] < rows.max() < SIZE[1] - 3


def test_nothing_is_burnt_out_or_crushed_even_on_the_fairest_and_darkest_skin() -> None:
    for skin in ("porcelain", "ebony"):
        pixels = drawn(skin=skin, trunks="green", boots="grey", hair="grey")
        assert (pixels.min(axis=2) >= 250).mean() < 0.01
        assert (pixels.max(axis=2) <= 2).mean() < 0.01


def test_the_same_look_gives_the_same_bytes(sheet: np.ndarray) -> None:
    assert (
        Image.fromarray(sheet.astype(np.uint8)).tobytes()
        == Image.fromarray(drawn(trunks="green", gloves="yellow").astype(np.uint8)).tobytes()
    )
