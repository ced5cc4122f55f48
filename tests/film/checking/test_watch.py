from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.film.footage import SIZE, grey
from undercard.errors import BadFilm
from undercard.film.base.pixels import Pixels
from undercard.film.checking.qc import Ends, check_piece, check_seam, time_code
from undercard.film.checking.watch import Expected, Fault, Watch, faults
from undercard.film.encoding.segments import encode

FPS = Fraction(24)


def moving(count: int) -> list[Pixels]:
    """A bar that walks through a lit picture."""
    frames = []
    for frame in range(count):
        picture = grey(110).copy()
        picture[:, frame % 56 : frame % 56 + 8] = 190
        frames.append(picture)
    return frames


NOTHING = Expected()


def found(frames: Sequence[Pixels], expected: Expected = NOTHING) -> list[Fault]:
    watch = Watch(SIZE)
    for _ in watch.over(frames):
        pass
    return list(faults(watch.looks, expected, FPS))


def test_a_film_that_moves_has_no_fault() -> None:
    assert found(moving(60), Expected(moves=((0, 60),))) == []


def test_black_frames_are_found_where_they_begin() -> None:
    frames = moving(30)
    frames[12:15] = [grey(0)] * 3

    assert found(frames, Expected(flashes=True)) == [Fault(12, "3 black frames")]
    assert found(frames, Expected(black=True, flashes=True)) == []


def test_letters_on_a_black_card_are_no_black_frame() -> None:
    card = grey(0).copy()
    card[20:24, 20:40] = 230

    assert found([card] * 5) == []


def test_a_flash_of_one_or_two_frames_is_found_and_a_change_of_light_is_not() -> None:
    one, two, lit = moving(20), moving(20), moving(20)
    one[7] = grey(250)
    two[7:9] = [grey(250)] * 2
    lit[7:] = [grey(250)] * 13

    assert found(one) == [Fault(7, "a flash of 1 frame")]
    assert found(two) == [Fault(7, "a flash of 2 frames")]
    assert found(lit) == []


def test_a_picture_that_stands_is_found_only_where_it_should_move() -> None:
    frames = [*moving(20), *[moving(20)[-1]] * 30, *moving(10)]

    assert found(frames, Expected(moves=((0, 60),))) == [
        Fault(19, "a picture that stands for 31 frames where it should move")
    ]
    assert found(frames, Expected(moves=((0, 30), (48, 60)))) == []


def test_pictures_drawn_on_twos_do_not_stand_still() -> None:
    frames = [picture for picture in moving(30) for _ in range(2)]

    assert found(frames, Expected(moves=((0, 60),))) == []


def checked(tmp_path: Path, drawn: list[Pixels], encoded: list[Pixels] | None = None) -> Ends:
    watch = Watch(SIZE)
    for _ in watch.over(drawn):
        pass
    shown = encoded or drawn
    encode(shown, tmp_path / "a.mp4", SIZE, FPS, len(shown))
    where: Callable[[int], str] = lambda frame: f"frame {frame}"  # noqa: E731
    return check_piece(tmp_path / "a.mp4", FPS, SIZE, watch.looks, Expected(), where)


def test_a_piece_that_decodes_to_what_was_drawn_passes_and_tells_its_light(tmp_path: Path) -> None:
    noise = np.random.default_rng(3)
    frames = [noise.integers(60, 200, (48, 64, 3), np.uint8) for _ in range(12)]

    ends = checked(tmp_path, frames)

    assert ends.first[0] == pytest.approx(16 + 219 * frames[0].mean() / 255, abs=3)
    assert ends.last[1] == pytest.approx(16 + 219 * frames[-1].mean() / 255, abs=3)


@pytest.mark.parametrize("swap", [(5, 20), (11, 12)])
def test_frames_that_change_places_are_found(tmp_path: Path, swap: tuple[int, int]) -> None:
    drawn = [grey(40 + 8 * frame) for frame in range(24)]
    if swap == (11, 12):
        # Neighbours differ more than encoding does.
        drawn = [grey(60 if frame % 2 else 120) for frame in range(24)]
    encoded = drawn.copy()
    encoded[swap[0]], encoded[swap[1]] = encoded[swap[1]], encoded[swap[0]]

    with pytest.raises(BadFilm, match=f"frame {swap[0]}: decodes to another picture"):
        checked(tmp_path, drawn, encoded)


def test_a_piece_of_another_length_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFilm, match="number of frames is 9, not 10"):
        checked(tmp_path, moving(10), moving(9))


def test_light_that_jumps_where_a_crossfade_begins_is_found() -> None:
    body = Ends((100.0, 100.0), (100.0, 100.0))

    check_seam(body, Ends((104.0, 108.0), (150.0, 154.0)), "00:00:01:00")
    with pytest.raises(BadFilm, match="00:00:01:00: the light jumps by 30"):
        check_seam(body, Ends((130.0, 134.0), (150.0, 154.0)), "00:00:01:00")


def test_a_time_code_counts_whole_frames() -> None:
    assert time_code(24 * 3671 + 5, FPS) == "01:01:11:05"
    assert time_code(59, Fraction(30000, 1001)) == "00:00:01:29"


def test_frames_pass_one_at_a_time() -> None:
    watch = Watch(SIZE)

    def endless() -> Iterator[Pixels]:
        while True:
            yield grey(90)

    passed = watch.over(endless())
    next(passed)
    next(passed)

    assert len(watch.looks) == 2
