"""Gloves and boots in the rest pose: closed solids of a glove's and a boot's size, on the right limb."""

from __future__ import annotations

import numpy as np
import pytest

from tests.previz.solids import is_closed, volume
from undercard.previz.gear import Solid, boot, glove

WRIST = np.array([0.6, 1.4, 0.0])
FORWARD, LEFT, DOWN = np.array([0.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0]), np.array([0.0, -1.0, 0.0])
ANKLE, KNEE = np.array([0.1, 0.09, 0.0]), np.array([0.1, 0.5, 0.02])
BALL, TOE = np.array([0.1, 0.02, 0.12]), np.array([0.1, 0.02, 0.19])


@pytest.fixture(scope="module")
def shoe() -> Solid:
    return boot(ANKLE, KNEE, BALL, TOE, calf_radius=0.055, height=0.15)


@pytest.mark.parametrize("left", [True, False], ids=["left", "right"])
def test_a_glove_is_a_closed_solid_that_faces_outward(left: bool) -> None:
    worn = glove(WRIST, FORWARD, LEFT, left=left)

    assert is_closed(worn.faces)
    # About two litres, cuff and padding together.
    assert 0.0012 < volume(worn.vertices - WRIST, worn.faces) < 0.0025


def test_a_right_glove_is_a_left_one_in_a_mirror() -> None:
    mirror = np.array([-1.0, 1.0, 1.0])

    left = glove(WRIST, FORWARD, -LEFT, left=True)
    right = glove(WRIST * mirror, FORWARD, LEFT, left=False)

    np.testing.assert_allclose(right.vertices, left.vertices * mirror, atol=1e-9)


def test_a_glove_follows_the_forearm_and_its_first_border_is_the_wrist() -> None:
    worn = glove(WRIST, DOWN, FORWARD, left=True)

    beyond = worn.part_of_vertex[:, 0] > 0.0
    # The fist lies past the wrist, the cuff before it.
    assert worn.vertices[beyond, 1].max() < WRIST[1]
    assert worn.vertices[beyond, 1].min() == pytest.approx(WRIST[1] - 0.17, abs=0.02)
    assert worn.vertices[:, 1].max() == pytest.approx(WRIST[1] + 0.075, abs=0.01)


def test_a_boot_stands_flat_on_the_floor_ends_at_its_height_and_has_room_for_the_toes(shoe: Solid) -> None:
    heights = shoe.vertices[:, 1]

    assert is_closed(shoe.faces)
    assert 0.0 <= heights.min() < 0.005
    # Flat below: no small part of it is in touch with the floor.
    assert (heights < 0.005).mean() > 0.1
    assert heights.max() == pytest.approx(ANKLE[1] + 0.15, abs=0.01)
    assert TOE[2] < shoe.vertices[:, 2].max() < TOE[2] + 0.04


def test_every_place_of_a_boot_is_carried_whole_the_shaft_by_the_calf_and_the_tip_by_the_ball(shoe: Solid) -> None:
    total = sum(shoe.weights.values())

    assert np.asarray(total) == pytest.approx(1.0)
    assert all((share >= 0.0).all() for share in shoe.weights.values())
    assert shoe.weights["calf"][shoe.vertices[:, 1].argmax()] == pytest.approx(1.0)
    assert shoe.weights["ball"][shoe.vertices[:, 2].argmax()] == pytest.approx(1.0)
    assert shoe.weights["foot"][shoe.vertices[:, 2].argmin()] == pytest.approx(1.0)


def test_the_laces_run_down_the_front_of_a_boot_and_leave_sole_and_toe_free(shoe: Solid) -> None:
    sole, _, laces = (shoe.part_of_vertex > 0.0).T

    laced = shoe.vertices[laces]
    assert len(laced) > 5
    assert np.abs(laced[:, 0] - ANKLE[0]).max() < 0.02
    assert laced[:, 2].min() > ANKLE[2]
    assert laced[:, 2].max() < TOE[2] - 0.03
    assert shoe.vertices[sole, 1].max() < 0.02
