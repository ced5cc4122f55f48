"""The film's tasks: a piece of it, its sound, and the whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefect import task
from prefect.context import TaskRunContext
from prefect.logging import get_run_logger

from undercard.backends import Renderer
from undercard.domain.keys import content_key
from undercard.domain.progress import Meter
from undercard.film.encoding import delivery, segments
from undercard.film.encoding.delivery import Delivery
from undercard.film.encoding.delivery_presets import preset
from undercard.film.sound.cue_sheet import Score
from undercard.film.timeline.timeline import Piece, Timeline
from undercard.planning.plan import Plan
from undercard.production.assembly import delivery as delivering
from undercard.production.assembly import pieces as cutting
from undercard.production.assembly import sound_cues
from undercard.production.assembly.clips import Clips
from undercard.production.manifest import FilmRecord
from undercard.store import StoredFile


def _piece_key(context: TaskRunContext, parameters: dict[str, Any]) -> str:
    return "piece-" + cutting.piece_key(
        parameters["plan"], parameters["piece"], parameters["takes"], parameters["clips"]
    )


def _film_key(context: TaskRunContext, parameters: dict[str, Any]) -> str:
    sound = parameters["sound"]
    heard = sound.file.sha256 if sound else None
    pieces = [piece.sha256 for piece in parameters["pieces"]]
    return "film-" + content_key([segments.REVISION, pieces, heard, parameters["tags"]])


def _delivery_key(context: TaskRunContext, parameters: dict[str, Any]) -> str:
    wanted = parameters["wanted"]
    masters = [each.sha256 for each in parameters["masters"]]
    how = [delivery.REVISION, preset(wanted.preset), wanted.shape, parameters["centres"]]
    return "delivery-" + content_key([parameters["film"].file.sha256, masters, *how])


def _sound_key(context: TaskRunContext, parameters: dict[str, Any]) -> str:
    return "sound-" + sound_cues.key(parameters["score"])


@task(
    task_run_name="segment {piece.name}",
    cache_key_fn=_piece_key,
    persist_result=True,
    # A result is read from the store each time, so that a file gone since is noticed.
    cache_result_in_memory=False,
    result_serializer="json",
)
def cut_piece(
    piece: Piece, plan: Plan, takes: cutting.Takes, renderer: Renderer, meter: Meter, clips: Clips
) -> cutting.CutPiece:
    """Draw and encode one piece of the film: the body of a shot, or the transition between two."""
    return cutting.cut_piece(plan, piece, takes, renderer, meter, clips)


@task(
    task_run_name="sound",
    cache_key_fn=_sound_key,
    persist_result=True,
    cache_result_in_memory=False,
    result_serializer="json",
)
def mix_sound(score: Score) -> sound_cues.Mix:
    """Mix the film's sound and bring it to the loudness that players expect."""
    mix = sound_cues.mixed(score)
    level = "silent" if mix.lufs is None else f"{mix.lufs:.1f} LUFS, peaks at {mix.true_peak_dbtp:.1f} dBTP"
    get_run_logger().info("%d effects, %d tracks: %s", len(score.effects), len(score.tracks), level)
    return mix


@task(
    task_run_name="deliver {name}",
    cache_key_fn=_delivery_key,
    persist_result=True,
    cache_result_in_memory=False,
    result_serializer="json",
)
def deliver_film(
    name: str, film: FilmRecord, masters: Sequence[StoredFile], wanted: Delivery, centres: Sequence[float]
) -> StoredFile:
    """Encode the film in another way than its own, or for another shape."""
    made = delivering.made(film.file.absolute, [each.absolute for each in masters], wanted, centres)
    get_run_logger().info("%s: %.1f MB", name, made.size_bytes / 1e6)
    return made


@task(
    task_run_name="join {name}",
    cache_key_fn=_film_key,
    persist_result=True,
    cache_result_in_memory=False,
    result_serializer="json",
)
def join_film(
    name: str,
    pieces: list[cutting.CutPiece],
    timeline: Timeline,
    sound: sound_cues.Mix | None = None,
    tags: str = "",
) -> FilmRecord:
    """Join the pieces and the sound without encoding them again, and check the film."""
    film = cutting.join_film(pieces, timeline, sound, tags)
    get_run_logger().info("%s: %d frames in %d pieces", name, film.frames, len(pieces))
    return film
