"""MoveNet before photographs: real people, and none."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from undercard.vision.pose import JOINTS, Person, Pixels, find_people, look_closely, once_each, overlap

PHOTOGRAPHS = Path(__file__).parents[1] / "data" / "photographs"


@cache
def photograph(name: str) -> Pixels:
    with Image.open(PHOTOGRAPHS / f"{name}.jpg") as image:
        return np.asarray(image.convert("RGB"))


def side_by_side() -> Pixels:
    return np.hstack([photograph("cameraman"), photograph("astronaut")])


def joint(person: Person, name: str) -> tuple[float, float]:
    x, y = person.xy[JOINTS.index(name)]
    return float(x), float(y)


def test_one_woman_before_a_flag_is_one_person() -> None:
    assert len(find_people(photograph("astronaut"))) == 1


def test_a_man_bent_over_his_camera_is_one_person() -> None:
    assert len(find_people(photograph("cameraman"))) == 1


def test_a_cup_of_coffee_is_nobody() -> None:
    assert find_people(photograph("coffee")) == ()


def test_two_people_in_one_picture_are_found_each_in_her_half() -> None:
    people = find_people(side_by_side())

    assert len(people) == 2
    assert sorted(joint(person, "nose")[0] > 448 for person in people) == [False, True]


def test_eyes_and_nose_lie_on_the_face() -> None:
    pixels = photograph("astronaut")

    woman = look_closely(pixels, find_people(pixels)[0].box)

    # Read off the photograph, 448 px wide.
    assert abs(joint(woman, "nose")[0] - 198) < 12
    assert abs(joint(woman, "nose")[1] - 102) < 12


def test_left_is_the_persons_own_left() -> None:
    pixels = photograph("astronaut")
    woman = find_people(pixels)[0]
    mirrored = find_people(np.ascontiguousarray(pixels[:, ::-1]))[0]

    for person in (woman, mirrored):
        # She faces us.
        assert joint(person, "left shoulder")[0] > joint(person, "right shoulder")[0]


def test_a_picture_of_any_shape_is_looked_at() -> None:
    assert find_people(np.full((3, 500, 3), 128, np.uint8)) == ()


def test_somebody_found_twice_is_one_person() -> None:
    woman = find_people(photograph("astronaut"))[0]
    again = Person(woman.score / 2, woman.xy + 3, woman.scores, woman.box)

    assert once_each([again, woman]) == (woman,)


def test_boxes_apart_do_not_overlap() -> None:
    assert overlap((0, 0, 10, 10), (10, 0, 20, 10)) == 0.0
    assert overlap((0, 0, 10, 10), (0, 0, 10, 10)) == 1.0
    assert overlap((0, 0, 10, 10), (5, 0, 15, 10)) == 1 / 3
