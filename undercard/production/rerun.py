"""Rendering shots of a film again: which of them, by what came of them, with all else as the last run had it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from undercard.errors import BadInput
from undercard.production import manifest
from undercard.production.film_folder import last_run
from undercard.production.options import RunOptions
from undercard.production.records import KeyframeRecord
from undercard.store import Store

Which: TypeAlias = Literal["failed", "rejected", "stepped down", "listed"]
"""Shots without an accepted keyframe, shots that the gate rejected, shots from a lower rung, or named ones."""


def options_for(store: Store, film: str, which: Which, shots: str = "", take_limit: int | None = None) -> RunOptions:
    """Return what to ask a run for.

    Args:
        store: where films are.
        film: the name of a folder there; empty for the film that was rendered last.
        which: of its shots.
        shots: a selection such as `3,7-9,jab`, for `listed`; they are rendered anew even if they were accepted.
        take_limit: takes of a keyframe; as in the last run if None.

    Raises:
        BadInput: there is no such film, or no such shot in it.
    """
    folder, before = last_run(store, film)
    changes: dict[str, object] = {"shots": None, "start": None, "failed": False, "again": False, "upgrade": False}
    if take_limit is not None:
        changes["take_limit"] = take_limit
    if which == "listed":
        if not shots:
            raise BadInput("no shot is named; write numbers, ranges or ids into `shots`, such as 3,7-9,jab")
        return before.model_copy(update={**changes, "shots": shots, "again": True})
    if shots:
        raise BadInput(f"shots {shots!r} are named, and {which!r} chooses by itself; choose `listed`, or name none")
    if which == "failed":
        return before.model_copy(update={**changes, "failed": True})
    found = _shots(manifest.read_records(folder, store), which)
    if not found:
        raise BadInput(f"no shot of {folder.name} was {which}; choose `listed` to render shots anew")
    return before.model_copy(update={**changes, "shots": ",".join(found), "upgrade": which == "stepped down"})


def _shots(records: Mapping[str, KeyframeRecord], which: Which) -> tuple[str, ...]:
    """Return the ids of the shots that were rejected or stepped down, in the film's order."""
    chosen = (
        record.shot
        for record in records.values()
        if (record.needs_review if which == "rejected" else record.accepted is not None and record.accepted.detours)
    )
    return tuple(dict.fromkeys(chosen))
