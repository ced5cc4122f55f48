"""Loudness: a score's mix, levelled for the ear and encoded.

Measured first, then amplified as a whole: the quiet stays quiet. ffmpeg's `loudnorm` would do both, but where the
peaks do not fit under its ceiling (and those of punches do not) it changes, without a word, to riding the gain, and
the crowd pumps. Here such peaks alone are held down, and what comes out is measured again.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from undercard.errors import EncodingFailed
from undercard.film.base import ffmpeg
from undercard.film.sound.cue_sheet import CueSheet, mix
from undercard.film.sound.synthesis import Wave

REVISION = 1
"""Raised whenever the same mix would give other bytes; part of the key of a cached sound."""
TARGET_LUFS = -16.0
"""What players on the net bring films to (AES TD1008)."""
CEILING_DBTP = -1.5
WITHIN_LU = 0.3
SILENCE_LUFS = -60.0
"""A mix below it is taken for silence, which no gain should lift: there is only noise in it."""
ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Loudness:
    """What EBU R128 measures."""

    lufs: float
    """Integrated; -inf for silence, and for what is too short to be measured."""
    true_peak_dbtp: float

    @property
    def audible(self) -> bool:
        """There is something to hear, for long enough to be measured."""
        return self.lufs > SILENCE_LUFS


def write(score: CueSheet, path: Path) -> Loudness:
    """Mix *score*, bring it to `TARGET_LUFS` below `CEILING_DBTP`, encode it to *path* and return what it then is.

    Raises:
        UnreadableSound: a track's file cannot be decoded.
        EncodingFailed: ffmpeg stopped with an error.
    """
    before = measure_mix(mix(score))
    gain = TARGET_LUFS - before.lufs if before.audible else 0.0
    ceiling = CEILING_DBTP - 0.3
    # Holding peaks down takes loudness, and encoding moves peaks by some tenths: both are made up for.
    for _ in range(ROUNDS):
        _encode(score, path, gain, ceiling)
        after = measure(path)
        over = max(0.0, after.true_peak_dbtp - CEILING_DBTP)
        short = TARGET_LUFS - after.lufs if after.audible else 0.0
        if over == 0.0 and abs(short) <= WITHIN_LU:
            break
        gain += short
        ceiling -= over + 0.1 if over else 0.0
    return after


def measure(path: Path) -> Loudness:
    """Return the loudness of the sound in the file at *path*.

    Raises:
        EncodingFailed: it cannot be decoded.
    """
    with tempfile.TemporaryDirectory() as folder:
        stats = Path(folder) / "stats.json"
        with ffmpeg.running(ffmpeg.measure_command(stats, path), f"cannot measure the sound of {path.name}"):
            pass
        return _read(stats)


def measure_mix(blocks: Iterable[Wave]) -> Loudness:
    """Return the loudness of a mix.

    Raises:
        EncodingFailed: ffmpeg stopped with an error.
    """
    with tempfile.TemporaryDirectory() as folder:
        stats = Path(folder) / "stats.json"
        with ffmpeg.running(ffmpeg.measure_command(stats), "cannot measure the sound") as stdin:
            for block in blocks:
                stdin.write(block.tobytes())
        return _read(stats)


def _encode(score: CueSheet, path: Path, gain_db: float, ceiling_db: float) -> None:
    command = ffmpeg.level_command(path, gain_db, ceiling_db, score.samples)
    with ffmpeg.running(command, "cannot encode the sound") as stdin:
        for block in mix(score):
            stdin.write(block.tobytes())


def _read(stats: Path) -> Loudness:
    try:
        found = json.loads(stats.read_text("utf-8"))
        lufs, peak = float(found["input_i"]), float(found["input_tp"])
    except (OSError, ValueError, KeyError) as exc:
        raise EncodingFailed(f"ffmpeg measured no loudness: {exc}; make the film again") from exc
    # With nothing to measure, the filter says 0 of some builds, and -inf or -70 of others.
    return Loudness(lufs if math.isfinite(lufs) and -70 < lufs < 0 else -math.inf, peak)
