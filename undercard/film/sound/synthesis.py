"""The sounds of a fight, made with numpy: the same bytes every time, and nobody's licence on them.

To add one, write a function and its row in `SOUNDS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from undercard.errors import BadInput

RATE = 48_000
"""Samples a second: what film and video use (AES5)."""
VARIANTS = 8
"""A sound heard twice in a row is never the same wave: ears notice a copy at once."""
CROWD_SECONDS = 12
"""Length of the loop that the crowd is."""

Wave: TypeAlias = NDArray[np.float32]
"""Left and right, shape (samples, 2), within ±1 unless told."""
Mono: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SoundKind:
    """A row of the table."""

    about: str
    """One line for people who write shot lists."""
    make: Callable[[np.random.Generator], Wave]
    lead_samples: int = 0
    """How long before its frame it begins."""
    excites: float = 0.0
    """How far it lifts the crowd, dB."""


def bell(random: np.random.Generator) -> Wave:
    """Return a ring's bell, struck once.

    The partials are those of a bell with a minor third: hum, prime, tierce, quint, nominal and two above (Rossing,
    The Physics of Musical Instruments, ch. 21); the higher, the sooner they are gone. Each is doubled a hair apart, as
    no casting is round: it beats.
    """
    time = _time(2.6)
    partials = (
        (0.5, 0.25, 1.9),
        (1.0, 0.5, 1.4),
        (1.2, 0.45, 1.0),
        (1.5, 0.2, 0.8),
        (2.0, 0.8, 0.7),
        (2.67, 0.4, 0.35),
    )
    ring = np.zeros_like(time)
    for ratio, loudness, seconds in (*partials, (3.01, 0.3, 0.2), (4.1, 0.25, 0.12)):
        for split in (0.9985, 1.0015):
            phase = random.uniform(0, 2 * np.pi)
            ring += loudness * np.exp(-time / seconds) * np.sin(2 * np.pi * 780 * ratio * split * time + phase)
    ring += _noise(random, time.size, 2_000, 9_000) * np.exp(-time / 0.004)
    return _stereo(random, _rounded(ring, 0.001), 0.9)


def thud(random: np.random.Generator) -> Wave:
    """Return a glove landing on a head: the slap of leather over a short drop in pitch."""
    return _blow(random, top=190, bottom=70, boom_seconds=0.07, slap=0.9, slap_hertz=3_200)


def body_blow(random: np.random.Generator) -> Wave:
    """Return a glove landing on ribs: deeper and longer, with less slap."""
    return _blow(random, top=130, bottom=48, boom_seconds=0.12, slap=0.45, slap_hertz=1_400)


def blocked(random: np.random.Generator) -> Wave:
    """Return glove on glove: all leather, hardly any body."""
    return 0.7 * _blow(random, top=240, bottom=130, boom_seconds=0.035, slap=1.0, slap_hertz=2_000)


def whoosh(random: np.random.Generator) -> Wave:
    """Return a fist through the air; loudest at its end, where the arm is fastest."""
    time = _time(0.22)
    rise = np.minimum(time / 0.13, 1.0) ** 2 * np.exp(-np.maximum(time - 0.13, 0) / 0.025)
    low, high = _noise(random, time.size, 300, 900), _noise(random, time.size, 900, 2_600)
    return _stereo(random, (low * 0.8 + high * rise) * rise, 0.35)


def fall(random: np.random.Generator) -> Wave:
    """Return a man falling on the canvas: two knocks on boards over a hollow floor, which rattles."""
    time = _time(1.0)
    boards = _drop(time, 80, 34, 0.22) + 0.5 * _late(_drop(time, 95, 40, 0.12), 0.13)
    rattle = _noise(random, time.size, 120, 900) * (np.exp(-time / 0.05) + 0.4 * _late(np.exp(-time / 0.09), 0.13))
    return _stereo(random, _rounded(boards + 0.6 * rattle, 0.002), 0.95)


def cheer(random: np.random.Generator) -> Wave:
    """Return a hall on its feet: whistles and shouts over a roar that takes a moment to come."""
    time = _time(4.5)
    swell = np.minimum(time / 0.7, 1.0) ** 2 * np.exp(-np.maximum(time - 1.4, 0) / 1.1)
    roar = _noise(random, time.size, 350, 2_800) * swell
    for _ in range(7):
        start, pitch = random.uniform(0.3, 2.0), random.uniform(1_500, 2_600)
        bend = pitch * (1 + 0.25 * np.sin(np.pi * np.clip((time - start) / 0.5, 0, 1)))
        loudness = np.exp(-(((time - start - 0.25) / 0.16) ** 2))
        roar += 0.06 * loudness * np.sin(2 * np.pi * np.cumsum(bend) / RATE)
    return _stereo(random, roar, 0.5, width=0.8)


SOUNDS: dict[str, SoundKind] = {
    "bell": SoundKind("the ring's bell, struck once", bell, excites=3.0),
    "thud": SoundKind("a glove lands on a head", thud, excites=4.0),
    "body": SoundKind("a glove lands on ribs", body_blow, excites=3.0),
    "block": SoundKind("a glove lands on gloves", blocked, excites=1.0),
    "whoosh": SoundKind("a fist through the air", whoosh, lead_samples=int(0.13 * RATE), excites=0.5),
    "fall": SoundKind("a man falls on the canvas", fall, excites=7.0),
    "cheer": SoundKind("the hall is on its feet", cheer, excites=6.0),
}


def sound_kind(name: str) -> SoundKind:
    """Return the sound called *name*.

    Raises:
        BadInput: there is no such sound.
    """
    if name not in SOUNDS:
        raise BadInput(f"sound {name!r} does not exist; use one of {', '.join(SOUNDS)}")
    return SOUNDS[name]


@lru_cache(maxsize=64)
def wave(name: str, variant: int) -> Wave:
    """Return a sound, of which there are `VARIANTS` that differ a little; never write into it."""
    made = sound_kind(name).make(np.random.default_rng([variant % VARIANTS, *name.encode()]))
    made.flags.writeable = False
    return made


@lru_cache(maxsize=1)
def crowd() -> Wave:
    """Return the murmur of a full hall, `CROWD_SECONDS` long, which goes on from its end to its beginning.

    Many voices, each a band of noise that swells and fades on its own; every band is made on a circle (by its
    spectrum), so that the loop has no seam.
    """
    random = np.random.default_rng(2_147)
    count = CROWD_SECONDS * RATE
    turn = np.arange(count) / count
    sides = np.stack([_noise(random, count, 120, 1_200), _noise(random, count, 120, 1_200)], axis=1) * 0.6
    for _ in range(18):
        centre = random.uniform(220, 1_500)
        voice = _noise(random, count, centre * 0.8, centre * 1.3)
        swells = random.integers(3, 3 * CROWD_SECONDS)
        voice *= 0.5 + 0.5 * np.sin(2 * np.pi * (swells * turn + random.uniform()))
        left = random.uniform()
        sides += 0.35 * voice[:, None] * np.sqrt([left, 1 - left])
    loop: Wave = (sides / np.abs(sides).max()).astype(np.float32)
    loop.flags.writeable = False
    return loop


def _blow(
    random: np.random.Generator, *, top: float, bottom: float, boom_seconds: float, slap: float, slap_hertz: float
) -> Wave:
    time = _time(0.5)
    off = random.uniform(0.92, 1.08)
    boom = _drop(time, top * off, bottom * off, boom_seconds)
    leather = _noise(random, time.size, 250, slap_hertz * off) * np.exp(-time / 0.014)
    air = _noise(random, time.size, 80, 500) * np.exp(-time / 0.05)
    # The hall answers once, softly.
    room = 0.12 * _late(leather + boom, 0.043)
    return _stereo(random, _rounded(boom + slap * leather + 0.25 * air + room, 0.0007), 0.95)


def _time(seconds: float) -> Mono:
    return np.arange(int(seconds * RATE)) / RATE


def _drop(time: Mono, top: float, bottom: float, seconds: float) -> Mono:
    """Return a tone that falls from *top* to *bottom* hertz while it fades within *seconds*."""
    pitch = bottom + (top - bottom) * np.exp(-time / 0.018)
    dropped: Mono = np.sin(2 * np.pi * np.cumsum(pitch) / RATE) * np.exp(-time / seconds)
    return dropped


def _noise(random: np.random.Generator, count: int, low: float, high: float) -> Mono:
    """Return noise between *low* and *high* hertz with a peak of 1, whose end meets its beginning."""
    hertz = np.fft.rfftfreq(count, 1 / RATE)
    # Two Butterworth slopes of the fourth order.
    shape = 1 / np.sqrt(1 + (np.maximum(hertz, 1.0) / high) ** 8) / np.sqrt(1 + (low / np.maximum(hertz, 1.0)) ** 8)
    noise: Mono = np.fft.irfft(np.fft.rfft(random.standard_normal(count)) * shape, count)
    noise /= np.abs(noise).max()
    return noise


def _late(wave: Mono, seconds: float) -> Mono:
    skip = int(seconds * RATE)
    return np.concatenate([np.zeros(skip), wave[:-skip]])


def _rounded(wave: Mono, attack_seconds: float) -> Mono:
    """Fade in over the attack and out over the last tenth: an edge would click."""
    count = max(1, int(attack_seconds * RATE))
    shaped = wave.copy()
    shaped[:count] *= np.linspace(0, 1, count, endpoint=False)
    tail = wave.size // 10
    shaped[-tail:] *= np.linspace(1, 0, tail)
    return shaped


def _stereo(random: np.random.Generator, mono: Mono, peak: float, width: float = 0.15) -> Wave:
    """Return *mono* with *peak*, a little off the middle."""
    shaped = _rounded(mono, 0.0005)
    shaped *= peak / np.abs(shaped).max()
    lean = 1 + width * random.uniform(-0.5, 0.5)
    return np.stack([shaped * min(1.0, lean), shaped * min(1.0, 2 - lean)], axis=1).astype(np.float32)
