"""What came of a run, beside the film: every keyframe with its takes and verdicts, every shot with its status."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from undercard import store
from undercard.domain.takes import Take
from undercard.errors import BadInput, MissingObject
from undercard.gate.contract import Verdict
from undercard.gate.repairs import main_causes, severity


class Judged(BaseModel):
    """A take and what the gate said of it."""

    model_config = ConfigDict(frozen=True)

    take: Take
    verdict: Verdict
    cached: bool
    """Made by an earlier run."""
    approved: bool = False
    """Somebody looked at it and let it stand, whatever the gate said."""

    @property
    def stands(self) -> bool:
        """Accepted, by the gate or by hand."""
        return self.approved or self.verdict.accepted


def best_of(takes: Iterable[Judged]) -> Judged | None:
    """Return the one with the fewest and least severe failed findings, the earlier of equals; None of none."""
    return min(takes, key=lambda judged: severity(judged.verdict), default=None)


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
    ended: str = ""
    """Why it was tried no further although no take was accepted."""

    @property
    def accepted(self) -> Take | None:
        """The newest take that was accepted: a later one was made to be better."""
        return next((judged.take for judged in reversed(self.takes) if judged.stands), None)

    @property
    def best(self) -> Take | None:
        """The accepted take, else the best of those that the gate rejected."""
        return self.accepted or (found.take if (found := best_of(self.takes)) else None)

    @property
    def needs_review(self) -> bool:
        """No take was accepted, and the best one is kept until somebody has looked at it."""
        return self.accepted is None and bool(self.takes)

    @property
    def cause(self) -> str:
        """Why no take is what was asked for, in a line; empty when one is."""
        if self.accepted is not None:
            return ""
        best = best_of(self.takes)
        said = ["; ".join(main_causes(best.verdict))] if best is not None else []
        said += [one for one in (self.error, self.ended) if one]
        return f"{self.label}: {'; '.join(said) or 'not rendered'}"


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
    review: tuple[str, ...] = ()
    """The keyframes in it that the gate rejected and nobody has approved."""
    masters: tuple[str, ...] = ()
    """SHA-256 of each piece's frames without loss, where they were kept."""
    delivered: dict[str, store.StoredFile] = {}
    """What was made of it beside it, by file name."""
    clips: dict[str, tuple[str, ...]] = {}
    """By shot: what made the clips that it shows, and what went otherwise than planned."""
    fallen: dict[str, str] = {}
    """By shot: the motion that it shows in place of clips, and why."""


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


def film(folder: Path, name: str) -> FilmRecord | None:
    """Return what the manifest in *folder* says of the film called *name*; None where it says nothing."""
    try:
        content = json.loads((folder / "manifest.json").read_bytes())
        return FilmRecord.model_validate(content["films"][name])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def approve(folder: Path, shots: Collection[str], take: int | None = None) -> dict[str, int]:
    """Let the best take of every keyframe of *shots* that needs review stand; return their numbers by label.

    Args:
        folder: of the manifest.
        shots: ids of shots, or labels of keyframes.
        take: the number of the take that is to stand, in place of the best.

    Raises:
        BadInput: none of them needs review, or one has no take of that number.
    """
    path = folder / "manifest.json"
    records = [one for one in remembered(folder).values() if one.needs_review and {one.shot, one.label} & set(shots)]
    if not records:
        raise BadInput(f"nothing of {', '.join(shots)} needs review in {folder}; name a shot or keyframe that does")
    chosen = {record.label: _chosen(record, take) for record in records}
    content = json.loads(path.read_bytes())
    for record in content["keyframes"]:
        for judged in record["takes"]:
            if record["label"] in chosen and judged["take"]["key"] == chosen[record["label"]].key:
                judged["approved"] = True
    store.write_atomically(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
    return {label: found.number for label, found in chosen.items()}


def _chosen(record: KeyframeRecord, number: int | None) -> Take:
    takes = {judged.take.number: judged.take for judged in record.takes}
    found = record.best if number is None else takes.get(number)
    if found is None:
        raise BadInput(f"{record.label} has no take {number}; it has {', '.join(map(str, takes))}")
    return found


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
