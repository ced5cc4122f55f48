"""What the gate is shown of a picture that somebody names: alone, or as a keyframe of a shot."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from undercard import backends
from undercard.domain.requests import SEED_LIMIT, Size
from undercard.domain.staging import Staging
from undercard.errors import BadInput, UnreadableImage
from undercard.gate.evidence import Evidence
from undercard.gate.pictures import Pixels
from undercard.shotlist import direction
from undercard.shotlist.likeness import likeness
from undercard.shotlist.load import select_shots
from undercard.shotlist.models import ShotList

SHEET_SIZE = (512, 512)
"""Of a sheet that is only compared with; models are given four times as many pixels."""


def alone(picture: Path, size: Size | None, backend: str) -> Evidence:
    """Return *picture* with nothing beside it; it should have *size*, or what it has when None.

    Raises:
        UnreadableImage: it cannot be decoded.
    """
    return Evidence(picture, size or _size(picture), backend=backend)


def of_shot(
    pictures: Sequence[Path], shot_list: ShotList, shot_id: str, first: int, size: Size | None, backend: str
) -> list[Evidence]:
    """Return *pictures* as the keyframes of a shot from the *first* on, counted from 1.

    The previz frames that they are held against are drawn, and so are the sheets of fighters without a picture.

    Args:
        pictures: one a keyframe, in order.
        shot_list: where the shot is.
        shot_id: its id or number.
        first: which keyframe the first picture is.
        size: what they should have; the list's own when None.
        backend: what drew them; of the previz nothing is drawn, since its pictures are their own control images.

    Raises:
        UnknownShots: the list has no such shot.
        BadInput: more than one is meant, or it has fewer keyframes than there are pictures.
    """
    found = select_shots(shot_list.shots, shot_id)
    if len(found) != 1:
        raise BadInput(f"--shot {shot_id!r} means {len(found)} shots; name one")
    stagings = [staging for _, staging in direction.stagings(shot_list, found[0])]
    last = first + len(pictures) - 1
    if last > len(stagings):
        raise BadInput(
            f"shot {found[0].id!r} has {len(stagings)} keyframes, and the pictures would be {first} to {last};"
            " give fewer, or a smaller --keyframe"
        )
    wanted = size or shot_list.size
    draws_itself = backends.draws_itself(backend)
    references = [] if draws_itself else _references(shot_list, stagings[first - 1])
    evidences = []
    for index, picture in enumerate(pictures):
        now = stagings[first - 1 + index]
        control, keypoints = _drawn(now, wanted)
        # Without a picture of the keyframe before, nothing is said of jumps and repetitions.
        before = pictures[index - 1] if index else None
        then = stagings[first - 2 + index] if index else now
        evidences.append(
            Evidence(
                picture,
                wanted,
                neighbours=[before] if before is not None and then != now else [],
                before=before,
                control=None if draws_itself else control,
                references=references,
                staging=now,
                keypoints=keypoints,
                backend=backend,
                before_control=_drawn(then, wanted)[0] if before is not None and not draws_itself else None,
                draws_itself=draws_itself,
            )
        )
    return evidences


def _drawn(staging: Staging, size: Size) -> tuple[Pixels, dict[str, object]]:
    """Return the previz frame of *staging* and where the joints should be."""
    # The renderer brings its compiler with it.
    from undercard.previz import maps
    from undercard.previz.render import draw

    frame = draw(staging, size, SEED_LIMIT)
    keypoints: dict[str, object] = json.loads(maps.keypoints_json(frame))
    return frame.image, keypoints


def _references(shot_list: ShotList, staging: Staging) -> list[Pixels | Path]:
    """Return the fighters' pictures in the order of *staging*: the user's own, or sheets."""
    from undercard.previz import studio

    found: list[Pixels | Path] = []
    for fighter in staging.fighters:
        known = likeness(fighter.name, shot_list.cast[fighter.name])
        sheet = known.sheet
        if isinstance(known.source, Path):
            found.append(known.source)
        elif sheet is not None:
            found.append(np.asarray(studio.draw(sheet.staging, SHEET_SIZE, sheet.seed)))
    return found


def _size(picture: Path) -> Size:
    try:
        with Image.open(picture) as image:
            return image.size
    except OSError as exc:
        raise UnreadableImage(f"{picture} cannot be read as a picture: {exc}; name another") from exc
