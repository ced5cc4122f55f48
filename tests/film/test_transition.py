from __future__ import annotations

from fractions import Fraction

import pytest

from tests.film.footage import grey, level
from undercard.errors import BadInput
from undercard.film.pixels import Pixels
from undercard.film.segments import piece_frames
from undercard.film.timeline import Clip, Piece, Span, Timeline, Transition
from undercard.film.transition import TRANSITIONS, transition_kind


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
    with pytest.raises(BadInput, match="transition 'wipe' does not exist; use one of cut, crossfade, dip"):
        transition_kind("wipe")
