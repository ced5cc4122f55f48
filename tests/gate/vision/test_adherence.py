from __future__ import annotations

import numpy as np
import pytest

from undercard.gate.vision.adherence import MIRRORED, Target, adherence
from undercard.gate.vision.networks import Floats
from undercard.gate.vision.pose import JOINTS, Person

# One who faces us, 200 px tall, his own left on our right.
STANDING = np.array(
    [
        [100, 20], [105, 15], [95, 15], [112, 20], [88, 20], [125, 50], [75, 50], [135, 85], [65, 85], [130, 110],
        [60, 60], [115, 110], [85, 110], [118, 160], [82, 160], [120, 215], [80, 215],
    ],
    np.float32,
)  # fmt: skip


def target(xy: Floats = STANDING, hidden: tuple[str, ...] = (), name: str = "Mara") -> Target:
    seen = np.array([joint not in hidden for joint in JOINTS])
    return Target(name, xy, seen, np.ones(17, bool))


def person(xy: Floats, score: float = 0.6) -> Person:
    left, top = xy.min(axis=0)
    right, bottom = xy.max(axis=0)
    return Person(score, xy, np.ones(17, np.float32), (float(left), float(top), float(right), float(bottom)))


def beside(xy: Floats, by: float) -> Floats:
    return xy + np.array([by, 0.0], np.float32)


def moved(**joints: tuple[float, float]) -> Floats:
    xy = STANDING.copy()
    for name, by in joints.items():
        xy[JOINTS.index(name.replace("_", " "))] += by
    return xy


def test_who_stands_as_he_should_fits_wholly() -> None:
    fit = adherence(person(STANDING), target())

    assert (fit.pck, fit.oks, fit.off) == (1.0, 1.0, ())


def test_a_joint_a_tenth_of_the_height_away_is_told_by_name() -> None:
    fit = adherence(person(moved(left_wrist=(21, 0), right_knee=(19, 0))), target())

    assert fit.off == ("left wrist",)
    assert fit.pck == pytest.approx(16 / 17)


def test_a_hidden_joint_has_no_say() -> None:
    fit = adherence(person(moved(left_wrist=(80, 0))), target(hidden=("left wrist",)))

    assert (fit.pck, fit.off) == (1.0, ())


def test_a_mirrored_pose_is_a_wrong_one_and_is_known_as_mirrored() -> None:
    fit = adherence(person(STANDING[MIRRORED]), target())

    assert fit.pck < 0.6
    assert fit.mirrored_pck == 1.0


def test_nearness_falls_with_the_distance() -> None:
    scores = [adherence(person(STANDING + step), target()).oks for step in (0, 4, 8, 16)]

    assert scores == sorted(scores, reverse=True)
    assert scores[-1] < 0.5 < scores[1]


def test_the_smaller_of_two_is_held_to_his_own_height() -> None:
    small = (STANDING / 2).astype(np.float32)
    half = target(small)

    assert adherence(person(beside(small, 11)), half).pck == 0.0
    assert adherence(person(beside(STANDING, 11)), target()).pck == 1.0


def test_nobody_to_be_seen_cannot_be_wrong() -> None:
    assert adherence(person(STANDING + 500), target(hidden=JOINTS)).pck == 1.0
