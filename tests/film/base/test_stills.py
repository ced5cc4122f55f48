"""Reading a keyframe's picture, and fitting it to the film's frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.film.footage import grey, saved
from undercard.errors import UnreadableImage
from undercard.film.base.pixels import Pixels
from undercard.film.base.stills import Place, fitted, fitted_opener, open_still, opener


def columns(width: int = 8, height: int = 4) -> Pixels:
    """Return a picture whose every pixel tells its column in red and its row in green."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([10 * x, 10 * y, np.zeros_like(x)], axis=-1).astype(np.uint8)


@pytest.mark.parametrize(("place", "left"), [((0.5, 0.5), 2), ((0.0, 0.5), 0), ((1.0, 0.5), 4), ((0.25, 0.5), 1)])
def test_a_wider_picture_is_cropped_at_its_place_and_no_pixel_changes(place: Place, left: int) -> None:
    shown = fitted(Image.fromarray(columns()), (4, 4), place=place)

    assert np.array_equal(shown, columns()[:, left : left + 4])


def test_a_taller_picture_is_cropped_above_and_below_alike() -> None:
    assert np.array_equal(fitted(Image.fromarray(columns(4, 8)), (4, 4)), columns(4, 8)[2:6])


@pytest.mark.parametrize(
    ("place", "left", "top"), [((0.0, 0.0), 0, 0), ((1.0, 1.0), 4, 4), ((0.5, 0.5), 2, 2), ((1.0, 0.0), 4, 0)]
)
def test_twice_the_magnification_shows_half_of_each_side(place: Place, left: int, top: int) -> None:
    shown = fitted(Image.fromarray(columns(8, 8)), (4, 4), 2.0, place)

    assert np.array_equal(shown, columns(8, 8)[top : top + 4, left : left + 4])


def test_a_window_half_a_pixel_on_shows_what_lies_halfway() -> None:
    # Of 5 columns the window has 4, and a place of 1/2 begins it at half a pixel.
    shown = fitted(Image.fromarray(columns(5, 4)), (4, 4))

    assert shown[:, 1:3, 0] == pytest.approx(np.broadcast_to((15, 25), (4, 2)), abs=1)


def test_a_window_that_rounding_puts_a_hair_outside_the_picture_is_moved_in() -> None:
    # A seventh of 29 px times seven is more than 29 by the last bit of a float, and Pillow refuses what is outside.
    assert 29 / 7 * 7 > 29

    assert (fitted(Image.fromarray(grey(77, (29, 21))), (7, 5)) == 77).all()


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK"])
def test_a_still_of_any_mode_is_opened_in_rgb(tmp_path: Path, mode: str) -> None:
    Image.new("RGB", (8, 4), (204, 204, 204)).convert(mode).save(tmp_path / "a.tiff")

    still = open_still(tmp_path / "a.tiff")

    assert (still.mode, still.size, still.getpixel((3, 2))) == ("RGB", (8, 4), (204, 204, 204))


def test_a_still_that_is_missing_or_no_picture_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")

    for name in ("gone.png", "text.png"):
        with pytest.raises(UnreadableImage, match=rf"{name} cannot be decoded: .*; render the shot again"):
            open_still(tmp_path / name)


def test_a_still_is_read_once_while_it_shows(tmp_path: Path) -> None:
    one, two = (saved(tmp_path / f"{level}.png", grey(level)) for level in (10, 20))
    picture, pixels = opener(), fitted_opener((4, 4))
    first, fit, other = picture(one), pixels(one), pixels(two)

    one.unlink()
    two.unlink()

    assert picture(one) is first
    # The next one is read while this one still shows.
    assert pixels(one) is fit
    assert pixels(two) is other
    with pytest.raises(UnreadableImage):
        picture(two)
