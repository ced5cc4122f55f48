"""Task results as files: JSON that names its values by kind, and a door that lets in nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from prefect.serializers import D, Serializer
from pydantic import BaseModel

from undercard import settings
from undercard.domain.requests import Control, Sheet
from undercard.domain.takes import Take
from undercard.gate.contract import Verdict
from undercard.production.assembly.clips import MadeClip
from undercard.production.assembly.pieces import CutPiece
from undercard.production.assembly.sound_cues import Mix
from undercard.production.records import FilmRecord
from undercard.store import Store, StoredFile, write_atomically

KINDS: dict[str, type[BaseModel]] = {
    kind.__name__: kind for kind in (Control, CutPiece, FilmRecord, MadeClip, Mix, Sheet, StoredFile, Take, Verdict)
}
"""What a result may hold beside lists and plain values. The names are in stored results: a class may move, not change
its name."""


class ResultSerializer(Serializer[D]):
    """Writes a result as JSON, independent of where its classes lie, and reads nothing but that."""

    type: Literal["undercard"] = "undercard"

    def dumps(self, obj: D) -> bytes:
        """Return *obj* as JSON.

        Raises:
            TypeError: it holds something that is none of `KINDS`.
        """
        return json.dumps(_plain(obj)).encode()

    def loads(self, blob: bytes) -> D:
        """Return what `dumps` wrote.

        Raises:
            ValueError: it is something else, or a file that it names is missing or altered.
        """
        value: D = _value(json.loads(blob))
        return value


def admit(record: Path) -> None:
    """Let Prefect read *record*, a stored result, only if this project's serializer wrote it.

    Prefect obeys the serializer that a record names, and some run code that they read. A record of a release that
    wrote Prefect's own JSON is translated; any other is removed, so that the work is done again.

    Raises:
        StoreError: there is no space, or no permission, to write the translation.
    """
    try:
        content = json.loads(record.read_bytes())
    except (OSError, ValueError):
        # Absent, or half-written: Prefect reads it as absent.
        return
    try:
        serializer = content["metadata"]["serializer"]["type"]
        if serializer == "undercard":
            return
        if serializer != "json":
            raise ValueError(f"a result written by {serializer!r}")
        content["result"] = json.dumps(_translate(json.loads(content["result"])))
        content["metadata"]["serializer"] = {"type": "undercard"}
    except (ValueError, KeyError, TypeError):
        record.unlink(missing_ok=True)
        return
    write_atomically(record, json.dumps(content).encode())


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel) and KINDS.get(type(value).__name__) is type(value):
        return {"kind": type(value).__name__, "data": value.model_dump(mode="json")}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"a task returned {type(value).__name__}, which results cannot hold; add it to tasks.results.KINDS")


def _value(content: Any) -> Any:
    if isinstance(content, dict):
        return KINDS[str(content["kind"])].model_validate(content["data"], context=_store().reading)
    return [_value(each) for each in content] if isinstance(content, list) else content


def _store() -> Store:
    # Prefect makes a serializer from the name in the record, so it can be given nothing.
    return Store(settings.load().store_root)


def _translate(content: Any) -> Any:
    """Return *content*, as Prefect's JSON has it, in this module's form."""
    if isinstance(content, dict):
        kind = str(content["__class__"]).rpartition(".")[2]
        if kind not in KINDS:
            raise ValueError(f"a result of kind {kind!r}")
        return {"kind": kind, "data": content["data"]}
    return [_translate(each) for each in content] if isinstance(content, list) else content
