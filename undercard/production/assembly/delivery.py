"""What is delivered beside a film: which presets a run asks for, from which frames, and what becomes of them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from undercard.errors import BadInput, MissingObject
from undercard.film.encoding import delivery
from undercard.film.encoding.delivery import Delivery
from undercard.film.encoding.delivery_presets import preset
from undercard.planning.plan import Plan
from undercard.production.assembly import reframe
from undercard.production.records import FilmRecord
from undercard.store import Store, StoredFile


def centres(plan: Plan, one: Delivery) -> tuple[float, ...]:
    """Return where the window of *one* stands on each frame of the film of *plan*; nothing for the whole frame."""
    if one.shape == "whole":
        return ()
    return reframe.centres(plan, delivery.window(plan.size, one.shape)[0] / plan.size[0])


def made(film: Path, masters: Sequence[Path], one: Delivery, middles: Sequence[float], store: Store) -> StoredFile:
    """Deliver *film* as *one* says, and keep it in *store*.

    Args:
        film: the finished film; where nothing is to be changed, it is taken as it is.
        masters: its frames without loss, where they were kept; else those of the film itself.
        one: preset and shape.
        middles: from `centres`.
        store: where it is kept.

    Raises:
        BadFilm: it cannot be decoded, or what was made is not what was asked for.
        EncodingFailed: ffmpeg stopped with an error.
        StoreError: it cannot be stored.
    """
    codec = preset(one.preset)
    with store.scratch(codec.suffix) as path:
        if one.is_the_film:
            shutil.copyfile(film, path)
        else:
            delivery.deliver(film, path, codec, one.shape, middles, masters)
        return store.put_file(path)


def deliver_stored(
    film: StoredFile, masters: Sequence[StoredFile], wanted: Delivery, centres: Sequence[float], store: Store
) -> StoredFile:
    """Deliver a stored film from stored masters; see `made`."""
    return made(store.path_of(film), [store.path_of(each) for each in masters], wanted, centres, store)


def masters_of(record: FilmRecord | None, store: Store) -> tuple[Path, ...]:
    """Return the masters of the film that *record* is of; nothing where one was not kept, or is gone."""
    try:
        return tuple(store.find(digest, ".mkv") for digest in (record.masters if record is not None else ()))
    except MissingObject:
        return ()


def finished(plan: Plan, folder: Path) -> Path:
    """Return the film of *plan* in *folder*.

    Raises:
        BadInput: it was not rendered yet.
    """
    film = folder / ("film.mp4" if plan.whole else "excerpt.mp4")
    if not film.is_file():
        raise BadInput(f"{film} does not exist; render it first, with the same size and backend")
    return film
