"""The steps of a run as Prefect tasks: the key under which each result is stored, and what each logs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.tasks import Task

from tasks.stored import Key, Parameters, logged, stored
from undercard.domain.keys import content_key
from undercard.domain.requests import Control, Sheet
from undercard.domain.takes import Take
from undercard.film.encoding import delivery as film_delivery
from undercard.film.encoding import segments
from undercard.film.encoding.delivery_presets import preset
from undercard.gate.contract import Verdict
from undercard.gate.critic.hearing import hear_judge
from undercard.gate.evidence import Exhibit
from undercard.gate.judging import REVISION, judge_exhibits
from undercard.production.assembly import delivery, pieces, sound_cues
from undercard.production.assembly.clip_set import make_clip
from undercard.production.assembly.clips import MadeClip
from undercard.production.assembly.sound_cues import Mix
from undercard.production.keyframes.conditioning import draw_control, draw_sheet
from undercard.production.keyframes.takes import render_take
from undercard.production.records import FilmRecord
from undercard.store import StoredFile

# Raise when a result that an earlier version stored must not be used any more.
SCHEMA = 2


class StepTask(NamedTuple):
    """A step as a task; without a key its result is not stored."""

    task: Task[..., Any]
    key: Key | None


def _control_key(given: Parameters) -> str:
    return f"control-{SCHEMA}-{given['request'].key}"


def _sheet_key(given: Parameters) -> str:
    return f"sheet-{SCHEMA}-{given['request'].key}"


def _take_key(given: Parameters) -> str:
    # The number is the take's name in the manifest; two takes of one request differ in their seeds already.
    return f"take-{SCHEMA}-{given['number']}-{given['request'].key}"


def verdict_key(given: Parameters) -> str:
    """Return the key of the gate's verdicts on `exhibits` of `size`: all that a check may look at."""
    return "verdicts-" + content_key([REVISION, given["size"], [_seen(exhibit) for exhibit in given["exhibits"]]])


def _seen(exhibit: Exhibit) -> list[object]:
    """Return all of *exhibit* that a check may look at: its label is for people."""
    compared = (exhibit.picture, exhibit.neighbour, exhibit.before, *exhibit.takes)
    return [
        [picture.sha256 if picture else None for picture in compared],
        [picture.sha256 for picture in exhibit.references],
        [_drawn(control) for control in (exhibit.control, exhibit.before_control)],
        exhibit.staging,
        exhibit.backend,
    ]


def _drawn(control: Control | None) -> list[str] | None:
    return [control.frame.sha256, control.depth.sha256, control.keypoints.sha256] if control else None


def _clip_key(given: Parameters) -> str:
    return f"clip-{given['request'].key}"


def _piece_key(given: Parameters) -> str:
    return "piece-" + pieces.piece_key(given["plan"], given["piece"], given["takes"], given["clips"])


def _sound_key(given: Parameters) -> str:
    return "sound-" + sound_cues.key(given["scored"])


def _film_key(given: Parameters) -> str:
    heard = given["sound"].file.sha256 if given["sound"] else None
    joined = [piece.sha256 for piece in given["pieces"]]
    return "film-" + content_key([segments.REVISION, joined, heard, given["tags"]])


def _delivery_key(given: Parameters) -> str:
    wanted = given["wanted"]
    masters = [each.sha256 for each in given["masters"]]
    how = [film_delivery.REVISION, preset(wanted.preset), wanted.shape, given["centres"]]
    return "delivery-" + content_key([given["film"].sha256, masters, *how])


def _log_control(log: Any, control: Control) -> None:
    log.info("control image %s", control.frame.path)


def _log_sheet(log: Any, sheet: Sheet) -> None:
    log.info("%s: character sheet %s", sheet.fighter, sheet.picture.path)


def _log_take(log: Any, take: Take) -> None:
    log.info("take %d in %.2f s: %s", take.number, take.seconds, take.picture.path)


def _log_verdicts(log: Any, verdicts: list[Verdict]) -> None:
    for verdict in verdicts:
        if not verdict.accepted:
            log.warning("rejected: %s", "; ".join(verdict.causes))
        elif verdict.unheard:
            log.warning("the judge was not heard: %s", verdict.unheard)


def _log_clip(log: Any, clip: MadeClip) -> None:
    notes = f"; {'; '.join(clip.notes)}" if clip.notes else ""
    log.info("%d frames by %s in %.0f s%s", len(clip.frames), clip.detail, clip.seconds, notes)


def _log_piece(log: Any, piece: StoredFile) -> None:
    log.info("%.1f MB: %s", piece.size_bytes / 1e6, piece.path)


def _log_mix(log: Any, mix: Mix) -> None:
    log.info("silent" if mix.lufs is None else f"{mix.lufs:.1f} LUFS, peaks at {mix.true_peak_dbtp:.1f} dBTP")


def _log_film(log: Any, film: FilmRecord) -> None:
    log.info("%d frames of %d shots", film.frames, len(film.shots))


STEPS: Mapping[Callable[..., Any], StepTask] = {
    draw_control: StepTask(stored(draw_control, _log_control), _control_key),
    draw_sheet: StepTask(stored(draw_sheet, _log_sheet), _sheet_key),
    render_take: StepTask(stored(render_take, _log_take), _take_key),
    judge_exhibits: StepTask(stored(judge_exhibits, _log_verdicts), verdict_key),
    # The library keeps what the judge said; what it did not say must not be kept.
    hear_judge: StepTask(task(cache_policy=NO_CACHE, persist_result=False)(logged(hear_judge, _log_verdicts)), None),
    make_clip: StepTask(stored(make_clip, _log_clip), _clip_key),
    pieces.cut_piece: StepTask(stored(pieces.cut_piece, _log_piece), _piece_key),
    sound_cues.mixed: StepTask(stored(sound_cues.mixed, _log_mix), _sound_key),
    pieces.join_film: StepTask(stored(pieces.join_film, _log_film), _film_key),
    delivery.deliver_stored: StepTask(stored(delivery.deliver_stored, _log_piece), _delivery_key),
}
"""By the library's function."""
