"""How well somebody stands where he should: PCK and OKS.

PCK is the share of joints that lie near their place (Yang and Ramanan, "Articulated Human Detection with Flexible
Mixtures of Parts", 2013), OKS the mean nearness that COCO's evaluation uses; both over the joints that can be seen.
Left is the person's own left, so a mirrored pose is a wrong one: its joints lie on the wrong side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from undercard.gate.vision.networks import Floats
from undercard.gate.vision.pose import JOINTS, Box, Person

Flags: TypeAlias = NDArray[np.bool_]

REACH = 0.1
"""A joint is in its place when it is no farther off than this share of the person's height."""
OUTLINE = 0.53
"""Area of a person's outline over that of the box around it, which evaluations of OKS take where no outline is known
(xtcocotools, cocoeval.py)."""
LEAST_AREA = 0.05
"""Of the box, in squares of the person's height, for whoever stands in one upright line."""
MIRRORED = np.array([0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15])
"""Each joint's opposite."""
# COCO's own sigmas, doubled as pycocotools does.
_FALLOFF = 2.0 * np.array(
    [0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089,
     0.089]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Target:
    """Where somebody's joints should be."""

    name: str
    xy: Floats
    """Shape (17, 2), px; in the order of `pose.JOINTS`, also of joints outside the picture."""
    seen: Flags
    """Shape (17,): in the picture, and nothing hides it."""
    in_frame: Flags
    """Shape (17,): in the picture, whatever hides it."""

    @property
    def height(self) -> float:
        """The longer side of the box around all joints, px: head to toe, however he lies."""
        return float(np.ptp(self.xy, axis=0).max())

    @property
    def box(self) -> Box:
        """Around the joints in the picture; (0, 0, 0, 0) without any."""
        if not self.in_frame.any():
            return 0.0, 0.0, 0.0, 0.0
        left, top = self.xy[self.in_frame].min(axis=0)
        right, bottom = self.xy[self.in_frame].max(axis=0)
        return float(left), float(top), float(right), float(bottom)


@dataclass(frozen=True, slots=True)
class Adherence:
    """How well one person takes the pose that somebody should."""

    pck: float
    """Share of the seen joints that are in their place, 0…1."""
    oks: float
    """Mean nearness of the seen joints, 0…1."""
    mirrored_pck: float
    """The same as `pck` if left and right were exchanged."""
    off: tuple[str, ...]
    """The seen joints that are out of place."""

    @property
    def fit(self) -> float:
        """PCK, less what it would gain if left and right were exchanged.

        Who faces us in his guard has most joints near his middle: mirrored, three in four still lie near their place.
        """
        return self.pck - max(0.0, self.mirrored_pck - self.pck)


def adherence(person: Person, target: Target) -> Adherence:
    """Compare *person* with *target*; without a seen joint there is nothing that could be off."""
    if not target.seen.any():
        return Adherence(1.0, 1.0, 1.0, ())
    apart = _apart(person.xy, target)
    near = apart <= REACH
    mirrored = _apart(person.xy[MIRRORED], target) <= REACH
    width, height = np.ptp(target.xy, axis=0) / max(target.height, 1.0)
    oks = np.exp(-(apart**2) / (2.0 * _FALLOFF**2 * OUTLINE * max(float(width * height), LEAST_AREA)))
    return Adherence(
        pck=float(near[target.seen].mean()),
        oks=float(oks[target.seen].mean()),
        mirrored_pck=float(mirrored[target.seen].mean()),
        off=tuple(name for name, good, seen in zip(JOINTS, near, target.seen, strict=True) if seen and not good),
    )


def _apart(xy: Floats, target: Target) -> NDArray[np.float64]:
    """Return how far each joint is from its place, in heights of the person."""
    apart: NDArray[np.float64] = np.linalg.norm(xy.astype(np.float64) - target.xy, axis=1) / max(target.height, 1.0)
    return apart
