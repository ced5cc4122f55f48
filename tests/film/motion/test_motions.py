from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.film.footage import SIZE, grey, level, saved
from undercard.errors import BadInput, FilmError, UnreadableImage
from undercard.film.base.pixels import Pixels
from undercard.film.base.timing import Freeze, Moment, Speed, Timing
from undercard.film.motion.footage import Still
from undercard.film.motion.motions import CLIP, MOTIONS, drawn_frames, frames
from undercard.film.motion.reel import Reel


@pytest.fixture
def stills(tmp_path: Path) -> tuple[Still, ...]:
    """Keyframes on frames 0, 7 and 12, in 200, 210 and 220 grey."""
    falls = {0: 200, 7: 210, 12: 220}
    return tuple(Still(frame, saved(tmp_path / f"{frame}.png", grey(lev))) for frame, lev in falls.items())


def numbered(moment: Moment) -> Pixels:
    """Draw a moment in the grey of its number; half a frame in, it is half a grey more."""
    return grey(round(moment))


def levels(shot: Iterator[Pixels]) -> list[int]:
    return [level(frame) for frame in shot]


@pytest.mark.parametrize("motion", ["hold", "push_in", "pull_out"])
def test_a_still_shows_until_the_next_one_falls(motion: str, stills: tuple[Still, ...]) -> None:
    shown = levels(frames(motion, stills, SIZE, 15, None, 0, 15))

    assert shown == [200] * 7 + [210] * 5 + [220] * 3


def test_pose_draws_on_twos_and_shows_a_keyframe_from_the_start_of_its_pair(stills: tuple[Still, ...]) -> None:
    shown = levels(frames("pose", stills, SIZE, 16, numbered, 0, 16))

    assert shown == [200, 200, 2, 2, 4, 4, 210, 210, 8, 8, 10, 10, 220, 220, 220, 220]


def test_pose_gives_each_of_two_keyframes_in_one_pair_its_own_frame(tmp_path: Path) -> None:
    falls = {0: 200, 4: 210, 5: 220, 9: 230}
    stills = [Still(frame, saved(tmp_path / f"{frame}.png", grey(lev))) for frame, lev in falls.items()]

    shown = levels(frames("pose", stills, SIZE, 10, numbered, 0, 10))

    assert shown == [200, 200, 2, 2, 210, 220, 6, 6, 230, 230]


def test_pose_holds_the_first_still_before_it_falls(tmp_path: Path) -> None:
    stills = [Still(4, saved(tmp_path / "a.png", grey(200))), Still(9, saved(tmp_path / "b.png", grey(210)))]

    shown = levels(frames("pose", stills, SIZE, 10, numbered, 0, 10))

    assert shown == [200] * 6 + [6, 6] + [210] * 2


def test_pose_crossfades_the_stills_where_the_backend_cannot_animate(tmp_path: Path) -> None:
    stills = [Still(0, saved(tmp_path / "a.png", grey(100))), Still(4, saved(tmp_path / "b.png", grey(200)))]

    assert levels(frames("pose", stills, SIZE, 6, None, 0, 6)) == [100, 125, 150, 175, 200, 200]


@given(
    falls=st.sets(st.integers(0, 39), min_size=1, max_size=6),
    ends=st.tuples(st.integers(0, 40), st.integers(0, 40)),
    timing=st.sampled_from(
        [
            Timing(),
            Timing(0, (Speed(0, Fraction(1, 2)),)),
            Timing(0, (Speed(4, Fraction(1)), Speed(9, Fraction(1, 4)), Speed(12, Fraction(2))), (Freeze(9, 5),)),
        ]
    ),
)
def test_draw_is_asked_for_exactly_the_frames_that_were_promised(
    tmp_path_factory: pytest.TempPathFactory, falls: set[int], ends: tuple[int, int], timing: Timing
) -> None:
    path = tmp_path_factory.getbasetemp() / "still.png"
    if not path.exists():
        saved(path, grey(200))
    asked: list[Moment] = []

    def draw(moment: Moment) -> Pixels:
        asked.append(moment)
        return numbered(moment)

    start, stop = sorted(ends)
    list(frames("pose", [Still(fall, path) for fall in sorted(falls)], SIZE, 40, draw, start, stop, timing))

    assert tuple(asked) == drawn_frames("pose", sorted(falls), start, stop, timing)
    assert asked == sorted(set(asked))


@pytest.mark.parametrize("motion", [name for name, row in MOTIONS.items() if row.draws is None])
def test_only_pose_draws(motion: str) -> None:
    assert drawn_frames(motion, [0, 10], 0, 20) == ()


@pytest.mark.parametrize("motion", MOTIONS)
def test_a_range_of_a_shot_is_what_the_whole_shot_has_there(motion: str, stills: tuple[Still, ...]) -> None:
    reels = [Reel((here.path, after.path)) for here, after in pairwise(stills)] if motion == CLIP else []
    whole = list(frames(motion, stills, SIZE, 16, numbered, 0, 16, reels=reels))

    for start, stop in [(0, 1), (3, 9), (5, 6), (11, 16), (7, 7)]:
        part = list(frames(motion, stills, SIZE, 16, numbered, start, stop, reels=reels))
        assert len(part) == stop - start
        assert all(np.array_equal(a, b) for a, b in zip(part, whole[start:stop], strict=True))


def bright_centre(frame: Pixels) -> float:
    """Where the one bright spot is, px from the left, to a fraction of a pixel."""
    columns = frame[:, :, 0].astype(float).sum(axis=0)
    return float((columns * np.arange(columns.size)).sum() / columns.sum())


@pytest.fixture
def spot(tmp_path: Path) -> Still:
    """A soft bright spot 80 px left of the centre."""
    y, x = np.mgrid[0:180, 0:320]
    spot = 250 * np.exp(-((x - 80) ** 2 + (y - 90) ** 2) / 50)
    return Still(0, saved(tmp_path / "spot.png", np.repeat(spot[:, :, None], 3, axis=2).astype(np.uint8)))


def test_a_push_in_glides_without_jitter_and_starts_and_ends_at_rest(spot: Still) -> None:
    places = [bright_centre(frame) for frame in frames("push_in", [spot], (320, 180), 96, None, 0, 96)]

    steps = -np.diff(places)
    assert places[0] - places[-1] == pytest.approx(80 * 0.12, abs=0.15)
    assert steps.min() > -0.01
    assert steps.max() < 0.25
    # A window that snapped to whole pixels would jump by about half of one.
    assert np.abs(np.diff(steps)).max() < 0.05
    assert max(steps[0], steps[-1]) < 0.005


def test_a_pull_out_is_a_push_in_backwards(spot: Still) -> None:
    there = list(frames("push_in", [spot], (320, 180), 12, None, 0, 12))
    back = list(frames("pull_out", [spot], (320, 180), 12, None, 0, 12))

    # Easing forwards and backwards differ in the last bit, which may round one grey further.
    assert all(np.abs(a.astype(int) - b.astype(int)).max() <= 1 for a, b in zip(there, reversed(back), strict=True))


def test_a_still_of_the_films_size_is_held_untouched(tmp_path: Path) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)
    still = Still(0, saved(tmp_path / "a.png", picture))

    assert np.array_equal(next(frames("hold", [still], SIZE, 1, None, 0, 1)), picture)


def test_a_wider_still_is_cropped_around_its_centre_and_not_squeezed(tmp_path: Path) -> None:
    wide = np.concatenate([grey(0, (64, 96)), grey(200, (128, 96)), grey(0, (64, 96))], axis=1)
    still = Still(0, saved(tmp_path / "wide.png", wide))

    shown = next(frames("hold", [still], SIZE, 1, None, 0, 1))

    assert shown.shape == (48, 64, 3)
    assert int(shown[:, 2:-2].min()) == 200


def test_a_grey_picture_with_alpha_is_shown_in_rgb(tmp_path: Path) -> None:
    path = tmp_path / "la.png"
    Image.new("LA", SIZE, (90, 255)).save(path)

    assert next(frames("hold", [Still(0, path)], SIZE, 1, None, 0, 1)).tolist()[0][0] == [90, 90, 90]


def test_a_shot_of_one_frame_can_be_pushed_in(tmp_path: Path) -> None:
    still = Still(0, saved(tmp_path / "a.png", grey(70)))

    assert levels(frames("push_in", [still], SIZE, 1, None, 0, 1)) == [70]


def test_a_still_that_is_cut_short_is_named(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8))
    path.write_bytes(path.read_bytes()[:-4000])

    with pytest.raises(UnreadableImage, match=r"a\.png cannot be decoded"):
        list(frames("hold", [Still(0, path)], SIZE, 1, None, 0, 1))


def test_a_drawing_of_the_wrong_size_is_refused(stills: tuple[Still, ...]) -> None:
    with pytest.raises(FilmError, match=r"frame 2 was drawn as uint8 \(10, 10, 3\); the film needs"):
        list(frames("pose", stills, SIZE, 16, lambda _: grey(0, (10, 10)), 0, 16))


@pytest.mark.parametrize("falls", [[], [3, 3], [5, 2], [-1], [16]])
def test_keyframes_that_do_not_rise_within_the_shot_are_refused(falls: list[int], tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        frames("hold", [Still(fall, tmp_path / "a.png") for fall in falls], SIZE, 16, None, 0, 16)


def test_an_unknown_motion_is_refused_with_those_there_are() -> None:
    with pytest.raises(BadInput, match=r"motion 'orbit' does not exist; use one of hold, push_in, .*, pose"):
        drawn_frames("orbit", [0], 0, 1)


@pytest.mark.parametrize(
    ("motion", "axis", "sign"), [("pan_left", 1, 1), ("pan_right", 1, -1), ("pan_up", 0, 1), ("pan_down", 0, -1)]
)
def test_a_pan_glides_to_its_side_without_jitter(motion: str, axis: int, sign: int, spot: Still) -> None:
    length = 180 if axis == 0 else 320
    middle = 90 if axis == 0 else 80

    def place(frame: Pixels) -> float:
        weights = frame[:, :, 0].astype(float).sum(axis=1 - axis)
        return float((weights * np.arange(weights.size)).sum() / weights.sum())

    places = np.array([place(frame) for frame in frames(motion, [spot], (320, 180), 72, None, 0, 72)])

    # The window is 1 / 1.12 of the picture, and goes from one side of it to the other.
    eased = [t**3 * (t * (t * 6 - 15) + 10) for t in (frame / 71 for frame in range(72))]
    start = (middle + 0.5) * 1.12 - 0.5 - (0 if sign < 0 else 0.12 * length)
    expected = start + sign * 0.12 * length * np.array(eased)
    assert np.abs(places - expected).max() < 0.05
    assert (sign * np.diff(places)).min() > -0.05


def test_a_push_in_shows_at_every_frame_what_its_easing_says_to_a_twentieth_of_a_pixel(spot: Still) -> None:
    places = np.array([bright_centre(frame) for frame in frames("push_in", [spot], (320, 180), 72, None, 0, 72)])

    eased = np.array([t**3 * (t * (t * 6 - 15) + 10) for t in (frame / 71 for frame in range(72))])
    expected = 159.5 + (80 - 159.5) * (1 + 0.12 * eased)
    assert np.abs(places - expected).max() < 0.05


@pytest.fixture
def two_spots(tmp_path: Path) -> tuple[Still, Still]:
    """A textured disc that has moved 24 px to the right."""
    texture = np.random.default_rng(5).uniform(60, 250, (12, 12))
    disc = np.asarray(Image.fromarray(texture.astype(np.uint8)).resize((60, 60), Image.Resampling.BICUBIC))
    stills = []
    for frame, left in ((0, 70), (8, 94)):
        picture = np.full((180, 320, 3), 30, np.uint8)
        picture[60:120, left : left + 60] = disc[:, :, None]
        stills.append(Still(frame, saved(tmp_path / f"disc-{frame}.png", picture)))
    return stills[0], stills[1]


def test_flow_moves_what_two_stills_share_evenly_from_the_one_to_the_other(two_spots: tuple[Still, Still]) -> None:
    def centre(frame: Pixels) -> float:
        columns = (frame[:, :, 0].astype(float) - 30).clip(0).sum(axis=0)
        return float((columns * np.arange(columns.size)).sum() / columns.sum())

    shown = list(frames("flow", two_spots, (320, 180), 10, None, 0, 10))

    places = np.array([centre(frame) for frame in shown])
    assert np.abs(places[:9] - (places[0] + 3.0 * np.arange(9))).max() < 1.0
    # A crossfade would show two discs half as strong: halfway there is one, where neither still has it.
    assert np.abs(shown[4][60:120, 82:142].astype(int) - shown[0][60:120, 70:130]).mean() < 12
    assert np.array_equal(shown[9], shown[8])


def test_flow_gives_the_same_pixels_again(two_spots: tuple[Still, Still]) -> None:
    first = list(frames("flow", two_spots, (320, 180), 10, None, 3, 5))

    assert all(
        np.array_equal(a, b) for a, b in zip(first, frames("flow", two_spots, (320, 180), 10, None, 3, 5), strict=True)
    )


def test_flow_between_pictures_with_nothing_in_common_is_a_crossfade(tmp_path: Path) -> None:
    stills = [Still(0, saved(tmp_path / "a.png", grey(100))), Still(4, saved(tmp_path / "b.png", grey(200)))]

    assert levels(frames("flow", stills, SIZE, 5, None, 0, 5)) == [100, 125, 150, 175, 200]


def test_half_speed_draws_every_frame_of_the_action_once_and_holds_it_for_two(stills: tuple[Still, ...]) -> None:
    half = Timing(0, (Speed(0, Fraction(1, 2)),))

    shown = levels(frames("pose", stills, SIZE, 20, numbered, 0, 20, half))

    assert shown == [200, 200, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 210, 210, 8, 8, 9, 9]


def test_a_freeze_holds_its_keyframe_and_the_action_goes_on_from_it(stills: tuple[Still, ...]) -> None:
    frozen = Timing(freezes=(Freeze(7, 4),))

    shown = levels(frames("hold", stills, SIZE, 19, None, 0, 19, frozen))

    assert shown == [200] * 7 + [210] * 9 + [220] * 3


def test_a_replay_of_stills_alone_flows_between_them(stills: tuple[Still, ...]) -> None:
    half = Timing(7, (Speed(7, Fraction(1, 2)),))

    assert levels(frames("pose", stills, SIZE, 11, None, 0, 11, half)) == [*range(210, 221)]
