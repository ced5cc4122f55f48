"""Accepted keyframes → film, contact sheet and table of shots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from prefect import flow
from prefect.futures import as_completed
from prefect.logging import get_run_logger

from flows import clips as clip_flow
from flows import handles as handles_flow
from flows.encoding import encoding
from tasks import film as film_tasks
from tasks import reports, whole
from undercard import store
from undercard.domain import progress
from undercard.errors import MixedFilm, NeedsReview, ShotsFailed
from undercard.film.timeline.timeline import Piece
from undercard.hardware.probe import this_device
from undercard.planning.piece_costs import piece_cost
from undercard.planning.plan import Plan, narrowed
from undercard.production import manifest, options, report
from undercard.production.assembly import delivery, piece_index, sound_cues
from undercard.production.assembly.clips import Clips
from undercard.production.assembly.pieces import (
    CutPiece,
    Takes,
    film_name,
    film_tags,
    motions_told,
    piece_key,
    publish,
    publish_timeline,
    unreviewed,
    usable_takes,
)
from undercard.production.folders import folder_of, results_folder
from undercard.production.manifest import FilmRecord, KeyframeRecord
from undercard.production.options import RunOptions
from undercard.store import StoredFile


@flow(name="assemble", flow_run_name="assemble · {run.shot_list.stem}")
def assemble(run: RunOptions) -> Path:
    """Cut the film from the keyframes that were accepted, and return its path.

    Shots that were not selected are in it when an earlier run has their keyframes. A film that lacks a shot is named
    `excerpt.mp4`, one whose keyframes come from renderers of different pixels, unless that is allowed, `mixed.mp4`, and
    one with a keyframe of which the gate accepted no take, `review.mp4`: all leave the last whole film as it is.

    Raises:
        ShotsFailed: no shot has all its keyframes.
        MixedFilm: its keyframes are of different kinds, which `run` does not allow.
        NeedsReview: the best take of a keyframe is one that the gate rejected and nobody has approved.
        ClipFailed: a video model could not make a clip, and nothing may stand in for it.
    """
    plan = options.plan_run(run, this_device())
    folder = folder_of(plan)
    records = manifest.remembered(folder)
    _publish_rows(plan, records, folder)
    ready, takes = _ready(plan, records)
    if not ready.shots:
        raise ShotsFailed(f"no shot of {plan.shot_list.title!r} has all its keyframes; render them first")
    mixture = report.mixture(ready, takes)
    refused = bool(mixture) and not run.mixed
    review = unreviewed(ready, records)
    name = film_name(ready, refused=refused, unreviewed=bool(review))
    join = film_tasks.join_film.with_options(result_storage=results_folder())
    # Sound first: a file that cannot be played is known before an hour of drawing.
    sound = _sound(ready)
    known = ready.fallen
    ready, clips = clip_flow.made(ready, takes)
    if ready.fallen != known:
        _publish_rows(replace(plan, fallen=ready.fallen), records, folder)
    pieces = _cut(ready, takes, clips, folder)
    film = join(
        name=name,
        pieces=whole(pieces),
        timeline=whole(ready.timeline),
        sound=whole(sound),
        tags=whole(film_tags(ready)),
    )
    path = publish(film.file, ready, folder, name)
    publish_timeline(ready, pieces, path)
    said = {"mixed": bool(mixture), "review": review, **motions_told(ready, clips)}
    manifest.add_film(folder, name, film.model_copy(update=said))
    reports.publish_film_link(path, f"{plan.shot_list.title}: {film.frames} frames")
    if run.handles:
        handles_flow.write(ready, takes, clips, path)
    if ready.deliveries and not (review or refused):
        manifest.add_film(folder, name, film.model_copy(update={**said, **_deliver(ready, pieces, film, path)}))
    get_run_logger().info("%s: %s", plan.shot_list.title, path)
    if review:
        raise NeedsReview(_told(review, records, path) + (f"; it also mixes {mixture}" if refused else ""))
    if refused:
        raise MixedFilm(
            f"the film mixes {mixture}, so it is not film.mp4 but {path}; render what stepped down again when a better"
            " rung fits, with `upgrade`, or take the film as it is, with `mixed`"
        )
    return path


def _told(review: Sequence[str], records: Mapping[str, KeyframeRecord], path: Path) -> str:
    causes = "; ".join(records[label].cause for label in review[:3]) + (" …" if len(review) > 3 else "")
    return (
        f"the gate rejected every take of {', '.join(review)} ({causes}), so the film with the best of them is not"
        f" film.mp4 but {path}; look at it and `undercard approve` what may stand, or run the same again with `failed`"
        " for more takes"
    )


def _ready(plan: Plan, records: Mapping[str, KeyframeRecord]) -> tuple[Plan, Takes]:
    """Return the plan of what can be cut, with its takes: the whole film, or what was selected, less what failed."""
    takes = {shot.id: usable_takes(plan, shot, records) for shot in plan.shot_list.shots}
    complete = {shot: found for shot, found in takes.items() if found is not None}
    everything = len(complete) == len(plan.shot_list.shots)
    wanted = plan.shot_list.shots if everything else plan.shots
    return narrowed(plan, [shot for shot in wanted if shot.id in complete]), complete


def _sound(plan: Plan) -> sound_cues.Mix | None:
    """Mix the film's sound; None where nothing would be heard."""
    score = sound_cues.score(plan)
    if score.silent:
        return None
    return film_tasks.mix_sound.with_options(result_storage=results_folder())(score=whole(score))


def _cut(plan: Plan, takes: Takes, clips: Clips, folder: Path) -> list[CutPiece]:
    """Draw and encode the pieces that no earlier run did, several at once, and return all in the film's order."""
    meter = progress.current()
    shown = plan.timeline.pieces()
    keys = [piece_key(plan, piece, takes, clips) for piece in shown]
    # The server records about a hundred task runs a second, which five hundred unchanged pieces should not wait for.
    found = piece_index.remembered(folder, keys)
    missing: dict[str, Piece] = {}
    meter.begin()
    for key, piece in zip(keys, shown, strict=True):
        # Two shots may show the same for as long.
        if key in found or key in missing:
            meter.skip(piece_cost(plan, piece), piece.name)
        else:
            missing[key] = piece
    get_run_logger().info("%d of %d segments are to be encoded", len(missing), len(shown))
    if missing:
        found |= _encoded(plan, takes, clips, missing)
        piece_index.remember(folder, {key: found[key] for key in keys}, whole=plan.whole)
    return [found[key] for key in keys]


def _encoded(plan: Plan, takes: Takes, clips: Clips, missing: Mapping[str, Piece]) -> dict[str, CutPiece]:
    """Return the pieces of *missing*, by key."""
    meter = progress.current()
    bar = reports.ProgressBar("film", f"{plan.shot_list.title}: segments", len(missing))
    with encoding(plan, takes, clips, list(missing.values())) as runs:
        futures = dict(zip(missing, runs, strict=True))
        names = {future: missing[key] for key, future in futures.items()}
        for future in as_completed(runs):
            future.wait()
            bar.step()
            if future.state.name == "Cached":
                meter.skip(piece_cost(plan, names[future]), names[future].name)
        return {key: future.result() for key, future in futures.items()}


def _deliver(plan: Plan, pieces: Sequence[CutPiece], film: FilmRecord, path: Path) -> dict[str, object]:
    """Make what is wanted of the film beside it, at *path*, and return what its record says of that."""
    masters = [piece.master for piece in pieces if piece.master is not None]
    task = film_tasks.deliver_film.with_options(result_storage=results_folder())
    delivered: dict[str, StoredFile] = {}
    # One after the other: encoders take all cores.
    for wanted in (each for each in plan.deliveries if not each.is_the_film):
        name = wanted.file_name(path.stem)
        progress.current().say(name)
        delivered[name] = task(
            name=name,
            film=whole(film),
            masters=whole(masters),
            wanted=whole(wanted),
            centres=whole(delivery.centres(plan, wanted)),
        )
        store.copy_out(delivered[name], path.with_name(name))
    return {"delivered": delivered, "masters": tuple(master.sha256 for master in masters)}


def _publish_rows(plan: Plan, records: Mapping[str, KeyframeRecord], folder: Path) -> None:
    rows = report.shot_rows(plan, records)
    reports.publish_shot_table(whole(rows), plan.shot_list.title)
    reports.publish_contact_sheet(rows, plan.shot_list.title, report.summary(plan, rows), folder / "contact_sheet.png")
