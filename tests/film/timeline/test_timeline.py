from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from undercard.errors import BadInput
from undercard.film.motion.motions import MOTIONS
from undercard.film.motion.transitions import TRANSITIONS
from undercard.film.timeline.timeline import Clip, Piece, Span, Timeline, Transition

FPS = Fraction(24)
SIZE = (1024, 576)


def clip(shot: str, frames: int, kind: str = "cut", length: int = 0) -> Clip:
    return Clip(shot, frames, "hold", Transition(kind, length))


def timeline(*clips: Clip) -> Timeline:
    return Timeline(FPS, SIZE, clips)


def test_cuts_leave_every_shot_whole() -> None:
    film = timeline(clip("a", 10), clip("b", 20))

    assert film.frame_count == 30
    assert film.pieces() == (
        Piece((Span(film.clips[0], 0, 10),)),
        Piece((Span(film.clips[1], 0, 20),)),
    )


def test_a_crossfade_overlaps_both_shots_and_shortens_the_film() -> None:
    film = timeline(clip("a", 10), clip("b", 20, "crossfade", 4))

    assert film.frame_count == 26
    a, b = film.clips
    assert film.pieces() == (
        Piece((Span(a, 0, 6),)),
        Piece((Span(a, 6, 10), Span(b, 0, 4)), b.transition_in),
        Piece((Span(b, 4, 20),)),
    )


def test_a_dip_takes_half_of_each_side_and_keeps_the_length() -> None:
    film = timeline(clip("a", 10), clip("b", 20, "dip", 5))

    assert film.frame_count == 30
    a, b = film.clips
    assert film.pieces()[1] == Piece((Span(a, 8, 10), Span(b, 0, 3)), b.transition_in)


def test_a_dip_into_the_first_shot_is_a_fade_from_black() -> None:
    film = timeline(clip("a", 10, "dip", 8))

    opening, body = film.pieces()
    assert (opening.name, opening.spans) == ("→ a", (Span(film.clips[0], 0, 4),))
    assert body.spans == (Span(film.clips[0], 4, 10),)
    assert film.frame_count == 10


def test_pieces_are_named_after_their_shots() -> None:
    film = timeline(clip("a", 10), clip("b", 20, "crossfade", 4))

    assert [piece.name for piece in film.pieces()] == ["a", "a → b", "b"]


def test_editing_one_shot_changes_its_body_and_its_transitions_only() -> None:
    before = timeline(*(clip(name, 20, "crossfade" if name != "a" else "cut", 4 * (name != "a")) for name in "abcd"))
    edited = Clip("b", 20, "push_in", Transition("crossfade", 4))
    after = Timeline(FPS, SIZE, tuple(edited if c.shot == "b" else c for c in before.clips))

    changed = [a.name for a, b in zip(before.pieces(), after.pieces(), strict=True) if a != b]

    assert changed == ["a → b", "b", "b → c"]


def test_a_shot_starts_where_its_first_frame_shows() -> None:
    film = timeline(clip("a", 10), clip("b", 20, "crossfade", 4), clip("c", 8, "dip", 6), clip("d", 5))

    assert film.starts() == {"a": 0, "b": 6, "c": 26, "d": 34}


def test_the_length_in_seconds_is_exact() -> None:
    film = Timeline(Fraction(24000, 1001), SIZE, (clip("a", 24),))

    assert film.seconds == Fraction(1001, 1000)


@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=8),
    kinds=st.lists(st.sampled_from(list(TRANSITIONS)), min_size=8, max_size=8),
    transitions=st.lists(st.integers(1, 20), min_size=8, max_size=8),
)
def test_every_frame_of_every_shot_is_in_exactly_one_piece(
    lengths: list[int], kinds: list[str], transitions: list[int]
) -> None:
    clips = [
        clip(str(index), frames, kind, 0 if kind == "cut" else length)
        for index, (frames, kind, length) in enumerate(zip(lengths, kinds, transitions, strict=False))
    ]
    try:
        film = timeline(*clips)
    except BadInput:
        assume(False)

    for each in film.clips:
        spans = [span for piece in film.pieces() for span in piece.spans if span.clip == each]
        assert [frame for span in spans for frame in range(span.start, span.stop)] == list(range(each.frames))


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        (
            (clip("a", 90), clip("dock-03", 18, "crossfade", 24)),
            "shot 'dock-03': transition of 24 frames exceeds its 18-frame shot; use at most 17",
        ),
        (
            (clip("a", 18), clip("b", 90, "crossfade", 24)),
            "shot 'b': transition of 24 frames exceeds the 18-frame shot 'a' before it; use at most 17",
        ),
        (
            (clip("a", 90), clip("b", 18, "crossfade", 6), clip("c", 90, "crossfade", 12)),
            "shot 'c': transition of 12 frames exceeds what the 18-frame shot 'b' has left after 6 for its own;"
            " use at most 11",
        ),
        (
            (clip("a", 90), clip("b", 4, "dip", 10)),
            "shot 'b': transition of 10 frames exceeds its 4-frame shot; use at most 6",
        ),
        (
            (clip("a", 90), clip("b", 1, "crossfade", 10**12)),
            "shot 'b': transition of 1000000000000 frames exceeds its 1-frame shot; use a cut",
        ),
        (
            (clip("a", 90, "crossfade", 4),),
            "shot 'a': crossfade into the first shot has nothing to come from; use cut, or dip for a fade from black",
        ),
        ((clip("a", 9), clip("b", 9, "cut", 3)), "shot 'b': a cut takes no frames, not 3; use 0"),
        ((clip("a", 9), clip("b", 9, "dip", 0)), "shot 'b': dip of 0 frames; use at least 1, or cut"),
        ((clip("a", 9), clip("a", 9)), "shot 'a' is on the timeline twice; give each a name of its own"),
        ((clip("a", 0),), "shot 'a': 0 frames; use at least 1"),
        (
            (clip("a", 9), clip("b", 9, "wipe", 3)),
            f"shot 'b': transition 'wipe' does not exist; use one of {', '.join(TRANSITIONS)}",
        ),
        (
            (Clip("a", 9, "orbit"),),
            f"shot 'a': motion 'orbit' does not exist; use one of {', '.join(MOTIONS)}",
        ),
        ((), "the timeline has no shots; give it at least one"),
    ],
)
def test_a_timeline_that_cannot_be_shown_says_what_to_do(clips: tuple[Clip, ...], message: str) -> None:
    with pytest.raises(BadInput, match=f"^{re.escape(message)}$"):
        timeline(*clips)


def test_the_longest_transition_that_an_error_names_fits() -> None:
    film = timeline(clip("a", 90), clip("dock-03", 18, "crossfade", 17))

    assert film.frame_count == 91


@pytest.mark.parametrize("fps", [Fraction(0), Fraction(-24), Fraction(10_000)])
def test_an_fps_that_no_film_has_is_refused(fps: Fraction) -> None:
    with pytest.raises(BadInput, match=f"fps {fps} is not between"):
        Timeline(fps, SIZE, (clip("a", 9),))


def test_an_fps_that_mp4_cannot_time_is_refused_with_the_nearest_that_it_can() -> None:
    with pytest.raises(BadInput, match=r"use 24$"):
        Timeline(24 + Fraction(1, 10**9), SIZE, (clip("a", 9),))


def test_an_odd_size_is_refused_with_the_even_size_beside_it() -> None:
    with pytest.raises(BadInput, match=r"size 1023x575: .* use 1024x576"):
        Timeline(FPS, (1023, 575), (clip("a", 9),))
