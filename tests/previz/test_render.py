"""The picture and the maps that drawing gives."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.previz.stagings import SIZE, blue, red, staged
from undercard.domain.staging import Camera
from undercard.errors import BadInput
from undercard.previz import bands, lights
from undercard.previz.frame import Flags, Frame, Pixels
from undercard.previz.render import DRAFT, draw


@pytest.fixture(scope="module")
def frame() -> Frame:
    return draw(staged(), SIZE, seed=1)


def test_every_buffer_has_the_size_that_was_asked_for(frame: Frame) -> None:
    width, height = SIZE
    assert frame.image.shape == (height, width, 3)
    assert frame.normals.shape == (height, width, 3)
    assert frame.depth.shape == frame.fighters.shape == (height, width)


def test_an_odd_size_is_drawn_whole() -> None:
    frame = draw(staged(), (97, 55), seed=1)
    assert frame.image.shape == (55, 97, 3)
    assert frame.image[-1].max() > 0
    assert frame.image[:, -1].max() > 0


def test_the_same_arguments_give_the_same_bytes(frame: Frame) -> None:
    again = draw(staged(), SIZE, seed=1)
    assert again.image.tobytes() == frame.image.tobytes()
    assert again.depth.tobytes() == frame.depth.tobytes()


def test_the_number_of_threads_does_not_change_a_byte(frame: Frame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("undercard.previz.render.bands", lambda: bands.bands(threads=5))
    assert draw(staged(), SIZE, seed=1).image.tobytes() == frame.image.tobytes()


def test_frames_drawn_at_once_are_the_frames_drawn_in_turn(frame: Frame) -> None:
    with ThreadPoolExecutor(3) as pool:
        images = list(pool.map(lambda _: draw(staged(), SIZE, seed=1).image.tobytes(), range(4)))
    assert set(images) == {frame.image.tobytes()}


def test_another_seed_changes_the_grain_but_not_the_action(frame: Frame) -> None:
    other = draw(staged(), SIZE, seed=2)
    assert other.image.tobytes() != frame.image.tobytes()
    assert other.depth.tobytes() == frame.depth.tobytes()
    on_fighters = frame.fighters > 0
    change = np.abs(other.image[on_fighters].astype(int) - frame.image[on_fighters].astype(int))
    assert np.median(change) <= 3


def test_a_large_seed_is_as_good_as_any() -> None:
    assert draw(staged(), (64, 36), seed=2**63 - 1, quality=DRAFT).image.max() > 0


def test_owners_say_which_fighter_each_pixel_shows(frame: Frame) -> None:
    assert set(np.unique(frame.fighters)) == {0, 1, 2}
    columns = [np.nonzero(frame.fighters == owner)[1].mean() for owner in (1, 2)]
    assert columns[0] < SIZE[0] / 2 < columns[1]


def test_depth_is_measured_along_the_view_axis() -> None:
    overhead = Camera((0.0, 5.0, 0.0), (0.0, 0.0, 0.0), 36.0)
    frame = draw(staged(red(position=(9.0, 9.0)), camera=overhead), SIZE, seed=1, quality=DRAFT)
    canvas = frame.depth[40:68, 60:130]
    assert canvas == pytest.approx(5.0, abs=1e-3)


def test_depth_is_infinite_where_neither_ring_nor_fighter_is(frame: Frame) -> None:
    assert np.isinf(frame.depth[0, SIZE[0] // 2])
    assert np.isfinite(frame.depth[-1]).all()
    assert not frame.normals[np.isinf(frame.depth)].any()


def test_normals_are_of_unit_length_and_face_the_camera(frame: Frame) -> None:
    normals = frame.normals[np.isfinite(frame.depth)]
    assert np.linalg.norm(normals, axis=1) == pytest.approx(1.0, abs=1e-3)
    canvas = frame.normals[-2, SIZE[0] // 2]
    assert canvas[1] > 0.8


@pytest.mark.parametrize("name", lights.names())
def test_every_light_shows_both_fighters_and_burns_out_little(name: str) -> None:
    frame = draw(staged(light=name), SIZE, seed=1)
    for owner in (1, 2):
        body = frame.image[frame.fighters == owner].astype(float)
        assert 20 < body.mean() < 225
        assert body.std() > 15
    assert (frame.image.min(axis=2) >= 254).mean() < (0.3 if name == "flash" else 0.03)


def test_a_fighter_throws_a_shadow_on_the_canvas() -> None:
    camera = Camera((0.0, 5.0, 0.01), (0.0, 0.0, 0.0), 30.0)
    alone = draw(staged(red(position=(0.0, 0.0)), camera=camera), SIZE, seed=1, quality=DRAFT)
    empty = draw(staged(red(position=(9.0, 0.0)), camera=camera), SIZE, seed=1, quality=DRAFT)
    bare = alone.fighters == 0
    darker = empty.image[bare].astype(int).sum(axis=1) - alone.image[bare].astype(int).sum(axis=1)
    assert (darker > 60).sum() > 150


def test_a_wide_aperture_blurs_what_is_far_from_the_target_only() -> None:
    position, target = (0.0, 1.5, 2.4), (-0.6, 1.3, 0.0)
    sharp = draw(staged(camera=Camera(position, target, 50.0)), (384, 216), seed=1)
    soft = draw(staged(camera=Camera(position, target, 50.0, f_number=0.7)), (384, 216), seed=1)
    near = sharp.fighters == 1
    # Well aside of the fighters, whose own edges would drown what happens behind them.
    far = np.zeros_like(near)
    far[:140, : np.nonzero(sharp.fighters)[1].min() - 20] = True
    assert _detail(soft.image, far) < 0.7 * _detail(sharp.image, far)
    assert _detail(soft.image, near) > 0.75 * _detail(sharp.image, near)


def test_edges_are_drawn_with_more_rays_than_the_draft_has() -> None:
    smooth, rough = draw(staged(), SIZE, seed=1), draw(staged(), SIZE, seed=1, quality=DRAFT)
    edge = np.zeros(smooth.fighters.shape, bool)
    edge[:, 1:] = smooth.fighters[:, 1:] != smooth.fighters[:, :-1]
    assert np.abs(smooth.image[edge].astype(int) - rough.image[edge].astype(int)).mean() > 4


def test_a_shadow_does_not_boil_when_a_camera_creeps() -> None:
    cameras = [Camera((0.0, 2.6, 2.4 + creep), (0.0, 0.4, 0.0), 30.0) for creep in (0.0, 0.002)]
    frames = [draw(staged(camera=camera), SIZE, seed=1) for camera in cameras]
    still = (frames[0].fighters == 0) & (frames[1].fighters == 0) & np.isfinite(frames[0].depth)
    change = np.abs(frames[0].image.astype(int) - frames[1].image.astype(int)).max(axis=2)[still]
    assert np.percentile(change, 90) <= 6


def test_no_fighter_at_all_leaves_the_ring() -> None:
    camera = Camera((0.0, 1.3, 2.4), (0.0, 1.0, 0.0), 30.0)
    frame = draw(staged(camera=camera).__class__(camera, (), "stage"), SIZE, seed=1, quality=DRAFT)
    assert frame.keypoints == ()
    assert not frame.fighters.any()


def test_a_third_fighter_has_an_owner_of_his_own() -> None:
    frame = draw(staged(red(), blue(), red("rest", (0.0, -1.2), 0.0)), SIZE, seed=1, quality=DRAFT)
    assert set(np.unique(frame.fighters)) == {0, 1, 2, 3}


def test_an_unknown_light_is_named_with_the_nearest_and_the_whole_list() -> None:
    with pytest.raises(BadInput, match=r"light 'stagee' does not exist; did you mean 'stage'\? use one of stage, "):
        draw(staged(light="stagee"), SIZE, seed=1)


def test_a_picture_without_pixels_is_refused() -> None:
    with pytest.raises(BadInput, match="0×108"):
        draw(staged(), (0, 108), seed=1)


def _detail(image: Pixels, where: Flags) -> float:
    """Return how steep the steepest edges from row to row are: above what grain does."""
    steps = np.abs(np.diff(image.astype(float).mean(axis=2), axis=0))
    return float(np.percentile(steps[where[1:]], 97))
