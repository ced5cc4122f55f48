from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undercard.errors import BadInput
from undercard.film.base.timing import Freeze, Speed, Timing

HALF = Fraction(1, 2)


def moments(timing: Timing, count: int) -> list[int | Fraction]:
    return [timing.moment(frame) for frame in range(count)]


def test_untold_every_frame_shows_its_own_moment() -> None:
    assert moments(Timing(), 4) == [0, 1, 2, 3]


def test_half_speed_shows_a_moment_between_every_two_frames() -> None:
    assert moments(Timing(3, (Speed(3, HALF),)), 4) == [3, Fraction(7, 2), 4, Fraction(9, 2)]


def test_a_ramp_slows_evenly_and_keeps_its_last_speed() -> None:
    # From 1 to 1/2 over 3 frames of action: 4 frames of film, each an eighth slower than the one before.
    ramp = Timing(0, (Speed(0, Fraction(1)), Speed(3, HALF)))

    steps = [b - a for a, b in zip(moments(ramp, 7), moments(ramp, 8)[1:], strict=True)]

    assert [float(step) for step in steps] == [0.9375, 0.8125, 0.6875, 0.5625, 0.5, 0.5, 0.5]
    assert ramp.moment(4) == 3


def test_before_its_first_speed_a_shot_runs_at_that_speed() -> None:
    late = Timing(0, (Speed(4, HALF),))

    assert late.moment(2) == 1
    assert late.moment(8) == 4


def test_a_freeze_shows_its_moment_for_so_many_frames_longer() -> None:
    assert moments(Timing(freezes=(Freeze(2, 3),)), 8) == [0, 1, 2, 2, 2, 2, 3, 4]


def test_two_freezes_follow_each_other() -> None:
    assert moments(Timing(freezes=(Freeze(1, 1), Freeze(2, 2))), 8) == [0, 1, 1, 2, 2, 2, 3, 4]


def test_a_freeze_in_slow_motion_stands_on_its_very_moment() -> None:
    slow = Timing(0, (Speed(0, Fraction(2, 5)),), (Freeze(1, 2),))

    assert moments(slow, 6) == [0, Fraction(2, 5), Fraction(4, 5), 1, 1, Fraction(6, 5)]


@given(
    speeds=st.dictionaries(st.integers(0, 60), st.fractions(Fraction(1, 20), 8, max_denominator=20), max_size=5),
    freezes=st.dictionaries(st.integers(0, 60), st.integers(1, 12), max_size=4),
)
def test_time_never_runs_back_and_every_frozen_moment_is_shown(
    speeds: dict[int, Fraction], freezes: dict[int, int]
) -> None:
    timing = Timing(
        0,
        tuple(Speed(at, speeds[at]) for at in sorted(speeds)),
        tuple(Freeze(at, freezes[at]) for at in sorted(freezes)),
    )

    shown = moments(timing, 400)

    assert shown == sorted(shown)
    assert all(shown.count(at) >= frames for at, frames in freezes.items() if shown[-1] > 60)


def test_the_frame_that_shows_a_moment_is_the_first_to_have_come_to_it() -> None:
    slow = Timing(4, (Speed(4, HALF),))

    assert [slow.frame_at(action, within=10) for action in (3, 4, 5, 8, 9)] == [None, 0, 2, 8, None]


@pytest.mark.parametrize(
    ("speeds", "freezes", "message"),
    [
        ((Speed(5, HALF), Speed(5, HALF)), (), "speeds fall on frames"),
        ((), (Freeze(5, 1), Freeze(3, 1)), "freezes fall on frames"),
        ((Speed(0, Fraction(9)),), (), "speed 9 is not between"),
        ((), (Freeze(0, 0),), "a freeze of 0 frames"),
    ],
)
def test_a_timing_that_cannot_be_shown_is_refused(
    speeds: tuple[Speed, ...], freezes: tuple[Freeze, ...], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        Timing(0, speeds, freezes)
