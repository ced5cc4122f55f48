"""What is heard when: effects, tracks and the crowd on the film's clock, and their mix, a block at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from undercard.errors import BadInput
from undercard.film.sound import synthesis
from undercard.film.sound.sound_file import Reader
from undercard.film.sound.synthesis import RATE, Mono, Wave, sound_kind

REVISION = 1
"""Raised whenever the same score would give other samples; part of the key of a cached mix."""
BLOCK = 4 * RATE
"""Samples that are mixed at once: however long the film, no more of it is held."""
CROWD_DB = -25.0
"""Of the murmur below a punch, peak to peak: it is there when nothing else is, and under everything."""
CROWD_IN, CROWD_OUT = 1.0, 1.5
"""Seconds in which the hall comes up at the film's start and is gone at its end."""
SWELL_DB = 14.0
"""The crowd never lifts itself by more, however many punches follow each other."""
REACTION, RISE, CALM = 0.18, 0.25, 1.6
"""Seconds until a crowd answers a punch, until it has, and until most of that is gone."""
DUCK_IN, DUCK_HOLD, DUCK_OUT = 0.03, 0.2, 0.45
"""Seconds in which music makes way for an effect, stays low, and comes back."""


@dataclass(frozen=True, slots=True)
class Effect:
    """A sound on a frame of the film."""

    sound: str
    """A name in `synthesis.SOUNDS`."""
    frame: int
    gain_db: float = 0.0


@dataclass(frozen=True, slots=True)
class Track:
    """A stretch of a sound file in the film."""

    file: Path
    sha256: str
    start: int
    """The film's frame on which it begins."""
    stop: int
    """The frame before which it ends."""
    skip_seconds: Fraction = Fraction(0)
    """How much of the file's beginning is left out."""
    gain_db: float = 0.0
    fade_in: int = 0
    """Frames."""
    fade_out: int = 0
    duck_db: float = 0.0
    """How far it makes way for effects."""
    loop: bool = False
    """Begin again when the file ends before *stop*."""


@dataclass(frozen=True, slots=True)
class CueSheet:
    """Everything that a film lets be heard.

    Raises:
        BadInput: an effect or a track lies outside the film, or there is no such sound.
    """

    fps: Fraction
    frame_count: int
    effects: tuple[Effect, ...] = ()
    tracks: tuple[Track, ...] = ()
    crowd_db: float | None = None
    """Gain of the crowd; None for none."""

    def __post_init__(self) -> None:
        for effect in self.effects:
            sound_kind(effect.sound)
            if not 0 <= effect.frame < self.frame_count:
                last = self.frame_count - 1
                raise BadInput(f"sound {effect.sound!r} on frame {effect.frame}: the film has frames 0…{last}")
        for track in self.tracks:
            if not 0 <= track.start < track.stop <= self.frame_count:
                raise BadInput(
                    f"track {track.file.name}: frames {track.start}…{track.stop} are not within the film's"
                    f" {self.frame_count}; give it a start before its stop, both in the film"
                )

    @property
    def silent(self) -> bool:
        """Nothing is ever heard."""
        return not self.effects and not self.tracks and self.crowd_db is None

    @property
    def samples(self) -> int:
        """Length of the film in samples, to the nearest one."""
        return self.sample(self.frame_count)

    def sample(self, frame: int) -> int:
        """Return the sample on which *frame* begins. Each is reckoned from the film's start, so that none drifts."""
        return round(frame / self.fps * RATE)


@dataclass(frozen=True, slots=True)
class _Placed:
    effect: Effect
    start: int
    hit: int
    """The sample of its frame, which for some sounds lies after their start."""
    wave: Wave


def mix(score: CueSheet) -> Iterator[Wave]:
    """Yield the mix in order, in blocks of at most `BLOCK` samples, shape (samples, 2), not yet levelled.

    Raises:
        UnreadableSound: a track's file cannot be decoded.
    """
    placed = _placed(score)
    with ExitStack() as stack:
        readers = [stack.enter_context(Reader(track.file, track.skip_seconds, track.loop)) for track in score.tracks]
        for start in range(0, score.samples, BLOCK):
            stop = min(start + BLOCK, score.samples)
            block = np.zeros((stop - start, 2), np.float32)
            near = [each for each in placed if each.start - RATE < stop and start - 12 * RATE < each.hit]
            for each in near:
                _add(block, start, each)
            if score.crowd_db is not None:
                block += _crowd(score, start, stop, near)
            for track, reader in zip(score.tracks, readers, strict=True):
                _add_track(block, start, score, track, reader, near)
            yield block


def _placed(score: CueSheet) -> list[_Placed]:
    heard: list[_Placed] = []
    for number, effect in enumerate(sorted(score.effects, key=lambda each: each.frame)):
        hit = score.sample(effect.frame)
        lead = sound_kind(effect.sound).lead_samples
        heard.append(_Placed(effect, hit - lead, hit, synthesis.wave(effect.sound, number % synthesis.VARIANTS)))
    return heard


def _add(block: Wave, start: int, each: _Placed) -> None:
    first, last = max(each.start, start), min(each.start + len(each.wave), start + len(block))
    if first < last:
        gain = np.float32(_linear(each.effect.gain_db))
        block[first - start : last - start] += gain * each.wave[first - each.start : last - each.start]


def _crowd(score: CueSheet, start: int, stop: int, near: list[_Placed]) -> Wave:
    assert score.crowd_db is not None
    loop = synthesis.crowd()
    samples = np.arange(start, stop)
    time = samples / RATE
    lift = np.zeros(stop - start)
    for each in near:
        since = time - each.hit / RATE - REACTION
        answer = np.clip(since / RISE, 0.0, 1.0) * np.exp(-np.maximum(since - RISE, 0.0) / CALM)
        lift += sound_kind(each.effect.sound).excites * answer
    lift = SWELL_DB * np.tanh(lift / SWELL_DB)
    ends = np.clip(time / CROWD_IN, 0.0, 1.0) * np.clip((score.samples / RATE - time) / CROWD_OUT, 0.0, 1.0)
    gain = ends * 10.0 ** ((score.crowd_db + CROWD_DB + lift) / 20.0)
    murmur: Wave = (loop[samples % len(loop)] * gain[:, None]).astype(np.float32)
    return murmur


def _add_track(block: Wave, start: int, score: CueSheet, track: Track, reader: Reader, near: list[_Placed]) -> None:
    begin, end = score.sample(track.start), score.sample(track.stop)
    first, last = max(begin, start), min(end, start + len(block))
    if first >= last:
        return
    time = np.arange(first, last) / RATE
    gain_db = track.gain_db - track.duck_db * _ducked(time, near)
    gain = 10.0 ** (gain_db / 20.0)
    if track.fade_in:
        gain *= np.clip((time - begin / RATE) / float(track.fade_in / score.fps), 0.0, 1.0)
    if track.fade_out:
        gain *= np.clip((end / RATE - time) / float(track.fade_out / score.fps), 0.0, 1.0)
    block[first - start : last - start] += (reader.read(last - first) * gain[:, None]).astype(np.float32)


def _ducked(time: Mono, near: list[_Placed]) -> Mono:
    """Return how far music has made way at each *time*, 0…1; it begins a moment early, as a mixer who knows does."""
    share = np.zeros_like(time)
    for each in near:
        since = time - each.hit / RATE
        down = np.clip(1.0 + since / DUCK_IN, 0.0, 1.0)
        back = np.clip(1.0 - (since - DUCK_HOLD) / DUCK_OUT, 0.0, 1.0)
        np.maximum(share, down * back, out=share)
    return share


def _linear(gain_db: float) -> float:
    return float(10.0 ** (gain_db / 20.0))
