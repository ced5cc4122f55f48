"""Draws a staging: boxers in a ring, lit and ray-traced on the CPU, with depth, normals, owners and keypoints."""

from __future__ import annotations

import numpy as np

from undercard.domain.staging import PlacedFighter, Staging, Vec3
from undercard.errors import BadInput
from undercard.previz import exposure, illumination, lights, passes
from undercard.previz.bands import bands
from undercard.previz.figure import Figure, figure
from undercard.previz.frame import Frame, Keypoints
from undercard.previz.lights import Light
from undercard.previz.limbs import Limb, limb_mesh
from undercard.previz.mesh import Floats, Mesh
from undercard.previz.picture import Sampling, Shot
from undercard.previz.ring import ring
from undercard.previz.scene import Scene
from undercard.previz.view import View, look_through

Quality = Sampling
DRAFT = Sampling(key=2, rim=1, sky=2, edge=0)
"""For looking at timing and framing: rough edges, rough shadows."""
FINAL = Sampling(key=4, rim=1, sky=5, edge=4)
"""For films."""

_JOINT_DEPTH = np.array(
    # nose, eyes, ears, shoulders, elbows, wrists (in their gloves), hips, knees, ankles (in their boots)
    [0.06, 0.05, 0.05, 0.09, 0.09, 0.13, 0.13, 0.08, 0.08, 0.11, 0.11, 0.17, 0.17, 0.11, 0.11, 0.11, 0.11]
)  # fmt: skip
"""How deep each of COCO's joints lies under the surface that shows it, metres, with some room."""


def draw(
    staging: Staging, size: tuple[int, int], seed: int, quality: Quality = FINAL, limbs: tuple[Limb, ...] = ()
) -> Frame:
    """Draw *staging* at *size* (width, height) px, in the ring; *limbs* are drawn beside it, one too many each.

    The same arguments give the same bytes on the same machine, however many threads it has; *seed* decides the grain
    and which cameras flash in the crowd, never the action. Several threads may draw at once.

    Raises:
        BadInput: the light is unknown or the size has no pixels.
    """
    return draw_within(ring(), lights.light(staging.light), staging, size, seed, quality, limbs)


def draw_within(
    surroundings: Mesh,
    light: Light,
    staging: Staging,
    size: tuple[int, int],
    seed: int,
    quality: Quality = FINAL,
    limbs: tuple[Limb, ...] = (),
) -> Frame:
    """Draw the fighters of *staging* within *surroundings* and under *light*, in place of the ring and its own light.

    Raises:
        BadInput: the size has no pixels.
    """
    width, height = size
    if width < 8 or height < 8:
        raise BadInput(f"cannot draw {width}×{height} px; the smallest picture is 8×8")
    illumination.build_surroundings()
    figures = _figures(staging.fighters)
    bodies = [*(one.meshes for one in figures), *((limb_mesh(limb),) for limb in limbs)]
    scene = Scene([(surroundings, 0), *((mesh, owner) for owner, body in enumerate(bodies, 1) for mesh in body)])
    view = look_through(staging.camera, size)
    with bands() as pool:
        shot = Shot(view, scene, light, _middle(staging.fighters), quality, seed, pool)
        seen = passes.see(shot)
        half = illumination.light_up(shot, seen)
        linear, surface = passes.colour(shot, seen, half)
        passes.clean_edges(shot, half, linear, surface)
        depth = np.ascontiguousarray(surface[:, :, 0])
        focus = float(np.linalg.norm(np.subtract(staging.camera.target, staging.camera.position)))
        image = exposure.expose(shot, linear, depth, focus, staging.camera.lens_mm, staging.camera.f_number)
    return Frame(
        image=image,
        depth=depth,
        normals=np.ascontiguousarray(surface[:, :, 1:4]),
        fighters=np.maximum(surface[:, :, 4], 0.0).astype(np.uint8),
        keypoints=find_keypoints(scene, view, staging.fighters, figures, tuple(limb.fighter.name for limb in limbs)),
    )


def find_keypoints(
    scene: Scene,
    view: View,
    fighters: tuple[PlacedFighter, ...],
    figures: list[Figure],
    besides: tuple[str, ...] = (),
) -> tuple[Keypoints, ...]:
    """Project every joint and say what hides it.

    A ray goes from the eye to each joint. A joint lies inside its limb, so that the ray always meets something first:
    when that is the joint's own fighter, no farther before it than the limb is thick there, the joint is visible. Any
    other thing hides it, the fighter's own arm or back of the head included. *besides* tells whose limbs come after
    the fighters among the owners.
    """
    names = ("ring", *(fighter.name for fighter in fighters), *besides)
    found = []
    for index, (fighter, one) in enumerate(zip(fighters, figures, strict=True)):
        pixels = view.project(one.joints)
        inside = (pixels[:, 0] >= 0) & (pixels[:, 0] < view.width)
        inside &= (pixels[:, 1] >= 0) & (pixels[:, 1] < view.height) & (pixels[:, 2] > 0)
        owners, gaps = _first_met(scene, view, one.joints)
        mine = (owners == index + 1) & (gaps <= _JOINT_DEPTH)
        open_to_eye = (gaps <= 0.0) | mine
        hidden_by = tuple(
            "" if clear or not seen else names[owner]
            for clear, seen, owner in zip(open_to_eye, inside, owners, strict=True)
        )
        xy = np.ascontiguousarray(pixels[:, :2])
        found.append(Keypoints(fighter.name, xy, inside, inside & open_to_eye, hidden_by))
    return tuple(found)


def _first_met(scene: Scene, view: View, joints: Floats) -> tuple[np.ndarray, np.ndarray]:
    """Return who owns what the eye meets on the way to each joint, and how far before the joint that is."""
    way = joints - view.eye
    length = np.maximum(np.linalg.norm(way, axis=1), 1e-6)
    directions = (way / length[:, None]).astype(np.float32)
    hits = scene.cast(np.broadcast_to(view.eye, way.shape), directions)
    met = hits.triangle >= 0
    owners = scene.materials[scene.face_materials[np.where(met, hits.triangle, 0)], 6].astype(int)
    gaps = np.where(met, length - hits.distance, 0.0)
    return owners, gaps


def _figures(fighters: tuple[PlacedFighter, ...]) -> list[Figure]:
    """Return the figure of each fighter; with two on the stage, each is the other's opponent."""
    return [figure(fighter, next((other for other in fighters if other is not fighter), None)) for fighter in fighters]


def _middle(fighters: tuple[PlacedFighter, ...]) -> Vec3:
    """Return the middle of the fighters on the canvas."""
    if not fighters:
        return (0.0, 0.0, 0.0)
    x, z = np.mean([fighter.position for fighter in fighters], axis=0)
    return (float(x), 0.0, float(z))
