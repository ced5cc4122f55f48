"""Whom a camera sees, where, and whether one would know him."""

from __future__ import annotations

from dataclasses import replace

from tests.previz.stagings import red, staged
from undercard.domain.staging import Camera, Staging
from undercard.previz import cameras
from undercard.previz.figure import figure
from undercard.previz.frame import COCO
from undercard.previz.sight import sighted

SIZE = (512, 288)
LEFT_WRIST = COCO.index("left_wrist")


def seen_by(camera: Camera) -> dict[str, bool]:
    """Return whom *camera* sees of two who face each other, and whether one would know him."""
    return {seen.name: seen.recognisable for seen in sighted(replace(staged(), camera=camera), SIZE)}


def test_two_who_are_whole_in_the_frame_are_seen_from_left_to_right_in_the_stagings_order() -> None:
    staging = replace(staged(), camera=cameras.camera("wide", staged().fighters))

    red, blue = sighted(staging, SIZE)

    assert (red.name, blue.name) == tuple(fighter.name for fighter in staging.fighters)
    assert red.recognisable
    assert blue.recognisable
    assert 0.2 < red.across < blue.across < 0.8


def test_who_is_outside_a_close_up_is_not_seen() -> None:
    staging = staged()
    red = staging.fighters[0].name

    assert seen_by(cameras.camera("close_up", staging.fighters, subject=red)) == {red: True}


def test_who_is_behind_the_camera_is_not_seen() -> None:
    away = Camera(position=(0.0, 1.5, 4.0), target=(0.0, 1.5, 8.0), lens_mm=35.0)

    assert seen_by(away) == {}


def test_a_glove_alone_is_seen_and_nobody_would_know_whose_it_is() -> None:
    puncher = red("jab")
    x, y, z = (float(value) for value in figure(puncher, None).joints[LEFT_WRIST])
    camera = Camera(position=(x, y, z + 0.5), target=(x, y, z), lens_mm=70.0)

    (seen,) = sighted(staged(puncher, camera=camera), SIZE)

    assert not seen.recognisable
    assert 0.45 < seen.across < 0.55


def test_a_staging_without_fighters_shows_nobody() -> None:
    assert sighted(Staging(camera=staged().camera, fighters=(), light="stage"), SIZE) == ()
