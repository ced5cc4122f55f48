"""The control maps of a frame."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from tests.previz.stagings import SIZE, staged
from undercard.previz import maps
from undercard.previz.frame import COCO, Frame
from undercard.previz.render import DRAFT, draw


@pytest.fixture(scope="module")
def frame() -> Frame:
    return draw(staged(), SIZE, seed=1, quality=DRAFT)


def _frame_of_depth(depth: np.ndarray) -> Frame:
    shape = depth.shape
    return Frame(
        np.zeros((*shape, 3), np.uint8),
        depth.astype(np.float32),
        np.zeros((*shape, 3), np.float32),
        np.zeros(shape, np.uint8),
        (),
    )


def test_the_depth_map_is_sixteen_bits_of_grey_and_survives_a_png(
    frame: Frame, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("maps") / "depth.png"
    maps.depth_image(frame).save(path)
    with Image.open(path) as picture:
        values = np.asarray(picture)
    assert values.shape == frame.depth.shape
    assert values.max() > 4096


def test_depth_follows_the_stated_curve() -> None:
    grey = np.asarray(maps.depth_image(_frame_of_depth(np.array([[0.2, 0.5, 1.0, 12.0, 40.0, np.inf]]))))[0]
    expected = 1 + (1 / 1.0 - 1 / 12) / (1 / 0.5 - 1 / 12) * 65534
    assert grey.tolist() == [65535, 65535, round(expected), 1, 1, 0]


def test_normals_are_coded_around_the_middle(frame: Frame) -> None:
    coded = np.asarray(maps.normals_image(frame)).astype(float) / 127.5 - 1.0
    there = np.isfinite(frame.depth)
    np.testing.assert_allclose(coded[there], frame.normals[there], atol=0.01)


def test_the_skeleton_is_drawn_in_openposes_colours_on_black(frame: Frame) -> None:
    picture = np.asarray(maps.skeleton_image(frame))
    assert picture.shape == (*frame.depth.shape, 3)
    x, y = frame.keypoints[0].xy[COCO.index("nose")].astype(int)
    assert picture[y, x, 0] > 120
    assert not picture[0, 0].any()


def test_leaving_out_hidden_joints_draws_less(frame: Frame) -> None:
    whole = np.asarray(maps.skeleton_image(frame)).any(axis=2).sum()
    seen = np.asarray(maps.skeleton_image(frame, occluded=False)).any(axis=2).sum()
    assert 0 < seen < whole


def test_the_keypoints_json_names_every_joint_and_what_hides_it(frame: Frame) -> None:
    content = json.loads(maps.keypoints_json(frame))
    assert (content["width"], content["height"]) == SIZE
    assert [fighter["name"] for fighter in content["fighters"]] == ["Rojas", "Okafor"]
    for fighter, told in zip(frame.keypoints, content["fighters"], strict=True):
        assert tuple(told["joints"]) == COCO
        for index, joint in enumerate(told["joints"].values()):
            assert joint["x"] == pytest.approx(fighter.xy[index, 0], abs=0.01)
            assert joint["visible"] == fighter.visible[index]
            assert (joint["occluded_by"] or "") == fighter.occluded_by[index]
