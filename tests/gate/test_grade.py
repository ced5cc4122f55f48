"""What a shot's grade is taken for, from one keyframe beside its control image."""

from __future__ import annotations

import numpy as np
import pytest

from undercard.gate.measures.colour import Levels
from undercard.gate.measures.grade import LUMA, learnt


def colours(count: int = 400, seed: int = 0, lightest: float = 0.8) -> Levels:
    return np.random.default_rng(seed).uniform(0.02, lightest, (count, 3))


def filmed(drawn: Levels) -> Levels:
    """Return a look with more contrast, warmer and deeper."""
    curve = drawn**1.1 * (0.9 + 0.2 * drawn) * (1.05, 1.0, 0.93)
    luma = (curve @ LUMA)[:, None]
    deeper: Levels = np.clip(luma + 1.15 * (curve - luma), 0.0, 1.0)
    return deeper


def test_what_one_keyframe_taught_holds_for_colours_that_it_does_not_have() -> None:
    drawn = colours()
    reds = drawn[drawn[:, 0] > drawn[:, 2]]
    blues = drawn[drawn[:, 0] < drawn[:, 2]]

    grade = learnt(filmed(reds), reds)

    assert np.abs(grade(blues) - filmed(blues)).max() < 0.03


def test_a_picture_like_its_control_image_has_no_grade() -> None:
    drawn = colours()

    assert learnt(drawn, drawn)(drawn) == pytest.approx(drawn, abs=1e-6)


def test_a_fifth_of_the_parts_in_another_light_does_not_bend_the_grade() -> None:
    drawn = colours()
    picture = filmed(drawn)
    picture[::5] *= 0.4

    assert np.abs(learnt(picture, drawn)(drawn) - filmed(drawn)).max() < 0.03


def test_of_what_is_lighter_than_all_that_was_seen_the_grade_knows_nothing() -> None:
    drawn = colours(lightest=0.3)

    known = learnt(filmed(drawn), drawn).knows(np.array([[0.2, 0.2, 0.2], [0.9, 0.9, 0.9]]))

    assert known.tolist() == [True, False]
