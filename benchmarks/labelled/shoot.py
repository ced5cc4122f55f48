"""What is drawn of a scene: the pictures that its examples are made of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from benchmarks.labelled.edits import Grade, grade, redrawn
from benchmarks.labelled.scenes import Scene, scene
from undercard.domain.requests import SEED_LIMIT, Size
from undercard.domain.staging import Camera, PlacedFighter, Staging
from undercard.gate.evidence import Evidence
from undercard.gate.pictures import Pixels
from undercard.previz import studio
from undercard.previz.frame import Keypoints
from undercard.previz.maps import keypoints_json
from undercard.previz.poses import pose
from undercard.previz.render import draw

BACKEND = "stand-in"
"""What the examples say drew them."""
LEAST_CHANGE = 24
"""Levels of some pixel; both keyframes have the same grain."""
SHEET_SIZE = (320, 320)
SHEET_CAMERA = Camera(position=(0.0, 1.02, 6.4), target=(0.0, 0.93, 0.0), lens_mm=112.0)
SHEET_VIEWS = ((-0.44, 0.0), (0.44, 40.0))
"""Where he stands across the picture, metres, and how far he turns, degrees."""


@dataclass(frozen=True, slots=True)
class Shoot:
    """The pictures of one scene."""

    scene: Scene
    size: Size
    look: Grade
    control: Pixels
    before_control: Pixels
    picture: Pixels
    """The good keyframe: the control image as a model would edit it."""
    other_take: Pixels
    """The same from another seed."""
    before: Pixels
    """The keyframe before it in the same shot."""
    sheets: tuple[Pixels, ...]
    joints: tuple[Keypoints, ...]
    """Where they are in the control image."""
    keypoints: Mapping[str, object]
    """The same as JSON has it."""

    @property
    def seed(self) -> int:
        """Of the scene."""
        return self.scene.seed

    @property
    def changes(self) -> bool:
        """Whether the two keyframes look different as they are staged; what moved may be out of the picture."""
        return bool(np.abs(self.control.astype(np.int16) - self.before_control).max() > LEAST_CHANGE)

    def evidence(self, pixels: Pixels, takes: Sequence[Pixels] = ()) -> Evidence:
        """Return *pixels* as a model's picture of the scene, with all that lies beside it."""
        return Evidence(
            pixels,
            self.size,
            neighbours=(self.before,),
            before=self.before,
            takes=takes,
            control=self.control,
            references=self.sheets,
            staging=self.scene.now,
            keypoints=self.keypoints,
            backend=BACKEND,
            before_control=self.before_control,
        )

    def own_evidence(self) -> Evidence:
        """Return the control image as what it is when the previz renders the film."""
        return Evidence(
            self.control,
            self.size,
            neighbours=(self.before_control,),
            before=self.before_control,
            staging=self.scene.now,
            keypoints=self.keypoints,
            backend="previz",
            draws_itself=True,
        )

    def edit(self, drawn: Pixels, seed: int) -> Pixels:
        """Return *drawn* edited in the look of the scene."""
        return redrawn(drawn, self.look, np.random.default_rng([self.seed, seed]))

    def sheet_as_frame(self, *, cropped: bool) -> Pixels:
        """Return the first sheet at the frame's size, with its sides cut off or the whole of it stretched."""
        sheet = Image.fromarray(self.sheets[0])
        return np.asarray(ImageOps.fit(sheet, self.size) if cropped else sheet.resize(self.size))


def shoot(seed: int, size: Size) -> Shoot:
    """Draw the scene of *seed* at *size* (width, height) px."""
    shown = scene(seed)
    frame = draw(shown.now, size, SEED_LIMIT + seed)
    before = draw(shown.before, size, SEED_LIMIT + seed).image
    look = grade(np.random.default_rng([6, seed]))
    rngs = [np.random.default_rng([7, seed, number]) for number in range(3)]
    picture, other_take, earlier = (
        redrawn(each, look, rng) for each, rng in zip((frame.image, frame.image, before), rngs, strict=True)
    )
    # As if decoded from files: what is made of them is remembered from one example to the next.
    for each in (frame.image, before, picture, other_take, earlier):
        each.flags.writeable = False
    return Shoot(
        scene=shown,
        size=size,
        look=look,
        control=frame.image,
        before_control=before,
        picture=picture,
        other_take=other_take,
        before=earlier,
        sheets=tuple(_sheet(fighter) for fighter in shown.now.fighters),
        joints=frame.keypoints,
        keypoints=json.loads(keypoints_json(frame)),
    )


def _sheet(fighter: PlacedFighter) -> Pixels:
    views = tuple(
        PlacedFighter(f"{turn:.0f}", fighter.corner, fighter.look, fighter.stance, pose("rest"), (across, 0.0), turn)
        for across, turn in SHEET_VIEWS
    )
    return np.asarray(studio.draw(Staging(SHEET_CAMERA, views, "studio"), SHEET_SIZE, SEED_LIMIT))
