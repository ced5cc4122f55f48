"""What is laid over frames: where, when, and in letters that are really there."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tests.film.footage import grey
from undercard.errors import BadInput
from undercard.film.base.pixels import Pixels
from undercard.film.base.timing import Moment
from undercard.film.lettering.graphics import GRAPHICS, Graphic, Overlays, graphic_kind, overlaid, shown_in
from undercard.film.lettering.layer import Layer
from undercard.film.lettering.typeface import fitted, lacking, lettering, wrapped

SIZE = (256, 144)
FPS = Fraction(24)
SAMPLES = {
    "title": Graphic("title", ("The Duel", "at dawn"), 0, 48),
    "lower_third": Graphic("lower_third", ("Ray Castellano", "Challenger"), 0, 48, ("#c8141c",)),
    "clock": Graphic("clock", ("ROUND 1",), 0, 48, seconds_left=180),
    "score": Graphic("score", ("Ray", "10", "Sol", "9"), 0, 48, ("#c8141c", "#2a53d6")),
    "caption": Graphic("caption", ("He is down.",), 0, 48),
}


def shown(*graphics: Graphic, frames: int = 48, start: int = 0, speed: Moment = 1) -> list[Pixels]:
    """Lay *graphics* over grey frames, with the action at *speed*."""
    background = grey(100, SIZE)
    return [overlaid(background, graphics, frame, frame * speed, FPS) for frame in range(start, start + frames)]


def touched(frame: Pixels) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of what differs from the background, as shares of the picture."""
    rows, columns = np.nonzero((frame != 100).any(axis=2))
    width, height = SIZE
    return columns.min() / width, rows.min() / height, (columns.max() + 1) / width, (rows.max() + 1) / height


@pytest.mark.parametrize("kind", GRAPHICS)
def test_a_graphic_shows_from_its_first_frame_to_its_last_and_on_no_other(kind: str) -> None:
    sample = SAMPLES[kind]
    timed = Graphic(kind, sample.lines, 5, 30, sample.colours, sample.seconds_left)

    changed = [bool((frame != 100).any()) for frame in shown(timed)]

    assert changed == [5 <= frame < 30 for frame in range(48)]


@pytest.mark.parametrize("kind", [kind for kind in GRAPHICS if kind != "title"])
def test_a_graphic_keeps_to_the_safe_area(kind: str) -> None:
    left, top, right, bottom = touched(shown(SAMPLES[kind])[24])

    assert min(left, top) >= 0.045
    assert max(right, bottom) <= 0.96


@pytest.mark.parametrize("kind", GRAPHICS)
def test_a_part_of_a_shot_has_the_graphics_that_the_whole_has_there(kind: str) -> None:
    whole = shown(SAMPLES[kind])

    part = shown(SAMPLES[kind], frames=10, start=3)

    assert all(np.array_equal(a, b) for a, b in zip(part, whole[3:13], strict=True))


@pytest.mark.parametrize("kind", ["title", "lower_third"])
def test_a_graphic_that_comes_and_goes_does_so_evenly_on_both_sides(kind: str) -> None:
    strength = [float(np.abs(frame.astype(int) - 100).sum()) for frame in shown(SAMPLES[kind])]

    assert 0 < strength[0] < strength[3] < strength[24]
    assert strength[47] < strength[44] < strength[24]
    assert strength == pytest.approx(strength[::-1])


def test_frames_that_a_graphic_covers_are_not_written_into() -> None:
    background = grey(100, SIZE)

    overlaid(background, (SAMPLES["title"],), 20, 20, FPS)

    assert (background == 100).all()


def test_a_clock_runs_down_by_the_second_and_stops_at_nothing() -> None:
    clock = Graphic("clock", ("ROUND 1",), 0, 120, seconds_left=2)

    frames = shown(clock, frames=120)

    changes = [n for n in range(1, 120) if not np.array_equal(frames[n], frames[n - 1])]
    assert changes == [24, 48]


def test_a_clock_runs_with_the_action() -> None:
    frames = shown(SAMPLES["clock"], speed=Fraction(3, 4))

    assert [n for n in range(1, 48) if not np.array_equal(frames[n], frames[n - 1])] == [32]


def test_a_frame_that_nothing_covers_is_passed_on_as_it_is() -> None:
    background = grey(100, SIZE)

    assert overlaid(background, (SAMPLES["title"],), 48, 48, FPS) is background


def test_a_picture_that_stands_is_lettered_anew_only_when_its_graphics_change() -> None:
    graphics = (SAMPLES["clock"], SAMPLES["title"])
    background, other = grey(100, SIZE), grey(100, SIZE)
    overlays = Overlays(FPS)

    laid = [overlays.over(background, graphics, frame, frame) for frame in range(60)]

    for frame, pixels in enumerate(laid):
        assert np.array_equal(pixels, overlaid(background, graphics, frame, frame, FPS))
    changes = [frame for frame in range(1, 60) if laid[frame] is not laid[frame - 1]]
    assert changes == [frame for frame in range(1, 60) if not np.array_equal(laid[frame], laid[frame - 1])]
    assert len(changes) < 40
    assert overlays.over(other, graphics, 59, 59) is not laid[59]


def test_a_lower_third_has_its_corners_colour() -> None:
    frame = shown(SAMPLES["lower_third"])[24]

    assert (np.abs(frame.astype(int) - (200, 20, 28)).max(axis=2) <= 3).mean() > 0.001


def test_only_the_graphics_of_a_range_belong_to_it() -> None:
    early, late = Graphic("caption", ("a",), 0, 10), Graphic("caption", ("b",), 10, 20)

    assert shown_in((early, late), 0, 10) == (early,)
    assert shown_in((early, late), 9, 11) == (early, late)
    assert shown_in((early, late), 20, 30) == ()


def test_an_unknown_graphic_is_refused_with_those_there_are() -> None:
    with pytest.raises(BadInput, match="graphic 'logo' does not exist; use one of title, "):
        graphic_kind("logo")


def test_a_long_text_is_set_smaller_until_it_fits() -> None:
    assert fitted("A very long name for a fighter indeed", 40, 200, "display").width <= 200


def test_a_caption_breaks_between_words_and_scripts_without_spaces_anywhere() -> None:
    latin = wrapped("one two three four five six", 20, 120, 3)
    kanji = wrapped("井上尚弥は世界王者であり続ける", 20, 120, 3)

    assert all(line.width <= 120 for line in (*latin, *kanji))
    assert "".join(run.text for line in latin for run in line.runs).replace(" ", "") == "onetwothreefourfivesix"
    assert len(kanji) == 3


@pytest.mark.parametrize(
    "text",
    [
        "Kováč Łukasz Đặng",
        "Усик",
        "Ωμέγα",
        "محمد علي",
        "שלום עולם",
        "हिन्दी",
        "ไทยแลนด์",
        "井上尚弥",
        "ボクシング",
        "½ · — × ± “”",
        "한국 챔피언",
        "Թումանյան",
        "ქართული",
        "বাংলা",
        "தமிழ்",
        "ភាសាខ្មែរ",
        "🥊 💥 🏆",
        "→ ★ ⇒",
    ],
)
def test_shipped_fonts_letter_many_scripts(text: str) -> None:
    assert lacking(text, "display") == ""
    assert lettering(text, 40, "display").width > 20


def test_characters_that_no_font_has_are_told_once() -> None:
    assert lacking("a𓀀bꕉ𓀀", "text") == "𓀀ꕉ"


def test_an_emoji_stays_with_its_tone_and_its_joiner() -> None:
    thumb, family = "👍🏿", "👩\u200d👧"

    assert len(lettering(thumb, 40, "text").runs) == 1
    assert lettering(thumb, 40, "text").width < 1.5 * lettering("👍", 40, "text").width
    assert lettering(family, 40, "text").width < 1.5 * lettering("👩", 40, "text").width


def test_words_behind_an_emoji_are_a_space_away() -> None:
    glove, word = (lettering(text, 40, "text").width for text in ("🥊", "KO"))

    assert lettering("🥊 KO", 40, "text").width - glove - word < 20


def inked(text: str) -> np.ndarray:
    layer = Layer((400, 80))
    layer.letter(lambda mask: lettering(text, 40, "text").draw(mask, 10, 60), "#ffffff")
    return layer.cut_out().over(grey(0, (400, 80)))[:, :, 0]


def test_arabic_is_shaped_into_joined_letters() -> None:
    def pieces(text: str) -> int:
        columns = np.flatnonzero(inked(text).max(axis=0) > 64)
        return 1 + int((np.diff(columns) > 1).sum())

    # A non-joiner between them keeps the same letters apart.
    assert pieces("محمد") == 1
    assert pieces("\u200c".join("محمد")) == 4


def test_hebrew_runs_from_right_to_left() -> None:
    # Vav is a narrow stroke and shin a wide letter: the narrow one, read first, is on the right.
    columns = np.flatnonzero(inked("וש").max(axis=0) > 128)
    gap = int(np.argmax(np.diff(columns)))

    assert columns[gap] - columns[0] > columns[-1] - columns[gap + 1]


def test_words_of_two_fonts_keep_one_space_between_them_whatever_way_they_run() -> None:
    for text in ("George שלום Ali", "שלום George עולם"):
        columns = np.flatnonzero(inked(text).max(axis=0) > 64)
        space = lettering(" ", 40, "text").width
        wide = [gap for gap in np.diff(columns) if gap > 0.7 * space]

        assert len(wide) == 2, text
        assert max(wide) < 2 * space


def test_lettering_on_nothing_has_no_dark_seam() -> None:
    layer = Layer((120, 60))
    layer.letter(lambda mask: lettering("O", 40, "text").draw(mask, 20, 50), "#ffffff")

    assert (layer.cut_out().over(grey(200, (120, 60))) >= 200).all()


def test_an_edge_between_two_pixels_covers_half_of_one() -> None:
    layer = Layer((8, 8))
    layer.box((2.5, 2, 6, 6), "#ffffff")

    assert layer.cut_out().over(grey(0, (8, 8)))[4, :, 0].tolist() == [0, 0, 128, 255, 255, 255, 0, 0]


@pytest.mark.parametrize("kind", GRAPHICS)
@pytest.mark.parametrize("size", [(64, 64), (64, 128), (1920, 64)])
def test_every_graphic_can_be_drawn_on_the_smallest_films(kind: str, size: tuple[int, int]) -> None:
    frame = overlaid(grey(100, size), (SAMPLES[kind],), 24, 24, FPS)

    assert (frame != 100).any()
    assert frame.shape == (size[1], size[0], 3)
