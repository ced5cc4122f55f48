"""The names that a shot list may use, each with a line that says what it is."""

from __future__ import annotations

from undercard.domain import controls
from undercard.film.lettering.graphics import GRAPHICS
from undercard.film.motion.motions import MOTIONS
from undercard.film.motion.transitions import TRANSITIONS
from undercard.film.sound.synthesis import SOUNDS
from undercard.previz import cameras, lights, poses


def everything() -> dict[str, dict[str, str]]:
    """Return the names of each kind with their descriptions."""
    return {
        "poses": {name: poses.pose_card(name) for name in poses.names()},
        "cameras": {name: cameras.about(name) for name in cameras.names()},
        "controls": controls.abouts(),
        "lights": {name: lights.about(name) for name in lights.names()},
        "motions": {name: motion.about for name, motion in MOTIONS.items()},
        "graphics": {name: kind.about for name, kind in GRAPHICS.items()},
        "transitions": {name: kind.about for name, kind in TRANSITIONS.items()},
        "sounds": {name: kind.about for name, kind in SOUNDS.items()},
    }
