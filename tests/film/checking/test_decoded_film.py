"""A film of every motion and every transition, encoded, joined, decoded, and held against its timeline."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.film.footage import decoded, saved
from undercard.film.base.pixels import Pixels
from undercard.film.base.timing import Freeze, Moment, Speed, Timing
from undercard.film.checking.qc import check
from undercard.film.encoding.segments import encode, join, piece_frames
from undercard.film.motion.footage import Still
from undercard.film.motion.motions import CLIP, MOTIONS, frames
from undercard.film.motion.reel import Reel
from undercard.film.motion.transitions import TRANSITIONS, transition_kind
from undercard.film.timeline.timeline import Clip, Span, Timeline, Transition

SIZE = (128, 72)
FRAMES = 24
FALLS = (0, 10, 22)
CODEC = 3.0
"""Mean grey levels by which a decoded frame may differ: 8 bits, halved colour, rate factor 17."""


def pattern(seed: int, shift: float) -> Pixels:
    """A soft grey texture, moved to the right by *shift* px; colour would lose half of its pixels in yuv420p."""
    random = np.repeat(np.random.default_rng(seed).integers(20, 235, (12, 40, 1), np.uint8), 3, axis=2)
    wide = Image.fromarray(random).resize((SIZE[0] * 2, SIZE[1]), Image.Resampling.BICUBIC)
    left = 40 - shift
    return np.asarray(wide.resize(SIZE, Image.Resampling.BICUBIC, box=(left, 0, left + SIZE[0], SIZE[1])))


class Studio:
    """One shot for each transition, with the motions in turn; `pose` is drawn, in real and in slow time."""

    def __init__(self, folder: Path) -> None:
        slow = Timing(0, (Speed(0, Fraction(1)), Speed(10, Fraction(1, 2))), (Freeze(10, 4),))
        names = list(MOTIONS)
        clips = []
        for number, (name, kind) in enumerate(TRANSITIONS.items()):
            length = 0 if kind.instant else 6
            motion = names[number % len(names)]
            timing = slow if number >= len(names) or motion == "flow" else Timing()
            clips.append(Clip(f"{motion}-{number}", FRAMES, motion, Transition(name, length), timing=timing))
        self.timeline = Timeline(Fraction(24), SIZE, tuple(clips))
        self.stills = {
            clip.shot: [
                Still(fall, saved(folder / f"{clip.shot}-{fall}.png", pattern(number, fall / 2))) for fall in FALLS
            ]
            for number, clip in enumerate(clips)
        }
        self.reels = {
            clip.shot: [reel(folder, number, *ends) for ends in pairwise(FALLS)] if clip.motion == CLIP else []
            for number, clip in enumerate(clips)
        }

    def shoot(self, span: Span) -> Iterator[Pixels]:
        clip = span.clip
        seed = [each.shot for each in self.timeline.clips].index(clip.shot)

        def draw(moment: Moment) -> Pixels:
            return pattern(seed, float(moment) / 2)

        stills, reels = self.stills[clip.shot], self.reels[clip.shot]
        return frames(clip.motion, stills, SIZE, FRAMES, draw, span.start, span.stop, clip.timing, reels)


def reel(folder: Path, seed: int, start: int, stop: int) -> Reel:
    """Save what a video model would make between two keyframes: nine frames of the same movement."""
    shifts = [(start + (stop - start) * index / 8) / 2 for index in range(9)]
    return Reel(tuple(saved(folder / f"{seed}-{shift}.png", pattern(seed, shift)) for shift in shifts))


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    return Studio(tmp_path_factory.mktemp("stills"))


@pytest.fixture(scope="module")
def film(studio: Studio, tmp_path_factory: pytest.TempPathFactory) -> list[Pixels]:
    folder = tmp_path_factory.mktemp("film")
    segments = []
    for number, piece in enumerate(studio.timeline.pieces()):
        path = folder / f"{number}.mp4"
        encode(piece_frames(piece, studio.shoot), path, SIZE, Fraction(24), piece.frame_count)
        segments.append(path)
    join(segments, folder / "film.mp4")
    check(folder / "film.mp4", studio.timeline)
    return decoded(folder / "film.mp4")


def apart(a: Pixels, b: Pixels) -> float:
    return float(np.abs(a.astype(int) - b).mean())


def own_frames(timeline: Timeline) -> Iterator[tuple[Clip, int, int]]:
    """Yield (clip, frame of the clip, frame of the film) for what no transition touches."""
    for clip, after in zip(timeline.clips, [*timeline.clips[1:], None], strict=True):
        head = transition_kind(clip.transition_in.kind).takes(clip.transition_in.frames)[1]
        tail = transition_kind(after.transition_in.kind).takes(after.transition_in.frames)[0] if after else 0
        for frame in range(head, clip.frames - tail):
            yield clip, frame, timeline.starts()[clip.shot] + frame


def test_every_motion_and_transition_is_in_the_film(studio: Studio) -> None:
    assert {clip.motion for clip in studio.timeline.clips} == set(MOTIONS)
    assert {clip.transition_in.kind for clip in studio.timeline.clips} == set(TRANSITIONS)


def test_every_frame_between_transitions_is_the_shots_own_of_that_number(studio: Studio, film: list[Pixels]) -> None:
    assert len(film) == studio.timeline.frame_count
    whole = {clip.shot: list(studio.shoot(Span(clip, 0, FRAMES))) for clip in studio.timeline.clips}

    for clip, frame, shown in own_frames(studio.timeline):
        assert apart(film[shown], whole[clip.shot][frame]) < CODEC, (clip.shot, frame)


@pytest.mark.parametrize("name", [name for name, kind in TRANSITIONS.items() if not kind.instant])
def test_a_transition_goes_from_the_one_shot_to_the_other_without_a_jump_or_a_stop(
    name: str, studio: Studio, film: list[Pixels]
) -> None:
    clip = next(each for each in studio.timeline.clips if each.transition_in.kind == name)
    before = studio.timeline.clips[studio.timeline.clips.index(clip) - 1]
    outgoing, _ = transition_kind(name).takes(clip.transition_in.frames)
    overlaps = transition_kind(name).overlaps
    first = studio.timeline.starts()[clip.shot] - (0 if overlaps else outgoing)
    last = first + clip.transition_in.frames

    steps = [apart(a, b) for a, b in pairwise(film[first - 1 : last + 1])]

    # Every frame brings something new, and none brings it all: a cut between these shots is a step of about 60.
    assert min(steps) > 1.0
    cut = apart(next(studio.shoot(Span(before, FRAMES - 1, FRAMES))), next(studio.shoot(Span(clip, 6, 7))))
    # A whip pan turns the whole picture, and a dip goes by way of black or white, which may be far from both.
    longest = {"flash": 3.0, "dip_white": 1.2, "dip": 1.2, "whip_left": 0.85, "whip_right": 0.85}.get(name, 0.75)
    assert max(steps) < longest * cut


def test_no_frame_repeats_but_what_stands_still_or_is_held_on_twos(studio: Studio, film: list[Pixels]) -> None:
    for clip, frame, shown in own_frames(studio.timeline):
        moment, earlier = clip.timing.moment(frame), clip.timing.moment(frame - 1) if frame else -1
        still = clip.motion in ("hold", "pose")
        resting = clip.motion in ("flow", "crossfade", "clip") and (moment == earlier or moment > FALLS[-1])
        # An eased camera hardly moves in its first and last frames.
        eased = clip.motion.startswith(("push", "pull", "pan")) and not 5 <= frame < FRAMES - 5
        if frame and not (still or resting or eased):
            assert apart(film[shown], film[shown - 1]) > 0.05, (clip.shot, frame)
