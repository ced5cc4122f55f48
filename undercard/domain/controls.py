"""The control images that a keyframe can be drawn from: what each is for, and what a model is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

Picture: TypeAlias = Literal["frame", "depth", "skeleton", "normals"]
"""Of the pictures that the previz draws of a keyframe, by their names in `Control`."""


@dataclass(frozen=True, slots=True)
class ControlKind:
    """One kind of control image."""

    picture: Picture
    about: str
    """When to choose it, in a line."""
    is_what: str
    """What a prompt says that it is, and what to make of it: the words after `Picture 1`."""

    def told(self, number: int = 1) -> str:
        """Return what a prompt says of it as the model's picture *number*."""
        return f"Picture {number} {self.is_what}"


# Qwen-Image-Edit's prompt numbers its pictures as "Picture 1", "Picture 2" …
# (diffusers, pipeline_qwenimage_edit_plus.py), and it was trained with depth maps and OpenPose's skeletons among them
# (https://huggingface.co/Qwen/Qwen-Image-Edit-2509).
CONTROLS: Mapping[str, ControlKind] = {
    kind.picture: kind
    for kind in (
        ControlKind(
            "frame",
            "the previz frame: ring, light and poses are kept, and made real",
            "is a rough 3D render of this shot: turn it into a photograph with the same camera angle,"
            " framing, places, poses and light.",
        ),
        ControlKind(
            "depth",
            "a depth map: space and poses are kept, surfaces and light are the model's own",
            "is a depth map of this shot, brighter where nearer: follow its camera angle, framing, places and"
            " poses exactly, and do not show the map.",
        ),
        ControlKind(
            "skeleton",
            "the fighters' skeletons on black: only the poses are kept, ring and camera come from the words",
            "shows the fighters' skeletons in this shot, in OpenPose's colours on black: follow the pose,"
            " place and size of each exactly, and do not show the skeletons.",
        ),
        ControlKind(
            "normals",
            "a map of surface normals: shapes and poses are kept sharply, colours and light are the model's own",
            "is a map of this shot's surface normals: follow its camera angle, framing, shapes and poses"
            " exactly, and do not show the map.",
        ),
    )
}
DEFAULT = "frame"


def abouts() -> dict[str, str]:
    """Return each kind's name with when to choose it."""
    return {name: kind.about for name, kind in CONTROLS.items()}
