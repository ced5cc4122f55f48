"""The manifest in a film's folder: how runs, films and approvals are written into it and read back."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from undercard.domain.takes import Take
from undercard.errors import BadInput, MissingObject
from undercard.production.film_folder import MANIFEST
from undercard.production.records import FilmRecord, KeyframeRecord, Manifest
from undercard.production.turns import locked
from undercard.store import Store, write_atomically


def update_keyframes(
    folder: Path,
    manifest: Manifest,
    planned: Sequence[tuple[str, str]],
    before: Mapping[str, KeyframeRecord],
    store: Store,
) -> dict[str, KeyframeRecord]:
    """Write what a run made into the manifest in *folder*, and return all records that it holds then, by label.

    What others wrote since the run began stays: films, keyframes that this run left alone, approvals of takes, and
    an accepted take where this run has none.

    Args:
        folder: of the film.
        manifest: of the run, with the keyframes that it rendered; its films are ignored.
        planned: label and key of every keyframe of the film, in its order; records of other keys are dropped.
        before: what the manifest said when the run began.
        store: where the takes' pictures are.

    Raises:
        StoreError: it cannot be written.
    """
    made = {record.label: record for record in manifest.keyframes}

    def change(content: dict[str, Any]) -> dict[str, Any]:
        now = {(record.label, record.key): record for record in _readable(content.get("keyframes", ()), store)}
        merged = [_merge(made.get(label), now.get((label, key)), before.get(label)) for label, key in planned]
        written = manifest.model_copy(update={"keyframes": tuple(one for one in merged if one is not None)})
        return {**written.model_dump(mode="json", exclude={"films"}), "films": content.get("films", {})}

    return {record.label: record for record in _readable(_update(folder, change)["keyframes"], store)}


def _merge(
    made: KeyframeRecord | None, now: KeyframeRecord | None, before: KeyframeRecord | None
) -> KeyframeRecord | None:
    """Return the record of a keyframe that a run *made*, where the manifest says *now* what it did not say *before*."""
    if made is None or now is None or now == before:
        return made or now
    approved = {judged.take.key for judged in now.takes if judged.approved}
    takes = [judged.model_copy(update={"approved": judged.take.key in approved}) for judged in made.takes]
    made = made.model_copy(update={"takes": tuple(takes)})
    return now if now.accepted is not None and made.accepted is None else made


def add_film(folder: Path, name: str, film: FilmRecord) -> None:
    """Note *film*, which lies in *folder* as *name*, in the manifest there.

    What earlier runs made of the same film, its masters and deliveries, stays noted.

    Raises:
        MissingObject: there is no manifest.
        StoreError: it cannot be written.
    """

    def change(content: dict[str, Any]) -> dict[str, Any]:
        if not content:
            raise MissingObject(f"{folder / MANIFEST} is gone or unreadable; render the keyframes first")
        films = content.get("films", {})
        noted = film.model_dump(mode="json")
        before = films.get(name)
        if isinstance(before, dict) and before.get("file") == noted["file"]:
            noted["masters"] = noted["masters"] or before.get("masters", [])
            noted["delivered"] = {**before.get("delivered", {}), **noted["delivered"]}
        return {**content, "films": {**films, name: noted}}

    _update(folder, change)


def read_film(folder: Path, name: str, store: Store) -> FilmRecord | None:
    """Return what the manifest in *folder* says of the film called *name*; None where it says nothing."""
    try:
        return FilmRecord.model_validate(_content(folder)["films"][name], context=store.reading)
    except (ValueError, KeyError, TypeError):
        return None


def approve(folder: Path, shots: Collection[str], store: Store, take: int | None = None) -> dict[str, int]:
    """Approve the best take of every keyframe of *shots* that needs review; return the takes' numbers by label.

    Args:
        folder: of the manifest.
        shots: ids of shots, or labels of keyframes.
        store: where the takes' pictures are.
        take: the number of the take to approve, in place of the best.

    Raises:
        BadInput: none of them needs review, or one has no take of that number.
        StoreError: it cannot be written.
    """
    numbers: dict[str, int] = {}

    def change(content: dict[str, Any]) -> dict[str, Any]:
        found = [
            record
            for record in _readable(content.get("keyframes", ()), store)
            if record.needs_review and {record.shot, record.label} & set(shots)
        ]
        if not found:
            raise BadInput(f"nothing of {', '.join(shots)} needs review in {folder}; name a shot or keyframe that does")
        chosen = {record.label: _chosen(record, take) for record in found}
        for record in content["keyframes"]:
            for judged in record["takes"]:
                if record["label"] in chosen and judged["take"]["key"] == chosen[record["label"]].key:
                    judged["approved"] = True
        numbers.update({label: one.number for label, one in chosen.items()})
        return content

    _update(folder, change)
    return numbers


def _update(folder: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """Change the manifest in *folder* while nobody else does, and return what it says then."""
    with locked(folder / MANIFEST):
        content = change(_content(folder))
        write_atomically(folder / MANIFEST, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
    return content


def _chosen(record: KeyframeRecord, number: int | None) -> Take:
    takes = {judged.take.number: judged.take for judged in record.takes}
    found = record.best if number is None else takes.get(number)
    if found is None:
        raise BadInput(f"{record.label} has no take {number}; it has {', '.join(map(str, takes))}")
    return found


def read_records(folder: Path, store: Store) -> dict[str, KeyframeRecord]:
    """Return the keyframe records of the manifest in *folder*, by label.

    Records whose pictures are gone or altered are left out, and so is a manifest that cannot be read: what they
    stood for is rendered again.
    """
    return {record.label: record for record in _readable(_content(folder).get("keyframes", ()), store)}


def _content(folder: Path) -> dict[str, Any]:
    """Return what the manifest in *folder* says; nothing where it is absent or unreadable."""
    try:
        content = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _readable(records: object, store: Store) -> Iterator[KeyframeRecord]:
    for record in records if isinstance(records, list) else ():
        with suppress(ValidationError):
            yield KeyframeRecord.model_validate(record, context=store.reading)
