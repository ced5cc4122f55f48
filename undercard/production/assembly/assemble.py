"""From a set of keyframes to the film: which shots are in it, its pieces and its sound, and what lies beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from undercard.domain import progress
from undercard.errors import MixedFilm, NeedsReview, ShotsFailed
from undercard.film.timeline.timeline import Piece
from undercard.planning.piece_costs import piece_cost
from undercard.planning.plan import Plan, narrowed
from undercard.production import manifest, report
from undercard.production.assembly import delivery, piece_index, preview, sound_cues
from undercard.production.assembly.clip_set import make_clips
from undercard.production.assembly.clips import Clips
from undercard.production.assembly.encoding import encoding
from undercard.production.assembly.pieces import (
    CutPiece,
    Takes,
    describe_motions,
    film_name,
    film_tags,
    join_film,
    piece_key,
    publish,
    publish_timeline,
    unreviewed,
    usable_takes,
)
from undercard.production.assembly.whole_shots import write_whole_shots
from undercard.production.keyframes.keyframe_set import KeyframeSet
from undercard.production.records import FilmRecord, KeyframeRecord
from undercard.production.report import ShotRow
from undercard.production.run import Run
from undercard.production.runtime import Runtime, as_ended, value_of
from undercard.store import StoredFile

CONTACT_SHEET = "contact_sheet.png"


@dataclass(frozen=True, slots=True)
class Film:
    """A finished film."""

    path: Path
    record: FilmRecord


@dataclass(frozen=True, slots=True)
class Assembly:
    """What came of the shots, and the film that was cut from them."""

    rows: tuple[ShotRow, ...]
    film: Film | None = None
    problem: ShotsFailed | NeedsReview | MixedFilm | None = None
    """Why that is not the film that was asked for; None where it is."""


def assemble(run: Run, keyframes: KeyframeSet, runtime: Runtime) -> Assembly:
    """Cut the film of *run* from the takes of *keyframes*, and publish it with its contact sheet and timelines.

    Shots that were not selected are in it when an earlier run has their keyframes. A film that lacks a shot is named
    `excerpt.mp4`, one whose keyframes come from renderers of different pixels, unless that is allowed, `mixed.mp4`, and
    one with a keyframe of which the gate accepted no take, `review.mp4`: all leave the last whole film as it is.

    Raises:
        ClipFailed: a video model could not make a clip, and nothing may stand in for it.
        FilmError: a piece or the film is not what was drawn.
        StoreError: something cannot be written.
    """
    plan, records = run.plan, keyframes.records
    rows = tuple(report.shot_rows(plan, records))
    _show_rows(run, rows, runtime)
    ready, takes = _ready(plan, records)
    if not ready.shots:
        message = f"no shot of {plan.shot_list.title!r} has all its keyframes; render them first"
        return Assembly(rows, problem=ShotsFailed(message))
    # Sound first: a file that cannot be played is known before an hour of drawing.
    cues = sound_cues.score(ready)
    sound = (
        None if cues.silent else value_of(runtime.submit("sound", (), sound_cues.mixed, scored=cues, store=plan.store))
    )
    known = ready.fallen
    ready, clips = make_clips(ready, takes, runtime)
    if ready.fallen != known:
        rows = report.with_motions(rows, ready.fallen)
        _show_rows(run, rows, runtime)
    mixture, review = report.mixture(ready, takes), unreviewed(ready, records)
    refused = bool(mixture) and not run.options.mixed
    name = film_name(ready, refused=refused, unreviewed=bool(review))
    pieces = _cut(ready, takes, clips, run.folder, runtime)
    joining = runtime.submit(
        f"join {name}",
        (),
        join_film,
        pieces=pieces,
        timeline=ready.timeline,
        store=plan.store,
        sound=sound,
        tags=film_tags(ready),
    )
    said = {"mixed": bool(mixture), "review": review, **describe_motions(ready, clips)}
    record = value_of(joining).model_copy(update=said)
    path = publish(record.file, ready, run.folder, name)
    publish_timeline(ready, pieces, path, cues)
    preview.publish(ready, takes, path)
    manifest.add_film(run.folder, name, record)
    runtime.show_film(path, f"{plan.shot_list.title}: {record.frames} frames")
    if run.options.handles:
        write_whole_shots(ready, takes, clips, path, runtime, silent=cues.silent)
    if ready.deliveries and not (review or refused):
        record = record.model_copy(update=_deliver(ready, pieces, record, path, runtime))
        manifest.add_film(run.folder, name, record)
    runtime.log.info("%s: %s", plan.shot_list.title, path)
    problem = _problem(review, mixture if refused else "", records, path)
    return Assembly(rows, Film(path, record), problem)


def _problem(
    review: Sequence[str], mixture: str, records: Mapping[str, KeyframeRecord], path: Path
) -> NeedsReview | MixedFilm | None:
    if review:
        causes = "; ".join(records[label].cause for label in review[:3]) + (" …" if len(review) > 3 else "")
        return NeedsReview(
            f"the gate rejected every take of {', '.join(review)} ({causes}), so the film with the best of them is not"
            f" film.mp4 but {path}; look at it and `undercard approve` what may stand, or run the same again with"
            " `failed` for more takes" + (f"; it also mixes {mixture}" if mixture else "")
        )
    if mixture:
        return MixedFilm(
            f"the film mixes {mixture}, so it is not film.mp4 but {path}; render what stepped down again when a better"
            " rung fits, with `upgrade`, or take the film as it is, with `mixed`"
        )
    return None


def _ready(plan: Plan, records: Mapping[str, KeyframeRecord]) -> tuple[Plan, Takes]:
    """Return the plan of what can be cut, with its takes: the whole film, or what was selected, less what failed."""
    takes = {shot.id: usable_takes(plan, shot, records) for shot in plan.shot_list.shots}
    complete = {shot: found for shot, found in takes.items() if found is not None}
    everything = len(complete) == len(plan.shot_list.shots)
    wanted = plan.shot_list.shots if everything else plan.shots
    return narrowed(plan, [shot for shot in wanted if shot.id in complete]), complete


def _show_rows(run: Run, rows: Sequence[ShotRow], runtime: Runtime) -> None:
    title, subtitle = run.plan.shot_list.title, report.summary(run.plan, rows)
    runtime.show_rows(rows, title, subtitle, run.folder / CONTACT_SHEET)


def _cut(plan: Plan, takes: Takes, clips: Clips, folder: Path, runtime: Runtime) -> list[CutPiece]:
    """Draw and encode the pieces that no earlier run did, several at once, and return all in the film's order."""
    meter = progress.current()
    shown = plan.timeline.pieces()
    keys = [piece_key(plan, piece, takes, clips) for piece in shown]
    # The server records about a hundred task runs a second, which five hundred unchanged pieces should not wait for.
    found = piece_index.remembered(folder, keys, plan.store)
    missing: dict[str, Piece] = {}
    meter.begin()
    for key, piece in zip(keys, shown, strict=True):
        # Two shots may show the same for as long.
        if key in found or key in missing:
            meter.skip(piece_cost(plan, piece), piece.name)
        else:
            missing[key] = piece
    runtime.log.info("%d of %d segments are to be encoded", len(missing), len(shown))
    if missing:
        found |= _encode(plan, takes, clips, missing, runtime)
        piece_index.remember(folder, {key: found[key] for key in keys}, whole=plan.whole)
    return [found[key] for key in keys]


def _encode(
    plan: Plan, takes: Takes, clips: Clips, missing: Mapping[str, Piece], runtime: Runtime
) -> dict[str, CutPiece]:
    """Return the pieces of *missing*, by key."""
    meter = progress.current()
    bar = runtime.bar("segments", f"{plan.shot_list.title}: segments", len(missing))
    with encoding(plan, takes, clips, list(missing.values()), runtime) as submitted:
        steps = dict(zip(missing, submitted, strict=True))
        pieces = {step: missing[key] for key, step in steps.items()}
        for step in as_ended(submitted):
            bar.step()
            if step.ended().cached:
                meter.skip(piece_cost(plan, pieces[step]), pieces[step].name)
        return {key: value_of(step) for key, step in steps.items()}


def _deliver(
    plan: Plan, pieces: Sequence[CutPiece], film: FilmRecord, path: Path, runtime: Runtime
) -> dict[str, object]:
    """Make what is wanted of the film beside it, at *path*, and return what its record says of that."""
    masters = [piece.master for piece in pieces if piece.master is not None]
    delivered: dict[str, StoredFile] = {}
    # One after the other: encoders take all cores.
    for wanted in (each for each in plan.deliveries if not each.is_the_film):
        name = wanted.file_name(path.stem)
        progress.current().say(name)
        step = runtime.submit(
            f"deliver {name}",
            (),
            delivery.deliver_stored,
            film=film.file,
            masters=masters,
            wanted=wanted,
            centres=delivery.centres(plan, wanted),
            store=plan.store,
        )
        delivered[name] = value_of(step)
        plan.store.copy_out(delivered[name], path.with_name(name))
    return {"masters": tuple(master.sha256 for master in masters), "delivered": delivered}
