"""MoveNet Thunder before photographs of people."""

from __future__ import annotations

import numpy as np

from tests.gate.vision.photographs import photograph
from undercard.gate.vision.pose import JOINTS, Person, look_closely

ALL = (0.0, 0.0, 448.0, 448.0)


def joint(person: Person, name: str) -> tuple[float, float]:
    x, y = person.xy[JOINTS.index(name)]
    return float(x), float(y)


def test_eyes_and_nose_lie_on_the_face() -> None:
    woman = look_closely(photograph("astronaut"), ALL)

    # Read off the photograph, 448 px wide.
    assert abs(joint(woman, "nose")[0] - 198) < 12
    assert abs(joint(woman, "nose")[1] - 102) < 12


def test_left_is_the_persons_own_left() -> None:
    pixels = photograph("astronaut")

    for shown in (pixels, np.ascontiguousarray(pixels[:, ::-1])):
        woman = look_closely(shown, ALL)
        # She faces us.
        assert joint(woman, "left shoulder")[0] > joint(woman, "right shoulder")[0]


def test_where_hardly_anybody_is_the_joints_are_unsure() -> None:
    assert look_closely(photograph("coffee"), ALL).score < 0.2 < look_closely(photograph("astronaut"), ALL).score
