"""What the motion `clip` shows: the stills on their frames, and the frames of clips evenly spread between them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from undercard.errors import BadInput, FilmError
from undercard.film.base.pixels import Pixels
from undercard.film.base.timing import Speed, Timing
from undercard.film.motion.footage import Still
from undercard.film.motion.motions import frames
from undercard.film.motion.reel import Reel, running

SIZE = (96, 54)


def scene(x: float, grey: int = 100) -> Pixels:
    """A bright disc at *x* px from the left over a floor with a texture that holds still."""
    texture = np.random.default_rng(0).integers(-12, 13, (SIZE[1], SIZE[0], 1))
    picture = np.clip(np.full((SIZE[1], SIZE[0], 3), grey) + texture, 0, 255).astype(np.float64)
    rows, columns = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    cover = np.clip(9.5 - np.hypot(rows - 27, columns - x), 0, 1)[..., None]
    return np.asarray(np.rint(picture * (1 - cover) + np.array([250, 60, 40]) * cover), np.uint8)


def middle(picture: Pixels) -> float:
    """Return where the disc is, px from the left."""
    redness = np.clip(picture[..., 0].astype(float) - picture[..., 1] - 60, 0, None).sum(axis=0)
    return float((redness * np.arange(SIZE[0])).sum() / redness.sum())


def saved(path: Path, picture: Pixels) -> Path:
    Image.fromarray(picture).save(path)
    return path


@pytest.fixture
def stills(tmp_path: Path) -> tuple[Still, Still]:
    """The disc on the left on frame 0, and on the right on frame 24."""
    return Still(0, saved(tmp_path / "a.png", scene(20))), Still(24, saved(tmp_path / "b.png", scene(68)))


@pytest.fixture
def reel(tmp_path: Path) -> Reel:
    """Seventeen frames: 16 a second, where the disc goes 3 px from each to the next."""
    return Reel(tuple(saved(tmp_path / f"clip{n}.png", scene(20 + 3 * n)) for n in range(17)))


def test_a_clip_of_16_frames_a_second_moves_evenly_at_24(stills: tuple[Still, ...], reel: Reel) -> None:
    shown = list(frames("clip", stills, SIZE, 30, None, 0, 30, reels=[reel]))

    assert len(shown) == 30
    places = [middle(picture) for picture in shown[:25]]
    assert places == pytest.approx([20 + 2 * frame for frame in range(25)], abs=0.35)
    # Even: no frame repeats, and none jumps.
    assert np.diff(places) == pytest.approx(np.full(24, 2.0), abs=0.5)


def test_keyframes_show_on_their_own_frames_and_the_last_one_stays(stills: tuple[Still, ...], reel: Reel) -> None:
    shown = list(frames("clip", stills, SIZE, 30, None, 0, 30, reels=[reel]))

    assert np.array_equal(shown[0], scene(20))
    assert all(np.array_equal(picture, scene(68)) for picture in shown[24:])


def test_every_third_frame_is_a_frame_of_the_clip_itself(stills: tuple[Still, ...], reel: Reel) -> None:
    shown = list(frames("clip", stills, SIZE, 30, None, 0, 30, reels=[reel]))

    for frame in range(3, 24, 3):
        assert np.array_equal(shown[frame], scene(20 + 2 * frame))


def test_slow_motion_shows_moments_between_the_frames_of_the_clip(stills: tuple[Still, ...], reel: Reel) -> None:
    half = Timing(0, (Speed(0, Fraction(1, 2)),))
    shown = list(frames("clip", stills, SIZE, 49, None, 0, 49, half, [reel]))

    assert [middle(shown[frame]) for frame in range(49)] == pytest.approx([20 + frame for frame in range(49)], abs=0.5)
    assert np.array_equal(shown[48], scene(68))


def test_the_light_of_a_clip_is_brought_to_that_of_its_stills(tmp_path: Path) -> None:
    # As a model drifts: seven code values darker at its beginning, and five brighter at its end.
    drift = Reel(
        tuple(saved(tmp_path / f"d{n}.png", scene(20 + 6 * n, 93 + round(1.5 * n))) for n in range(9)),
    )
    at = running(drift, scene(20), scene(68), SIZE)

    corner = [float(at(n / 8)[:10, -20:].mean()) for n in range(9)]
    assert corner == pytest.approx([corner[0]] * 9, abs=1.6)
    assert corner[0] == pytest.approx(float(scene(20)[:10, -20:].mean()), abs=1.0)


def test_where_two_keyframes_are_one_picture_it_stands(stills: tuple[Still, ...]) -> None:
    same = (stills[0], Still(24, stills[0].path))

    shown = list(frames("clip", same, SIZE, 30, None, 0, 30, reels=[None]))

    assert all(np.array_equal(picture, scene(20)) for picture in shown)


def test_a_clip_that_was_not_made_is_an_error_and_no_still_picture(stills: tuple[Still, ...]) -> None:
    with pytest.raises(FilmError, match="0 clips for 2 keyframes"):
        next(frames("clip", stills, SIZE, 30, None, 0, 30))


def test_one_frame_is_no_clip(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="a clip of 1 frames"):
        Reel((tmp_path / "one.png",))
