"""What came of a run, beside the film: every keyframe with its takes and verdicts, every shot with its status."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from undercard import store
from undercard.errors import BadInput, MissingObject
from undercard.gate import Verdict
from undercard.requests import Take


class Judged(BaseModel):
    """A take and what the gate said of it."""

    model_config = ConfigDict(frozen=True)

    take: Take
    verdict: Verdict
    cached: bool
    """Made by an earlier run."""


class KeyframeRecord(BaseModel):
    """What came of one keyframe."""

    model_config = ConfigDict(frozen=True)

    label: str
    shot: str
    frame: int
    key: str
    """The key of what was planned for its first take; another key means that the shot list has changed since."""
    gate: int
    """The gate's revision that judged the takes."""
    takes: tuple[Judged, ...] = ()
    error: str = ""
    """Why rendering it failed, when it did."""

    @property
    def accepted(self) -> Take | None:
        """The newest take that the gate accepted: a later one was made to be better."""
        return next((judged.take for judged in reversed(self.takes) if judged.verdict.accepted), None)

    @property
    def best(self) -> Take | None:
        """The accepted take, else the last one."""
        return self.accepted or (self.takes[-1].take if self.takes else None)

    @property
    def cause(self) -> str:
        """Why no take is what was asked for, in a line; empty when one is."""
        if self.error:
            return f"{self.label}: {self.error}"
        if self.accepted is not None:
            return ""
        causes = self.takes[-1].verdict.causes if self.takes else ("not rendered",)
        return f"{self.label}: {'; '.join(causes)}"


class FilmRecord(BaseModel):
    """A finished film, as its check by decoding found it."""

    model_config = ConfigDict(frozen=True)

    file: store.StoredFile
    frames: int
    seconds: str
    """As a fraction: a film at 24000/1001 has no exact decimal length."""
    codec: str
    pixel_format: str
    shots: tuple[str, ...]
    loudness_lufs: float | None = None
    """By EBU R128; None for a film without sound, or with too little to be measured."""
    true_peak_dbtp: float | None = None
    mixed: bool = False
    """Its keyframes come from renderers that give different pixels."""


class Manifest(BaseModel):
    """What came of the last run of a shot list at one size on one family of backends."""

    model_config = ConfigDict(frozen=True)

    undercard: str
    title: str
    shot_list: str
    size: tuple[int, int]
    fps: str
    backend: str
    keyframes: tuple[KeyframeRecord, ...]
    films: dict[str, FilmRecord] = {}
    """By file name."""


def write(manifest: Manifest, folder: Path) -> Path:
    """Write *manifest* as `manifest.json` into *folder*, whole or not at all."""
    path = folder / "manifest.json"
    store.write_atomically(path, (manifest.model_dump_json(indent=1) + "\n").encode())
    return path


def add_film(folder: Path, name: str, film: FilmRecord) -> None:
    """Note *film*, which lies in *folder* as *name*, in the manifest there.

    Raises:
        MissingObject: there is no manifest.
    """
    path = folder / "manifest.json"
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as exc:
        raise MissingObject(f"{path} cannot be read: {exc}; render the keyframes first") from exc
    content["films"] = {**content.get("films", {}), name: film.model_dump(mode="json")}
    store.write_atomically(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())


def remembered(folder: Path) -> dict[str, KeyframeRecord]:
    """Return the keyframe records of the manifest in *folder*, by label.

    Records whose pictures are gone or altered are left out, and so is a manifest that cannot be read: what they
    stood for is rendered again.
    """
    try:
        content = json.loads((folder / "manifest.json").read_bytes())
        return {record.label: record for record in _readable(content["keyframes"])}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def failed_shots(folder: Path) -> tuple[str, ...]:
    """Return the shots that the run of the manifest in *folder* left without an accepted keyframe, in film order.

    Raises:
        BadInput: there was no run yet.
    """
    records = remembered(folder)
    if not records:
        raise BadInput(f"nothing was rendered in {folder} yet, so no shot has failed; run without `failed` first")
    return tuple(dict.fromkeys(record.shot for record in records.values() if record.cause))


def _readable(records: Iterable[object]) -> Iterable[KeyframeRecord]:
    for record in records:
        try:
            yield KeyframeRecord.model_validate(record)
        except ValidationError:
            continue
