"""What is new in a picture, before pictures whose tones, places and light have changed."""

from __future__ import annotations

import numpy as np
import pytest

from tests.gate.vision.photographs import photograph
from undercard.gate.vision.novelty import aligned, new_colours, opened, toned, tones, unexplained
from undercard.gate.vision.pose import Pixels

NEW = 8.0


def control() -> Pixels:
    return np.ascontiguousarray(photograph("astronaut")[::2, ::2])


def graded(pixels: Pixels) -> Pixels:
    """Return *pixels* with deeper shades and stronger colours, as a model may draw them."""
    light = (pixels / 255.0) ** 1.15
    grey = light.mean(axis=2, keepdims=True)
    return np.asarray(np.clip((grey + 1.25 * (light - grey)) * 255.0, 0, 255), np.uint8)


def with_patch(pixels: Pixels, colour: tuple[int, int, int] = (0, 200, 0)) -> Pixels:
    patched = pixels.copy()
    patched[20:44, 20:44] = colour
    return patched


def off(pixels: Pixels, aim: Pixels) -> float:
    return float(np.abs(pixels.astype(int) - aim).mean())


def test_tones_are_found_and_taken_back() -> None:
    pixels = graded(control())

    mended = toned(pixels, tones(pixels, control()))

    assert off(mended, control()) < 0.25 * off(pixels, control())


def test_what_is_new_does_not_bend_the_tones() -> None:
    pixels = with_patch(graded(control()))

    mended = toned(pixels, tones(pixels, control()))

    assert off(mended[60:], control()[60:]) < 0.35 * off(pixels[60:], control()[60:])


def test_a_picture_of_one_colour_has_tones_as_well() -> None:
    grey = np.full((20, 30, 3), 90, np.uint8)

    assert off(toned(grey, tones(grey, grey)), grey) <= 1.0


def test_what_has_moved_as_a_whole_is_put_back() -> None:
    pixels = np.roll(control(), 4, axis=1)

    back = aligned(pixels, control(), most=8.0, even=61)

    middle = np.s_[20:-20, 20:-20]
    assert off(back[middle], control()[middle]) < 0.5 * off(pixels[middle], control()[middle])


def test_nothing_is_moved_farther_than_it_may() -> None:
    pixels = np.roll(control(), 12, axis=1)

    back = aligned(pixels, control(), most=0.0, even=61)

    assert (back == pixels).all()


def test_a_sliver_of_a_picture_stays_as_it_is() -> None:
    pixels = np.zeros((8, 300, 3), np.uint8)

    assert aligned(pixels, pixels, most=5.0, even=31) is pixels


def test_a_patch_is_new_and_nothing_else_is() -> None:
    new, colours = new_colours(with_patch(control()), control(), reach=2, around=101)

    assert (new[24:40, 24:40] > NEW).mean() > 0.9
    assert (new[70:] > NEW).mean() < 0.01
    assert colours.shape == control().shape


@pytest.mark.parametrize("factor", [0.8, 1.2])
def test_more_light_or_less_is_nothing_new(factor: float) -> None:
    lit = np.clip(control() * factor, 0, 255).astype(np.uint8)

    new, _ = new_colours(lit, control(), reach=2, around=101)

    assert (new > NEW).mean() < 0.03


def test_an_edge_within_reach_is_nothing_new_and_beyond_it_is() -> None:
    halves = np.zeros((60, 60, 3), np.uint8)
    halves[:, 30:] = 200

    for step, is_new in ((3, False), (9, True)):
        new, _ = new_colours(np.roll(halves, step, axis=1)[:, 12:], halves[:, 12:], reach=3, around=61)
        assert bool((new > NEW).any()) is is_new


def test_what_is_thin_is_dropped_and_what_is_thick_stays() -> None:
    marked = np.zeros((20, 20), bool)
    marked[:, 3:5] = marked[8:14, 10:16] = True

    kept = opened(marked)

    assert not kept[:, :8].any()
    assert kept[8:14, 10:16].all()


def test_what_other_tones_just_there_explain_is_dropped_and_a_new_thing_is_not() -> None:
    known = np.zeros((40, 60, 3), np.float32)
    known[10:20, 10:20] = (20.0, 5.0, 30.0)
    found = known.copy()
    found[10:20, 10:20] = (35.0, 0.0, 12.0)
    found[10:20, 40:50] = (35.0, 0.0, 12.0)
    marked = found[..., 0] > 30.0

    kept = unexplained(marked, found, known, margin=6, least=6.0)

    assert not kept[:, :30].any()
    assert (kept[:, 30:] == marked[:, 30:]).all()
