"""Masters: every bit of every frame, and what is delivered from them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.film.footage import decoded
from undercard.errors import BadFilm
from undercard.film.base.pixels import Pixels
from undercard.film.encoding import delivery, lossless
from undercard.film.encoding.delivery_presets import PRESETS
from undercard.film.encoding.segments import encode, join

SIZE = (128, 72)
FPS = Fraction(24)


def drawn(start: int, stop: int) -> list[Pixels]:
    """Noise under a ramp of colours: what any encoder that loses something loses something of."""
    ramp = np.linspace(0, 255, SIZE[0])[None, :, None] * np.array([1.0, 0.4, 0.7])
    frames = []
    for number in range(start, stop):
        noise = np.random.default_rng(number).normal(0, 6, (SIZE[1], SIZE[0], 3))
        frames.append(np.clip(np.roll(ramp, number, axis=1) + noise, 0, 255).astype(np.uint8))
    return frames


def apart(shown: list[Pixels], wanted: list[Pixels]) -> float:
    return float(np.mean([np.abs(a.astype(int) - b).mean() for a, b in zip(shown, wanted, strict=True)]))


def test_frames_pass_as_they_are_and_come_back_bit_for_bit_in_order(tmp_path: Path) -> None:
    halves = [drawn(0, 7), drawn(7, 12)]
    paths = [tmp_path / "a.mkv", tmp_path / "b.mkv"]
    for frames, path in zip(halves, paths, strict=True):
        passed = list(lossless.kept(frames, path, SIZE, FPS))
        assert all(a is b for a, b in zip(passed, frames, strict=True))

    found = list(lossless.frames(paths))

    assert all(np.array_equal(a, b) for a, b in zip(found, [*halves[0], *halves[1]], strict=True))


def test_the_same_frames_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.mkv", "b.mkv"):
        list(lossless.kept(drawn(0, 5), tmp_path / name, SIZE, FPS))

    assert (tmp_path / "a.mkv").read_bytes() == (tmp_path / "b.mkv").read_bytes()


def test_a_master_that_is_damaged_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.mkv").write_bytes(b"none")

    with pytest.raises(BadFilm, match=r"a\.mkv cannot be decoded: .*; render the film again"):
        list(lossless.frames([tmp_path / "a.mkv"]))


@pytest.mark.parametrize("name", ["hevc", "prores"])
def test_what_is_delivered_from_masters_has_lost_less_than_what_is_encoded_twice(tmp_path: Path, name: str) -> None:
    frames = drawn(0, 16)
    encode(lossless.kept(frames, tmp_path / "a.mkv", SIZE, FPS), tmp_path / "a.mp4", SIZE, FPS, 16)
    join([tmp_path / "a.mp4"], tmp_path / "film.mp4")
    preset = PRESETS[name]

    once, twice = tmp_path / f"once{preset.suffix}", tmp_path / f"twice{preset.suffix}"
    delivery.deliver(tmp_path / "film.mp4", once, preset, masters=[tmp_path / "a.mkv"])
    delivery.deliver(tmp_path / "film.mp4", twice, preset)

    assert apart(decoded(once), frames) < 0.95 * apart(decoded(twice), frames)
