from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import pytest

from tests.film.footage import grey, level
from undercard.errors import BadInput
from undercard.film.base.pixels import Pixels, panned
from undercard.film.encoding.segments import piece_frames
from undercard.film.motion.transitions import TRANSITIONS, transition_kind
from undercard.film.timeline.timeline import Clip, Piece, Span, Timeline, Transition


def levels(piece: Piece) -> list[int]:
    """Shoot shot `a` in 200 and shot `b` in 100 grey."""

    def shoot(span: Span) -> list[Pixels]:
        return [grey(200 if span.clip.shot == "a" else 100)] * span.frame_count

    return [level(frame) for frame in piece_frames(piece, shoot)]


def between(kind: str, frames: int) -> Piece:
    clips = Clip("a", 30, "hold"), Clip("b", 30, "hold", Transition(kind, frames))
    return Timeline(Fraction(24), (64, 48), clips).pieces()[1]


def test_a_crossfade_is_halfway_in_its_middle_and_never_unmixed() -> None:
    assert levels(between("crossfade", 3)) == [175, 150, 125]


def test_a_crossfade_of_one_frame_is_half_of_each() -> None:
    assert levels(between("crossfade", 1)) == [150]


def test_a_dip_reaches_black_for_one_frame() -> None:
    assert levels(between("dip", 8)) == [160, 120, 80, 40, 0, 25, 50, 75]


def test_the_dip_that_opens_a_film_rises_from_black() -> None:
    clips = (Clip("b", 30, "hold", Transition("dip", 8)),)

    assert levels(Timeline(Fraction(24), (64, 48), clips).pieces()[0]) == [0, 25, 50, 75]


@pytest.mark.parametrize("name", TRANSITIONS)
@pytest.mark.parametrize("frames", [1, 2, 7])
def test_a_transition_gives_as_many_frames_as_its_piece_has(name: str, frames: int) -> None:
    kind = transition_kind(name)
    clips = Clip("a", 30, "hold"), Clip("b", 30, "hold", Transition(name, 0 if kind.instant else frames))

    for piece in Timeline(Fraction(24), (64, 48), clips).pieces():
        assert len(levels(piece)) == piece.frame_count


def test_the_frames_of_a_body_are_those_of_its_shot() -> None:
    clips = (Clip("b", 3, "hold"),)

    assert levels(Timeline(Fraction(24), (64, 48), clips).pieces()[0]) == [100, 100, 100]


def test_an_unknown_transition_is_refused_with_those_there_are() -> None:
    with pytest.raises(BadInput, match="transition 'wipe' does not exist; use one of cut, crossfade, dip, "):
        transition_kind("wipe")


def test_a_dip_to_white_reaches_white_for_one_frame() -> None:
    assert levels(between("dip_white", 8)) == [211, 222, 233, 244, 255, 216, 178, 139]


def test_a_flash_bursts_over_a_quarter_and_dies_away_over_the_rest() -> None:
    shown = levels(between("flash", 8))

    assert shown == [206, 224, 255, 208, 169, 139, 117, 104]


Strip: TypeAlias = tuple[list[Pixels], list[Pixels]]


def numbered_columns(count: int) -> Strip:
    """Two shots whose every pixel tells its column: blue rises from left to right, red in `a` and green in `b`."""
    size = (64, 48)
    shots: list[list[Pixels]] = []
    for channel in (0, 1):
        picture = grey(0, size)
        picture[:, :, channel] = 200
        picture[:, :, 2] = np.arange(64) * 4
        shots.append([picture] * count)
    return shots[0], shots[1]


def spliced(kind: str, count: int) -> list[Pixels]:
    outgoing, incoming = numbered_columns(count)
    return list(transition_kind(kind).splice(outgoing, incoming, count, count))


@pytest.mark.parametrize(
    ("kind", "uncovered"),
    [
        ("wipe_right", np.s_[:, :20]),
        ("wipe_left", np.s_[:, 44:]),
        ("wipe_down", np.s_[:15, :]),
        ("wipe_up", np.s_[33:, :]),
    ],
)
def test_a_wipe_uncovers_the_incoming_shot_from_its_side(kind: str, uncovered: tuple[slice, slice]) -> None:
    shown = spliced(kind, 5)

    # Frame 1 of 5 is a third of the way.
    taken = shown[1][uncovered][..., 1]
    assert (taken > 190).mean() > 0.85
    share = [float((frame[:, :, 1] / 200).mean()) for frame in shown]
    assert np.allclose(share, [1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6], atol=0.04)
    # Neither shot moves.
    assert all(np.array_equal(frame[:, :, 2], shown[0][:, :, 2]) for frame in shown)


@pytest.mark.parametrize(("kind", "side"), [("whip_right", 1), ("whip_left", -1)])
def test_a_whip_pan_slides_both_shots_past_and_shows_more_of_the_next_each_frame(kind: str, side: int) -> None:
    shown = spliced(kind, 7)

    share = np.array([float((frame[:, :, 1] / 200).mean()) for frame in shown])
    turned = [t * t * (3 - 2 * t) for t in (index / 8 for index in range(1, 8))]
    assert np.allclose(share, turned, atol=0.03)
    # What comes, comes from the side to which the camera turns.
    green = shown[3][:, :, 1].astype(float).mean(axis=0)[::side]
    assert (np.diff(green) >= 0).all()


def test_a_pan_that_stands_still_shows_its_pictures_untouched() -> None:
    (before, *_), (after, *_) = numbered_columns(1)

    assert np.array_equal(panned(before, after, 0.0, 0.0, "left"), before)
    assert np.array_equal(panned(before, after, 1.0, 1.0, "left"), after)


def test_a_shutter_open_over_eight_pixels_smears_over_eight() -> None:
    dark, lit = grey(0), grey(0)
    lit[:, 32] = 240

    seen = panned(lit, dark, 0.0, 8 / 64, "right")

    assert seen[0, :, 0].tolist() == [0] * 25 + [30] * 8 + [0] * 31


@pytest.mark.parametrize("name", [name for name, kind in TRANSITIONS.items() if not kind.instant])
@pytest.mark.parametrize("frames", [1, 2, 5, 12])
def test_no_frame_around_a_seam_repeats_the_one_before(name: str, frames: int) -> None:
    clips = Clip("a", 30, "hold"), Clip("b", 30, "hold", Transition(name, frames))
    pattern = np.random.default_rng(3).integers(0, 200, (48, 64, 3), np.uint8)

    def shoot(span: Span) -> list[Pixels]:
        # Both shots move all the time, each in its own way.
        step = 1 if span.clip.shot == "a" else -2
        return [np.roll(pattern, step * number, axis=1) for number in range(span.start, span.stop)]

    film = [frame for piece in Timeline(Fraction(24), (64, 48), clips).pieces() for frame in piece_frames(piece, shoot)]

    assert not any(np.array_equal(a, b) for a, b in pairwise(film))


@pytest.mark.parametrize("name", TRANSITIONS)
def test_no_transition_lengthens_the_film(name: str) -> None:
    kind = transition_kind(name)
    clips = Clip("a", 30, "hold"), Clip("b", 30, "hold", Transition(name, 0 if kind.instant else 9))

    assert Timeline(Fraction(24), (64, 48), clips).frame_count == 60 - 9 * kind.overlaps


@pytest.mark.parametrize("name", [name for name, kind in TRANSITIONS.items() if kind.overlaps])
def test_lettering_stays_in_its_place_and_fades_where_two_shots_overlap(name: str) -> None:
    """Shot `a` has a red mark in the corner and `b` a green one, on black."""

    def shoot(span: Span) -> list[Pixels]:
        return [grey(0)] * span.frame_count

    def letter(clip: Clip, frame: int, pixels: Pixels) -> Pixels:
        marked = pixels.copy()
        marked[2:6, 2:6, 0 if clip.shot == "a" else 1] = 200
        return marked

    shown = list(piece_frames(between(name, 3), shoot, letter))

    assert [frame[3, 3].tolist() for frame in shown] == [[150, 50, 0], [100, 100, 0], [50, 150, 0]]
    assert all((frame[8:] == 0).all() for frame in shown)


def test_a_dip_takes_the_lettering_along_into_black() -> None:
    def letter(clip: Clip, frame: int, pixels: Pixels) -> Pixels:
        return np.full_like(pixels, 200)

    shown = piece_frames(between("dip", 4), lambda span: [grey(0)] * span.frame_count, letter)

    assert [level(frame) for frame in shown] == [133, 67, 0, 100]
