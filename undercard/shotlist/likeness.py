"""Whose likeness a model keeps, and from which picture: the user's own, or a sheet that the previz draws.

A sheet shows a fighter in his look from the front and three-quarter, before grey paper, whatever happens in the ring;
one is drawn for each look. The request for it decides its pixels, as for any picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from undercard.backends.previz import BACKEND as PREVIZ
from undercard.domain.requests import SEED_LIMIT, RenderRequest, Size
from undercard.domain.staging import Camera, PlacedFighter, Staging
from undercard.previz import poses
from undercard.previz.sight import Sighting
from undercard.shotlist import direction
from undercard.shotlist.models import ShotList
from undercard.shotlist.staged import CastMember

LIKENESSES = 2
"""Pictures of fighters beside the control image: Qwen-Image-Edit takes one to three images in all."""
REVISION = 1
"""Raised whenever the same look would give another sheet."""
SHEET_SIZE: Size = (1024, 1024)
"""The model's own area: it resizes every reference to about as many pixels."""
SHEET_SEED = SEED_LIMIT
"""No take's, as of all that takes are drawn from."""
SHEET_POSE = "rest"
SHEET_VIEWS = {"front": (-0.44, 0.0), "three-quarter": (0.44, 40.0)}
"""Where he stands across the picture, metres, and how far he turns to his left, degrees."""
SHEET_CAMERA = Camera(position=(0.0, 1.02, 6.4), target=(0.0, 0.93, 0.0), lens_mm=112.0)
"""A long lens, which keeps his proportions."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """A fighter, and the picture that a model knows him by."""

    fighter: str
    """His id in the cast."""
    source: Path | RenderRequest
    """The user's picture of him, or what to draw."""

    @property
    def sheet(self) -> RenderRequest | None:
        """What to draw; None where the user has a picture."""
        return None if isinstance(self.source, Path) else self.source


def likeness(name: str, member: CastMember) -> Likeness:
    """Return the likeness of *member*, who is called *name* in the cast."""
    return Likeness(name, member.reference or sheet_request(member))


def kept(shot_list: ShotList, sightings: Sequence[Sighting]) -> tuple[Sighting, ...]:
    """Return whose likenesses a model is given, in the order of their pictures: those that one would know."""
    return tuple(
        seen
        for seen in sightings
        if seen.recognisable and (shot_list.sheets or shot_list.cast[seen.name].reference is not None)
    )[:LIKENESSES]


def sheet_request(member: CastMember) -> RenderRequest:
    """Return what the previz is to draw as the sheet of *member*: the same for whoever looks the same."""
    pose, look = poses.pose(SHEET_POSE), direction.look(member)
    views = tuple(
        PlacedFighter(view, member.corner, look, member.stance, pose, (across, 0.0), turn)
        for view, (across, turn) in SHEET_VIEWS.items()
    )
    return RenderRequest(
        prompt="",
        negative_prompt="",
        seed=SHEET_SEED,
        size=SHEET_SIZE,
        staging=Staging(camera=SHEET_CAMERA, fighters=views, light="studio"),
        renderer=f"{PREVIZ.name} {PREVIZ.revision} sheet {REVISION}",
    )
