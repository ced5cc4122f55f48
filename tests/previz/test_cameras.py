"""Named cameras find a place from which the action is seen."""

from __future__ import annotations

import numpy as np
import pytest

from tests.previz.stagings import blue, red
from undercard.domain.staging import PlacedFighter
from undercard.errors import BadInput
from undercard.previz import cameras, framing
from undercard.previz.figure import figure
from undercard.previz.view import look_through

WANTED = {
    "wide",
    "ringside",
    "over_the_shoulder",
    "low",
    "high",
    "close_up",
    "corner",
    "profile",
    "overhead",
    "two_shot",
}
PLACES = {
    "middle": (red(), blue()),
    "turned": (red("jab", (0.5, 0.5), 180.0), blue("guard", (0.5, -0.6), 0.0)),
    "on the ropes": (red("cross", (1.0, -1.3), 40.0), blue("block", (1.8, -0.6), 220.0)),
    "apart": (red("rest", (-1.9, 1.9), 135.0), blue("rest", (1.9, -1.9), -45.0)),
    "down": (red("victory", (-0.9, 0.2), 90.0), blue("down", (0.7, -0.2), -90.0)),
}
Pair = tuple[PlacedFighter, PlacedFighter]


@pytest.fixture(params=list(PLACES.values()), ids=list(PLACES))
def pair(request: pytest.FixtureRequest) -> Pair:
    found: Pair = request.param
    return found


def test_the_cameras_that_films_need_are_there() -> None:
    assert set(cameras.names()) >= WANTED


@pytest.mark.parametrize("name", cameras.names())
def test_every_camera_says_what_it_is_for(name: str) -> None:
    assert len(cameras.about(name)) > 10


@pytest.mark.parametrize("name", sorted(set(cameras.names()) - {"pov"}))
def test_no_camera_stands_in_a_body(name: str, pair: Pair) -> None:
    eye = np.array(cameras.camera(name, pair).position)
    for fighter, other in (pair, pair[::-1]):
        joints = figure(fighter, other).joints
        assert np.linalg.norm(joints - eye, axis=1).min() > 0.4


@pytest.mark.parametrize("name", ["wide", "ringside", "high", "two_shot"])
def test_a_camera_of_the_action_has_both_heads_in_the_picture(name: str, pair: Pair) -> None:
    view = look_through(cameras.camera(name, pair), (1024, 576))
    for fighter, other in (pair, pair[::-1]):
        head = view.project(figure(fighter, other).joints[:5]).mean(axis=0)
        assert 0 < head[0] < 1024
        assert 0 < head[1] < 576


@pytest.mark.parametrize("subject", ["Rojas", "Okafor"])
def test_a_close_up_has_the_subjects_head_in_the_middle(subject: str, pair: Pair) -> None:
    view = look_through(cameras.camera("close_up", pair, subject=subject), (1024, 576))
    fighter, other = pair if pair[0].name == subject else pair[::-1]
    head = view.project(figure(fighter, other).joints[:5]).mean(axis=0)
    assert 200 < head[0] < 824
    assert 60 < head[1] < 516


def test_a_close_up_sees_the_face_and_not_the_back_of_the_head() -> None:
    for subject, facing in (("Rojas", 1.0), ("Okafor", -1.0)):
        camera = cameras.camera("close_up", (red(), blue()), subject=subject)
        fighter = (red(), blue())[subject == "Okafor"]
        assert facing * (camera.position[0] - fighter.position[0]) > 0.3


def test_over_the_shoulder_stands_behind_the_subject_and_looks_at_the_opponent() -> None:
    camera = cameras.camera("over_the_shoulder", (red(), blue()), subject="Rojas")
    assert camera.position[0] < red().position[0]
    assert camera.target[0] > 0.3


def test_cameras_stay_on_one_side_of_the_line_between_the_fighters() -> None:
    for name in ("wide", "ringside", "two_shot", "profile", "low", "high"):
        assert cameras.camera(name, (red(), blue())).position[2] > 0.5


@pytest.mark.parametrize("name", ["wide", "ringside"])
def test_no_rope_crosses_a_face(name: str) -> None:
    pair = (red(), blue())
    eye = np.array(cameras.camera(name, pair).position)
    for head in framing.action(pair, 0).heads:
        assert framing.rope_gap(eye, head) > 0.07


def test_a_longer_lens_stands_farther_off_and_shows_as_much() -> None:
    pair = (red(), blue())
    usual, long = cameras.camera("wide", pair), cameras.camera("wide", pair, lens_mm=60.0)
    assert long.lens_mm == 60.0
    distances = [np.linalg.norm(np.subtract(c.position, c.target)) / c.lens_mm for c in (usual, long)]
    assert distances[0] == pytest.approx(distances[1], rel=0.12)


def test_the_shot_list_may_choose_the_aperture() -> None:
    assert cameras.camera("wide", (red(), blue()), f_number=1.4).f_number == 1.4


def test_one_fighter_alone_can_be_framed_by_every_camera() -> None:
    for name in cameras.names():
        assert np.isfinite(cameras.camera(name, (red(),)).position).all()


def test_an_empty_ring_can_be_framed_by_every_camera() -> None:
    for name in cameras.names():
        assert np.isfinite(cameras.camera(name, ()).position).all()


def test_an_unknown_camera_is_named_with_the_nearest_and_the_remedy() -> None:
    with pytest.raises(BadInput, match=r"camera 'closeup' does not exist; did you mean 'close_up'.*or give position"):
        cameras.camera("closeup", (red(), blue()))


def test_an_unknown_subject_is_named_with_those_there_are() -> None:
    with pytest.raises(BadInput, match="'Ali' is not in the shot; use one of Rojas, Okafor"):
        cameras.camera("close_up", (red(), blue()), subject="Ali")
