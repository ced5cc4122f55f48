"""Cameras by name: each finds its own place from where the fighters stand, so that a shot list need not."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from undercard.domain.staging import Camera, PlacedFighter
from undercard.errors import BadInput
from undercard.previz import framing
from undercard.previz.framing import Action, Spot


class Setup(BaseModel):
    """One camera of cameras.toml; the file's head says what each field means."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    about: str
    frames: Literal["action", "subject", "shoulder", "corner", "eyes"]
    azimuth: float = Field(ge=-180, le=180)
    height: float
    aim: float
    width: float = Field(gt=0)
    lens_mm: float = Field(gt=0)
    f_number: float = Field(ge=0)
    inside: bool = False
    outside: bool = False
    plumb: bool = False


def names() -> tuple[str, ...]:
    """Return the name of every camera."""
    return tuple(_setups())


def about(name: str) -> str:
    """Return one line on the camera called *name*.

    Raises:
        BadInput: there is no such camera.
    """
    return _setup(name).about


def camera(
    name: str,
    fighters: Sequence[PlacedFighter],
    *,
    subject: str | None = None,
    lens_mm: float | None = None,
    f_number: float | None = None,
) -> Camera:
    """Return the camera called *name*, set up for *fighters* as they stand.

    A longer lens moves a camera back so that the picture shows as much as before; where ropes keep a camera inside,
    it stays and the lens gives way.

    Args:
        name: One of `names()`.
        fighters: One or two as a rule; with none, the camera looks at the middle of the ring.
        subject: Name of the fighter that the camera is about; the first when None. Cameras that frame the action
            take no notice.
        lens_mm: Instead of the camera's own.
        f_number: Instead of the camera's own; 0 keeps everything sharp.

    Raises:
        BadInput: there is no such camera, or no fighter called *subject*.
    """
    setup = _setup(name)
    changes = {"lens_mm": lens_mm, "f_number": f_number}
    setup = setup.model_copy(update={key: value for key, value in changes.items() if value is not None})
    action = framing.action(fighters, _subject_index(fighters, subject))
    if not fighters or setup.frames == "action":
        spot = _of_action(setup, action)
    else:
        spot = {"subject": _of_subject, "shoulder": _over_shoulder, "corner": _before_corner, "eyes": _through_eyes}[
            setup.frames
        ](setup, action)
    position = tuple(round(float(value), 4) for value in spot.eye)
    target = tuple(round(float(value), 4) for value in spot.target)
    return Camera(
        position=(position[0], position[1], position[2]),
        target=(target[0], target[1], target[2]),
        lens_mm=round(spot.lens_mm, 3),
        f_number=setup.f_number,
    )


def _of_action(setup: Setup, action: Action) -> Spot:
    """Stand square to the line between the fighters, turned by the azimuth, far enough to show them both."""
    way = framing.turned(action.side, setup.azimuth)
    low, high = framing.head_range(action)
    aim = min(setup.aim, (low + high) / 2)
    target = np.array([action.middle[0], aim, action.middle[2]])
    if setup.plumb:
        # A hand's breadth off the vertical, so that the picture's top is the far side of the ring.
        eye = target + way * 0.05
        eye[1] = setup.height
        needed = setup.width + action.apart * 0.5
        return Spot(eye, target, 36.0 * (setup.height - setup.aim) / needed)
    across = setup.width + action.apart * abs(float(np.cos(np.radians(setup.azimuth))))
    width = max(across, framing.PICTURE_ASPECT * (high - low + 0.8))
    spot = framing.back_off(target, way, width, setup.lens_mm, setup.height)
    if setup.inside:
        return framing.between_ropes(spot, width, action)
    if setup.outside:
        spot = framing.beyond_ropes(spot, width)
    return framing.past_ropes(spot, action)


def _of_subject(setup: Setup, action: Action) -> Spot:
    """Stand before the subject's face, on the side from which nothing hides it."""
    head = action.heads[action.subject]
    follow = head - (0.0, framing.HEAD_HEIGHT, 0.0)
    target = np.array([follow[0], setup.aim + follow[1], follow[2]])
    height = max(setup.height + 0.8 * follow[1], 0.25)
    facing = action.looks[action.subject]
    spots = []
    for azimuth in framing.candidates(setup.azimuth, facing, action.side):
        spot = framing.back_off(target, framing.turned(facing, azimuth), setup.width, setup.lens_mm, height)
        spots.append(framing.between_ropes(spot, setup.width, action) if setup.inside else spot)
    return framing.clearest(spots, action)


def _over_shoulder(setup: Setup, action: Action) -> Spot:
    """Stand behind the subject, beside the shoulder on the house's side, and look at the opponent."""
    facing = action.facings[action.subject]
    other = action.other()
    origin = action.feet[action.subject]
    if other is None:
        seen = origin + facing * 2.0 + (0.0, setup.aim, 0.0)
    else:
        seen = action.heads[other] - (0.0, framing.HEAD_HEIGHT - setup.aim, 0.0)
        level = (seen - origin) * (1.0, 0.0, 1.0)
        facing = level / max(float(np.linalg.norm(level)), 1e-6)
    spots = []
    for sign in framing.sides(facing, action.side):
        eye = origin - framing.turned(facing, sign * setup.azimuth) * 0.92
        eye[1] = setup.height
        spots.append(framing.between_ropes(Spot(eye, seen, setup.lens_mm), None, action))
    return framing.clearest(spots, action)


def _before_corner(setup: Setup, action: Action) -> Spot:
    """Stand on the line from the subject's corner through the subject, looking back at both."""
    subject = action.feet[action.subject]
    way = framing.from_corner(action.corners[action.subject], subject)
    follow = action.heads[action.subject][1] - framing.HEAD_HEIGHT
    target = np.array([subject[0], max(setup.aim + 0.6 * follow, 0.4), subject[2]])
    spots = [
        framing.between_ropes(
            framing.back_off(target, framing.turned(way, azimuth), setup.width, setup.lens_mm, setup.height),
            setup.width,
            action,
        )
        for azimuth in (setup.azimuth, -setup.azimuth, 2.5 * setup.azimuth, -2.5 * setup.azimuth)
    ]
    return framing.clearest(spots, action)


def _through_eyes(setup: Setup, action: Action) -> Spot:
    """Stand where the subject's eyes are, a hand before the face, and look at the opponent."""
    facing = action.facings[action.subject]
    eye = action.heads[action.subject] + facing * 0.2
    other = action.other()
    seen = eye + facing * 2.0 if other is None else action.heads[other] - (0.0, 0.22, 0.0)
    return Spot(eye, seen, setup.lens_mm)


def _subject_index(fighters: Sequence[PlacedFighter], subject: str | None) -> int:
    if subject is None:
        return 0
    known = [fighter.name for fighter in fighters]
    if subject not in known:
        raise BadInput(f"camera subject {subject!r} is not in the shot; use one of {', '.join(known) or 'nobody'}")
    return known.index(subject)


def _setup(name: str) -> Setup:
    setups = _setups()
    if name not in setups:
        near = difflib.get_close_matches(name, setups, n=2)
        hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise BadInput(
            f"camera {name!r} does not exist; {hint}use one of {', '.join(setups)}, or give position, target and "
            "lens_mm"
        )
    return setups[name]


@lru_cache(maxsize=1)
def _setups() -> dict[str, Setup]:
    text = resources.files("undercard.previz").joinpath("cameras.toml").read_text("utf-8")
    return {name: Setup.model_validate(entry) for name, entry in tomllib.loads(text).items()}
