from __future__ import annotations

import io
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from undercard.errors import UnreadableImage
from undercard.film.sheet import preview


def grey(number: int) -> int:
    return 101 * number % 256


def stills(folder: Path, count: int) -> list[Path]:
    """Write *count* pictures, each of a grey far from its neighbours': WebP makes one of what looks the same."""
    paths = [folder / f"{number}.png" for number in range(count)]
    for number, path in enumerate(paths):
        Image.new("RGB", (64, 36), (grey(number),) * 3).save(path)
    return paths


def pictures(encoded: bytes) -> NDArray[np.uint8]:
    return np.stack(list(iio.imiter(encoded, extension=".webp", plugin="pillow")))


def test_a_preview_shows_every_shot_for_as_long_and_begins_again(tmp_path: Path) -> None:
    encoded = preview.animated(stills(tmp_path, 5), (64, 36))

    frames = pictures(encoded)
    assert frames.shape == (5, 36, 64, 3)
    assert frames.mean((1, 2, 3)) == pytest.approx([grey(number) for number in range(5)], abs=2)
    with Image.open(io.BytesIO(encoded)) as picture:
        assert picture.info["loop"] == 0
        picture.seek(1)
        picture.load()
        assert picture.info["duration"] == preview.PICTURE_MS


def test_the_same_stills_give_the_same_bytes(tmp_path: Path) -> None:
    paths = stills(tmp_path, 3)

    assert preview.animated(paths, (64, 36)) == preview.animated(paths, (64, 36))


def test_a_long_film_is_shown_from_its_first_shot_to_its_last_stretch(tmp_path: Path) -> None:
    frames = pictures(preview.animated(stills(tmp_path, 60), (64, 36)))

    assert len(frames) == preview.MOST_PICTURES
    assert frames[[0, 20, 39]].mean((1, 2, 3)) == pytest.approx([grey(0), grey(30), grey(58)], abs=2)


def test_a_preview_stays_small_whatever_it_shows(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 600, 600, 3), dtype=np.uint8)
    paths = [tmp_path / f"{number}.png" for number in range(len(noise))]
    for path, pixels in zip(paths, noise, strict=True):
        Image.fromarray(pixels).save(path, compress_level=0)

    encoded = preview.animated(paths, (600, 600))

    assert len(encoded) <= preview.MOST_BYTES
    with Image.open(io.BytesIO(encoded)) as picture:
        assert (picture.size, picture.n_frames) == ((480, 480), 40)  # type: ignore[attr-defined]


def test_a_still_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImage, match=r"gone\.png"):
        preview.animated([tmp_path / "gone.png"], (64, 36))
