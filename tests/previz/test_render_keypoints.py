"""Where joints are said to be, and what is said to hide them."""

from __future__ import annotations

import numpy as np

from tests.previz.stagings import SIZE, blue, red, staged
from undercard.domain.staging import Camera, Staging
from undercard.previz.frame import COCO, Keypoints
from undercard.previz.render import DRAFT, draw

NOSE, LEFT_WRIST = COCO.index("nose"), COCO.index("left_wrist")
TORSO = [COCO.index(name) for name in ("left_shoulder", "right_shoulder", "left_hip", "right_hip")]
FRONT = Camera((0.0, 1.5, 2.4), (0.0, 1.0, 0.0), 30.0)


def _joints(staging: Staging) -> tuple[Keypoints, ...]:
    return draw(staging, SIZE, seed=1, quality=DRAFT).keypoints


def test_a_visible_joint_lies_on_its_own_fighter() -> None:
    frame = draw(staged(), SIZE, seed=1, quality=DRAFT)
    for owner, fighter in enumerate(frame.keypoints, start=1):
        inside = fighter.xy[fighter.visible].astype(int)
        assert (frame.fighters[inside[:, 1], inside[:, 0]] == owner).all()


def test_keypoints_come_in_the_order_of_the_fighters() -> None:
    assert [fighter.name for fighter in _joints(staged())] == ["Rojas", "Okafor"]


def test_a_boxer_who_faces_the_camera_shows_his_torso_and_his_left_is_at_our_right() -> None:
    (fighter,) = _joints(staged(red("rest", (0.0, 0.0), 0.0), camera=FRONT))
    assert fighter.visible[TORSO].all()
    left, right = fighter.xy[COCO.index("left_hip")], fighter.xy[COCO.index("right_hip")]
    assert left[0] > right[0]


def test_the_back_of_the_head_hides_the_nose() -> None:
    (fighter,) = _joints(staged(red("rest", (0.0, 0.0), 180.0), camera=FRONT))
    assert not fighter.visible[NOSE]
    assert fighter.occluded_by[NOSE] == "Rojas"


def test_who_stands_in_front_hides_who_stands_behind() -> None:
    behind, _ = _joints(staged(red("rest", (0.0, -0.9), 0.0), blue("rest", (0.0, 0.2), 0.0), camera=FRONT))
    hidden = [by for by, seen in zip(behind.occluded_by, behind.visible, strict=True) if not seen]
    assert hidden.count("Okafor") >= 8


def test_the_ring_hides_a_joint_behind_a_corner_pad() -> None:
    outside = Camera((-5.0, 1.0, 5.0), (0.0, 1.0, 0.0), 60.0)
    fighter, _ = _joints(staged(red("rest", (-1.6, 1.6), 135.0), blue(), camera=outside))
    assert "ring" in fighter.occluded_by


def test_a_joint_outside_the_picture_is_neither_in_frame_nor_visible_nor_hidden() -> None:
    aside = Camera((0.0, 1.5, 2.4), (3.0, 1.0, 0.0), 50.0)
    fighter, _ = _joints(staged(camera=aside))
    assert not fighter.in_frame.any()
    assert not fighter.visible.any()
    assert set(fighter.occluded_by) == {""}


def test_a_fighter_behind_the_camera_is_not_in_frame() -> None:
    away = Camera((0.0, 1.5, 1.0), (0.0, 1.5, 4.0), 24.0)
    fighter, _ = _joints(staged(camera=away))
    assert not fighter.in_frame.any()
    assert np.isfinite(fighter.xy).all()


def test_keypoints_scale_with_the_picture() -> None:
    small = draw(staged(), (96, 54), seed=1, quality=DRAFT).keypoints[0]
    large = draw(staged(), (192, 108), seed=1, quality=DRAFT).keypoints[0]
    np.testing.assert_allclose(small.xy * 2, large.xy, atol=0.01)
    np.testing.assert_array_equal(small.visible, large.visible)
