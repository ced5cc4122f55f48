"""What a model is given beside the prompt: the control image of a keyframe, and pictures of whom it shows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from undercard.backends.previz import BACKEND as PREVIZ
from undercard.domain import controls, pictures
from undercard.domain.controls import CONTROLS
from undercard.domain.requests import SEED_LIMIT, Control, RenderRequest, Sheet
from undercard.gate.repairs import Treatment
from undercard.shotlist.likeness import Likeness
from undercard.shotlist.prompts import likenesses_with
from undercard.store import Store, StoredFile

DRAWN = f"{PREVIZ.name} {PREVIZ.revision}"
"""What a request that the previz answers calls its renderer."""


def follows_itself(request: RenderRequest) -> bool:
    """Say whether the control image of *request* is the very picture that it asks for, as with the previz."""
    return request.renderer == DRAWN


def control_request(request: RenderRequest) -> RenderRequest:
    """Return the request that the previz answers with the control image of *request*.

    Its seed is no take's, unless it is the very picture that is asked for.
    """
    if follows_itself(request):
        return request
    return RenderRequest(
        prompt="",
        negative_prompt="",
        seed=SEED_LIMIT + request.seed,
        size=request.size,
        staging=request.staging,
        renderer=DRAWN,
    )


def draw_control(request: RenderRequest, store: Store) -> Control:
    """Draw the previz frame of *request* and its maps, and keep them in *store*.

    Raises:
        StoreError: they cannot be stored.
    """
    # The renderer brings its compiler with it, which a run that finds everything cached does not need.
    from undercard.previz import maps
    from undercard.previz.render import draw

    start = time.monotonic()
    frame = draw(request.staging, request.size, request.seed)
    return Control(
        key=request.key,
        frame=pictures.stored(Image.fromarray(frame.image), store),
        depth=pictures.stored(maps.depth_image(frame), store),
        normals=pictures.stored(maps.normals_image(frame), store),
        skeleton=pictures.stored(maps.skeleton_image(frame), store),
        keypoints=store.put_bytes(maps.keypoints_json(frame), ".json"),
        seconds=round(time.monotonic() - start, 3),
    )


def draw_sheet(fighter: str, request: RenderRequest, store: Store) -> Sheet:
    """Draw the character sheet that *request* asks for, and store it.

    Args:
        fighter: whose, by his id in the cast.
        request: of `likeness.sheet_request`.
        store: where it is kept.

    Raises:
        StoreError: it cannot be stored.
    """
    # As above.
    from undercard.previz import studio

    start = time.monotonic()
    picture = pictures.stored(studio.draw(request.staging, request.size, request.seed), store)
    return Sheet(key=request.key, fighter=fighter, picture=picture, seconds=round(time.monotonic() - start, 3))


def conditioned(
    request: RenderRequest,
    control: Control,
    store: Store,
    kind: str = controls.DEFAULT,
    likenesses: Sequence[Likeness] = (),
    sheets: Iterable[Sheet] = (),
    treated: Treatment | None = None,
    neighbour: StoredFile | None = None,
) -> RenderRequest:
    """Return *request* with the pictures that a model follows: the control image, then whom it shows.

    Where it is *treated*, their order and number are those that its prompt speaks of.

    Args:
        request: of a backend that is prompted.
        control: what the previz drew of it.
        store: where the pictures are.
        kind: which of its pictures the model gets; one of `CONTROLS`.
        likenesses: whom the model is to know, in the order that the prompt numbers them.
        sheets: every one that *likenesses* asks for is among them.
        treated: what repairs come to.
        neighbour: the picture of the keyframe before, for a treatment that shows it.

    Raises:
        KeyError: a sheet is missing.
        StoreError: a picture cannot be stored.
    """
    treated = treated or Treatment(kind)
    first = _control_picture(control, treated.control, store)
    staged = [first, neighbour] if treated.neighbour and neighbour is not None else [first]
    known = pictures_of(likenesses, sheets, store)[: likenesses_with(treated)]
    shown = [*known, *staged] if treated.anchored else [*staged, *known]
    return replace(request, control=first.sha256, references=tuple(picture.sha256 for picture in shown))


def pictures_of(likenesses: Sequence[Likeness], sheets: Iterable[Sheet], store: Store) -> tuple[StoredFile, ...]:
    """Return the pictures of fighters that a model is given, in the order of *likenesses*.

    Raises:
        KeyError: a sheet is missing.
        StoreError: a picture cannot be stored.
    """
    drawn = {sheet.key: sheet.picture for sheet in sheets}
    return tuple(_picture(likeness, drawn, store) for likeness in likenesses)


def lacking(likenesses: Iterable[Likeness], sheets: Iterable[Sheet]) -> list[Likeness]:
    """Return those of *likenesses* whose sheet is not among *sheets*."""
    drawn = {sheet.key for sheet in sheets}
    return [one for one in likenesses if one.sheet is not None and one.sheet.key not in drawn]


def _control_picture(control: Control, kind: str, store: Store) -> StoredFile:
    picture = CONTROLS[kind].picture
    if picture == "depth":
        return _once(lambda: _seen_depth(control.depth, store), _seen_depth.cache_clear, store)
    return {"frame": control.frame, "skeleton": control.skeleton, "normals": control.normals}[picture]


def _once(make: Callable[[], StoredFile], forget: Callable[[], None], store: Store) -> StoredFile:
    """Return what *make* remembers to have stored, made anew where somebody has emptied the store since."""
    found = make()
    if not store.path_of(found).is_file():
        forget()
        found = make()
    return found


# A take's request is made anew whenever it is looked at.
@lru_cache(maxsize=1024)
def _seen_depth(depth: StoredFile, store: Store) -> StoredFile:
    """Return *depth* as a model was trained to see it: 8 bits, from the farthest thing in the picture to the nearest.

    That is how depth estimators' maps are shown (Ranftl et al. 2020, MiDaS): of inverse depth only the order and the
    ratios matter, and a ring eight metres off would be black on the map's own scale.
    """
    with Image.open(store.path_of(depth)) as opened:
        grey = np.asarray(opened).astype(np.float64)
    there = grey > 0
    shown = np.zeros(grey.shape, np.uint8)
    if there.any():
        low, high = grey[there].min(), grey[there].max()
        # What is there stays above what is not.
        shown[there] = np.round(1.0 + 254.0 * (grey[there] - low) / max(high - low, 1.0))
    return pictures.stored(Image.fromarray(shown).convert("RGB"), store)


def _picture(likeness: Likeness, drawn: dict[str, StoredFile], store: Store) -> StoredFile:
    if isinstance(likeness.source, Path):
        path, modified_ns = likeness.source, likeness.source.stat().st_mtime_ns
        return _once(lambda: _given(path, modified_ns, store), _given.cache_clear, store)
    return drawn[likeness.source.key]


# The same two fighters are in nearly every keyframe.
@lru_cache(maxsize=64)
def _given(path: Path, modified_ns: int, store: Store) -> StoredFile:
    with Image.open(path) as picture:
        return pictures.stored(picture.convert("RGB"), store)
