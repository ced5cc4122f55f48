"""One arm or leg of somebody, without the rest of him: what image models draw too much, for pictures to test with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from undercard.domain.staging import PlacedFighter
from undercard.previz import rig as rigs
from undercard.previz.figure import figure
from undercard.previz.mesh import Mesh

End: TypeAlias = Literal["lead", "rear"]
Kind: TypeAlias = Literal["arm", "leg"]

BONES = {"arm": ("upperarm", "lowerarm", "hand"), "leg": ("thigh", "calf", "foot", "ball")}
LEAST_CARRIED = 0.3
"""How much of a vertex the limb's bones carry: where they carry less it lies on the trunk, which hides the cut."""


@dataclass(frozen=True, slots=True)
class Limb:
    """An arm with its glove, or a leg with its boot and its side of the trunks."""

    fighter: PlacedFighter
    """In the pose that has the limb where it should be."""
    kind: Kind
    end: End


def limb_mesh(limb: Limb) -> Mesh:
    """Return the triangles of *limb*, on the stage."""
    fighter = limb.fighter
    rig = rigs.load(fighter.corner)
    side = "l" if (limb.end == "lead") == (fighter.stance == "orthodox") else "r"
    carried = rig.weights[:, [rig.index(f"{bone}_{side}") for bone in BONES[limb.kind]]].sum(axis=1)
    kept = (carried > LEAST_CARRIED)[rig.faces].all(axis=1)
    body = figure(fighter, None).meshes[0]
    return replace(body, faces=body.faces[kept], face_materials=body.face_materials[kept])
