"""The rows that people read after a run: one a shot, for the table and the contact sheet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from PIL.Image import Image

from undercard import backends
from undercard.domain.takes import Take
from undercard.film.sheet.contact_sheet import Cell, contact_sheet
from undercard.gate.repairs import main_causes
from undercard.planning.clips import Fallen
from undercard.planning.ladder import kind
from undercard.planning.plan import Plan
from undercard.production.records import KeyframeRecord
from undercard.shotlist.models import Shot
from undercard.store import Store

ShotStatus: TypeAlias = Literal["accepted", "cached", "needs review", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Rejection:
    """A take that the gate rejected."""

    label: str
    """`jab-02 take 1`."""
    picture: Path
    cause: str
    answer: str
    """What was done about it."""


@dataclass(frozen=True, slots=True)
class ShotRow:
    """What came of one shot."""

    number: int
    shot: str
    status: ShotStatus
    take: str
    """The takes that its keyframes needed, such as `1` or `1–3`."""
    backend: str
    seconds: float
    """Rendering time of the takes that stand, whenever they were made."""
    cause: str
    road: str
    """Which of its keyframes were not rendered on the first rung they were tried on, and why; empty when all were."""
    motion: str
    """What it shows in place of the clips that it should, and why; empty where it shows what is written."""
    mended: str
    """What was done otherwise for its takes that stand, and about what; empty where the first ones do."""
    rejected: tuple[Rejection, ...]
    unheard: str
    """Why the judge was not heard about a take that stands; empty where he was, or nobody asked."""
    picture: Path | None
    """The keyframe that failed, else the first that a blow lands on, else the middle one."""


def shot_rows(plan: Plan, records: Mapping[str, KeyframeRecord]) -> list[ShotRow]:
    """Return a row for each shot of the list, in film order."""
    by_shot: dict[str, list[KeyframeRecord]] = {}
    for record in records.values():
        by_shot.setdefault(record.shot, []).append(record)
    instead = {each.shot: str(each) for each in plan.fallen}
    return [
        _row(shot, by_shot.get(shot.source, []), instead.get(shot.id, ""), plan.store) for shot in plan.shot_list.shots
    ]


def with_motions(rows: Sequence[ShotRow], fallen: Sequence[Fallen]) -> tuple[ShotRow, ...]:
    """Return *rows* with the motions that shots show in place of clips."""
    instead = {each.shot: str(each) for each in fallen}
    return tuple(replace(row, motion=instead.get(row.shot, "")) for row in rows)


def summary(plan: Plan, rows: Sequence[ShotRow]) -> str:
    """Return a line such as `28 shots · 27 accepted · 1 failed · 1024×576 · previz`."""
    counts = Counter(row.status for row in rows)
    statuses = [f"{counts[status]} {status}" for status in get_args(ShotStatus) if counts[status]]
    detours = sum(bool(row.road) for row in rows)
    unheard = sum(bool(row.unheard) for row in rows)
    others = [f"{detours} on another road"] if detours else []
    others += [f"{unheard} without the judge"] if unheard else []
    width, height = plan.size
    return " · ".join([f"{len(rows)} shots", *statuses, *others, f"{width}×{height}", plan.family])


def mixture(plan: Plan, takes: Mapping[str, Sequence[Take]]) -> str:
    """Return what the pixels of the shots of *plan* are, where they are of more than one kind; else nothing.

    Such as `exact pixels (27 shots), fp8 (jab, bow)`: the kind of most shots comes first. Where a model was meant, the
    previz is a kind of its own even when it drew everything.
    """
    shots: dict[str, list[str]] = {}
    for shot in plan.shots:
        for take in takes[shot.id]:
            name = kind(take.backend, exact=take.exact) or "exact pixels"
            shots.setdefault(name, []).append(shot.id)
    if len(shots) < 2 and not (plan.in_child and any(map(backends.draws_itself, shots))):
        return ""
    named = {name: list(dict.fromkeys(found)) for name, found in shots.items()}
    first, *others = sorted(named, key=lambda name: -len(named[name]))
    count = len(named[first])
    return ", ".join(
        [
            f"{first} ({count} shot{'s' if count != 1 else ''})",
            *(f"{name} ({', '.join(named[name])})" for name in others),
        ]
    )


def draw_sheet(rows: Sequence[ShotRow], title: str, subtitle: str) -> Image:
    """Draw the contact sheet: a picture a shot, red where it failed, with the cause; below, each rejected take."""
    cells = [
        Cell(
            label=f"{row.number} {row.shot}",
            picture=row.picture,
            status=row.status,
            note=_note(row),
            remarkable=bool(row.road or row.motion or row.unheard),
            answer=row.mended,
        )
        for row in rows
    ]
    rejected = [
        Cell(label=one.label, picture=one.picture, status="failed", note=one.cause, answer=one.answer)
        for row in rows
        for one in row.rejected
    ]
    return contact_sheet(title, cells, subtitle=subtitle, rejected=rejected)


def _note(row: ShotRow) -> str:
    if row.status in {"failed", "needs review"}:
        return row.cause
    if row.road or row.motion:
        return "; ".join(part for part in (row.road, row.motion) if part)
    unheard = " · the judge not heard" if row.unheard else ""
    return f"take {row.take} · {row.backend}{unheard}" if row.take else ""


def _mended(record: KeyframeRecord) -> Iterator[str]:
    """Say what the accepted take of *record* owes to: `burnt: more steps, new seed`."""
    take = record.accepted
    if take is None:
        return
    if any(judged.take == take and not judged.verdict.accepted for judged in record.takes):
        yield "approved by hand"
    by_fault: dict[str, list[str]] = {}
    for repair in take.approach.repairs:
        by_fault.setdefault(repair.fault or "rejected", []).append(repair.remedy)
    for fault, remedies in by_fault.items():
        yield f"{fault}: {', '.join(dict.fromkeys(remedies))}"


def _rejections(record: KeyframeRecord, store: Store) -> Iterator[Rejection]:
    best = record.best
    for number, judged in enumerate(record.takes):
        if judged.stands:
            continue
        after = record.takes[number + 1].take.repairs if number + 1 < len(record.takes) else ()
        answer = " + ".join(dict.fromkeys(str(repair) for repair in after)) or record.ended
        kept = record.needs_review and judged.take == best
        yield Rejection(
            label=f"{record.label} take {judged.take.number}",
            picture=store.path_of(judged.take.picture),
            cause="; ".join(main_causes(judged.verdict)),
            answer=" · ".join(part for part in ("kept for review" if kept else "", answer) if part),
        )


def _unheard(record: KeyframeRecord) -> Iterator[str]:
    standing = [judged for judged in record.takes if judged.stands][-1:]
    yield from (judged.verdict.unheard for judged in standing if judged.verdict.unheard)


def _road(take: Take) -> str:
    """Say what a take was rendered on and why not on what came first: `previz after out of memory in decode on bf16`.

    The rungs in full are in the manifest.
    """
    causes = dict.fromkeys(
        f"{attempt.outcome}{f' in {attempt.stage}' if attempt.stage else ''} on {attempt.backend}"
        for attempt in take.detours
    )
    return f"{take.rung} after {', '.join(causes)}"


def _row(shot: Shot, records: Sequence[KeyframeRecord], motion: str, store: Store) -> ShotRow:
    takes = [record.best for record in records if record.best is not None]
    numbers = sorted({take.number for take in takes})
    return ShotRow(
        number=shot.number,
        shot=shot.id,
        status=_status(records),
        take="–".join(str(number) for number in dict.fromkeys((numbers[0], numbers[-1]))) if numbers else "",
        backend=", ".join(dict.fromkeys(take.rung or take.backend for take in takes)),
        seconds=round(sum(take.seconds for take in takes), 2),
        cause="; ".join(record.cause for record in records if record.cause),
        road="; ".join(dict.fromkeys(_road(take) for take in takes if take.detours)),
        motion=motion,
        mended="; ".join(dict.fromkeys(said for record in records for said in _mended(record))),
        rejected=tuple(rejection for record in records for rejection in _rejections(record, store)),
        unheard="; ".join(dict.fromkeys(said for record in records for said in _unheard(record))),
        picture=_picture(shot, records, store),
    )


def _status(records: Sequence[KeyframeRecord]) -> ShotStatus:
    if not records:
        return "skipped"
    if any(record.cause and not record.needs_review for record in records):
        return "failed"
    if any(record.needs_review for record in records):
        return "needs review"
    return "cached" if all(judged.cached for record in records for judged in record.takes) else "accepted"


def _picture(shot: Shot, records: Sequence[KeyframeRecord], store: Store) -> Path | None:
    failed = [record for record in records if record.cause]
    # `snap` is how a shot list moves into a blow, and one shot of two in a fight is known by its blow.
    blows = {keyframe.at for keyframe in shot.keyframes if keyframe.ease == "snap"}
    landed = [record for record in records if record.frame in blows]
    shown = next(iter([*failed, *landed]), None) or (records[len(records) // 2] if records else None)
    take = shown.best if shown else None
    return store.path_of(take.picture) if take else None
