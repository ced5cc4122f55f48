"""From accepted takes to encoded pieces of the film, and from those to the film."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np

from undercard import __version__
from undercard.backends import Renderer
from undercard.domain.keys import content_key
from undercard.domain.progress import Meter
from undercard.domain.takes import Take
from undercard.errors import EncodingFailed
from undercard.film.base.pixels import Pixels
from undercard.film.base.timing import Moment
from undercard.film.checking import qc
from undercard.film.checking.watch import Watch, is_black
from undercard.film.encoding import lossless
from undercard.film.encoding.segments import REVISION, encode, join, piece_frames
from undercard.film.interchange import editors
from undercard.film.lettering.graphics import Overlays, shown_in
from undercard.film.motion.footage import Still
from undercard.film.motion.motions import CLIP, frames
from undercard.film.sound.cue_sheet import CueSheet
from undercard.film.timeline import chapters
from undercard.film.timeline.captions import captions, srt, vtt
from undercard.film.timeline.timeline import Clip, Piece, Span, Timeline
from undercard.planning.piece_costs import drawn_in, piece_cost
from undercard.planning.plan import Plan
from undercard.production.assembly import expectations
from undercard.production.assembly.clips import Clips, MadeClip
from undercard.production.assembly.sound_cues import Mix
from undercard.production.keyframes.takes import accepted_take, usable_take
from undercard.production.records import FilmRecord, KeyframeRecord
from undercard.shotlist.models import Shot
from undercard.store import Store, StoredFile, sha256_of, write_atomically

Takes: TypeAlias = Mapping[str, tuple[Take, ...]]
"""The accepted takes of each shot, in the order of its keyframes."""


NO_CLIPS: Clips = {}


def piece_key(plan: Plan, piece: Piece, takes: Takes, clips: Clips = NO_CLIPS) -> str:
    """Return the SHA-256 of everything that decides the piece's bytes."""
    return content_key(
        {
            "encoder": REVISION,
            "fps": str(plan.shot_list.fps),
            "size": plan.size,
            "transition": piece.transition,
            "fonts": [sha256_of(font) for font in plan.shot_list.fonts],
            **({"master": lossless.REVISION} if plan.masters else {}),
            "spans": [_span_content(plan, span, takes[span.clip.shot], clips) for span in piece.spans],
        }
    )


class CutPiece(StoredFile):
    """An encoded piece, decoded again and found to be what was drawn."""

    first: tuple[float, float]
    """Mean luma of its first two frames."""
    last: tuple[float, float]
    """And of its last two."""
    master: StoredFile | None = None
    """Its frames without loss, where somebody wants them."""


def cut_piece(
    plan: Plan, piece: Piece, takes: Takes, renderer: Renderer, meter: Meter, clips: Clips = NO_CLIPS
) -> CutPiece:
    """Draw and encode *piece*, check it by decoding it, and store it.

    Raises:
        BadFilm: it does not show what was drawn, or shows black, a flash or a picture that stands still.
        EncodingFailed: ffmpeg stopped with an error.
        StoreError: it cannot be stored.
    """
    store = plan.store
    with store.scratch(".mp4") as path, store.scratch(".mkv") as master:

        def shoot(span: Span) -> Iterator[Pixels]:
            return _span_frames(plan, span, takes[span.clip.shot], renderer, clips)

        overlays = Overlays(plan.shot_list.fps, plan.shot_list.fonts)

        def letter(clip: Clip, frame: int, pixels: Pixels) -> Pixels:
            return overlays.over(pixels, clip.graphics, frame, clip.timing.moment(frame) - clip.timing.moment(0))

        watch = Watch(plan.size)
        shown = _counted(plan, piece, watch.over(piece_frames(piece, shoot, letter)), meter)
        if plan.masters:
            shown = lossless.kept(shown, master, plan.size, plan.shot_list.fps)
        try:
            encode(shown, path, plan.size, plan.shot_list.fps, piece.frame_count)
        except EncodingFailed as exc:
            raise EncodingFailed(f"shot {piece.name}: {exc}") from exc
        expected = expectations.expected(plan, piece, takes)
        if any(map(is_black, watch.looks)) and expectations.shows_black_stills(piece, takes, store):
            expected = replace(expected, black=True)
        where = partial(_place, plan, piece)
        ends = qc.check_piece(path, plan.shot_list.fps, plan.size, watch.looks, expected, where)
        kept = store.put_file(master) if plan.masters else None
        return CutPiece(**store.put_file(path).model_dump(), first=ends.first, last=ends.last, master=kept)


def _place(plan: Plan, piece: Piece, frame: int) -> str:
    """Return where *frame* of *piece* is in the film, as an error names it."""
    begins = 0
    for each in plan.timeline.pieces():
        if each == piece:
            break
        begins += each.frame_count
    else:
        # A whole shot, of which the film shows parts in other pieces.
        begins = plan.timeline.starts()[piece.spans[0].clip.shot]
    return f"{qc.time_code(begins + frame, plan.shot_list.fps)}, shot {piece.name}, frame {frame}"


def _span_frames(plan: Plan, span: Span, takes: tuple[Take, ...], renderer: Renderer, clips: Clips) -> Iterator[Pixels]:
    shot = plan.shot(span.clip.shot)

    def draw(moment: Moment) -> Pixels:
        return np.asarray(renderer.render(plan.between(shot, moment)).image)

    store, posed = plan.store, zip(shot.keyframes, takes, strict=True)
    stills = [Still(keyframe.at, store.path_of(take.picture)) for keyframe, take in posed]
    drawing = draw if plan.animates else None
    timing = span.clip.timing
    reels = [made.reel(store) if made else None for made in _clips_of(span, clips)]
    return frames(span.clip.motion, stills, plan.size, shot.frames, drawing, span.start, span.stop, timing, reels)


def _clips_of(span: Span, clips: Clips) -> tuple[MadeClip | None, ...]:
    return clips[span.clip.shot] if span.clip.motion == CLIP else ()


def _span_content(plan: Plan, span: Span, takes: tuple[Take, ...], clips: Clips) -> object:
    shot = plan.shot(span.clip.shot)
    made = [clip.digest if clip else None for clip in _clips_of(span, clips)]
    return {
        "motion": span.clip.motion,
        "frames": [shot.frames, span.start, span.stop],
        "graphics": shown_in(span.clip.graphics, span.start, span.stop),
        "moments": [str(span.clip.timing.moment(frame)) for frame in range(span.start, span.stop)],
        "stills": [[keyframe.at, take.picture.sha256] for keyframe, take in zip(shot.keyframes, takes, strict=True)],
        "drawn": [plan.between(shot, moment).key for moment in drawn_in(plan, span)],
        **({"clips": made} if made else {}),
    }


def _counted(plan: Plan, piece: Piece, shown: Iterator[Pixels], meter: Meter) -> Iterator[Pixels]:
    cost = piece_cost(plan, piece) / piece.frame_count
    for pixels in shown:
        yield pixels
        meter.work(cost, f"shot {piece.name}")


def join_film(
    pieces: Sequence[CutPiece], timeline: Timeline, store: Store, sound: Mix | None = None, tags: str = ""
) -> FilmRecord:
    """Join *pieces* and *sound* without encoding them again, check the film, and keep it in *store*.

    Raises:
        BadFilm: it is not what *timeline* says; the light jumps at a seam; the sound is too loud or too quiet.
        EncodingFailed: ffmpeg stopped with an error.
    """
    _check_seams(pieces, timeline)
    if sound is not None:
        qc.check_loudness("the sound", sound.loudness, timeline.seconds)
    with store.scratch(".mp4") as path:
        segments = [store.path_of(piece) for piece in pieces]
        heard = store.path_of(sound.file) if sound else None
        join(segments, path, heard, tags)
        found = qc.check_joined(path, timeline, segments, heard)
        return FilmRecord(
            file=store.put_file(path),
            frames=found.frames,
            seconds=found.seconds,
            codec=found.codec,
            pixel_format=found.pixel_format,
            shots=tuple(clip.shot for clip in timeline.clips),
            loudness_lufs=sound.lufs if sound else None,
            true_peak_dbtp=sound.true_peak_dbtp if sound else None,
        )


def describe_motions(plan: Plan, clips: Clips) -> dict[str, object]:
    """Return what a film's record says of its clips: what made them, and which shots show another motion instead."""
    made = {
        shot: tuple(dict.fromkeys(said for clip in found if clip for said in (clip.detail, *clip.notes)))
        for shot, found in clips.items()
    }
    shown = {shot.id for shot in plan.shots}
    return {"clips": made, "fallen": {each.shot: str(each) for each in plan.fallen if each.shot in shown}}


def film_tags(plan: Plan) -> str:
    """Return the title, the origin and the chapters of the film of *plan*."""
    origin = f"undercard {__version__}, {plan.family}"
    return chapters.tags(plan.shot_list.title, origin, plan.timeline)


def _check_seams(pieces: Sequence[CutPiece], timeline: Timeline) -> None:
    shown = timeline.pieces()
    begins = 0
    for index in range(1, len(shown)):
        begins += shown[index - 1].frame_count
        transition = shown[index].transition or shown[index - 1].transition
        if transition is not None and transition.kind in expectations.SMOOTH:
            before, after = pieces[index - 1], pieces[index]
            where = f"{qc.time_code(begins, timeline.fps)}, {shown[index - 1].name} to {shown[index].name}"
            qc.check_seam(qc.Ends(before.first, before.last), qc.Ends(after.first, after.last), where)


def cost(plan: Plan) -> float:
    """Estimate the seconds that the pieces of the film take to draw and encode."""
    return sum(piece_cost(plan, piece) for piece in plan.timeline.pieces())


def usable_takes(plan: Plan, shot: Shot, records: Mapping[str, KeyframeRecord]) -> tuple[Take, ...] | None:
    """Return a take for each keyframe of *shot*, or None while one of them has none or has changed since.

    It is the accepted one, else the best that the gate rejected; see `unreviewed`. Those of a replay are the takes of
    the shot that it shows again.
    """
    filmed = plan.keyframes(plan.shot(shot.source))
    takes = [usable_take(records.get(k.label), k, exact=plan.exact) for k in filmed]
    found = tuple(take for take in takes if take is not None)
    return found if len(found) == len(takes) else None


def unreviewed(plan: Plan, records: Mapping[str, KeyframeRecord]) -> tuple[str, ...]:
    """Return the labels of the keyframes of *plan* whose take the gate rejected and nobody has approved."""
    keyframes = (keyframe for shot in plan.filmed for keyframe in plan.keyframes(shot))
    return tuple(k.label for k in keyframes if accepted_take(records.get(k.label), k, exact=plan.exact) is None)


def film_name(plan: Plan, *, refused: bool = False, unreviewed: bool = False) -> str:
    """Return the name of the film's file.

    A film that lacks shots is an excerpt, and one that is refused for its mixture, or that nobody has looked at where
    the gate rejected something, is called so: none of them replaces the film.
    """
    if unreviewed:
        return "review.mp4"
    if refused:
        return "mixed.mp4"
    return "film.mp4" if plan.whole else "excerpt.mp4"


def publish(film: StoredFile, plan: Plan, folder: Path, name: str) -> Path:
    """Put the finished film where people find it, with its captions beside it where the shot list has them there."""
    path = folder / name
    plan.store.copy_out(film, path)
    found = captions(plan.timeline) if plan.shot_list.captions != "burned" else ()
    for suffix, written in ((".srt", srt), (".vtt", vtt)):
        beside = path.with_suffix(suffix)
        if found:
            write_atomically(beside, written(found, plan.shot_list.fps).encode())
        else:
            beside.unlink(missing_ok=True)
    return path


def publish_timeline(plan: Plan, pieces: Sequence[CutPiece], film: Path, cues: CueSheet) -> tuple[Path, ...]:
    """Write what other editors open beside *film*: .otio, .edl and .fcpxml, and an .otioz that holds the film, too.

    Args:
        plan: of the film.
        pieces: that it was joined from.
        film: the finished film.
        cues: what is heard in it.

    Raises:
        FilmError: one cannot be written.
        StoreError: there is no room for it.
    """
    # The film of an excerpt has a timeline of its own.
    stem = "timeline" if film.stem == "film" else f"{film.stem}-timeline"
    shown = editors.cuts(plan.timeline, [piece.sha256 for piece in pieces])
    title, fps, digest = plan.shot_list.title, plan.shot_list.fps, sha256_of(film)
    edit = editors.timeline_of(title, fps, shown, film.name, cues, digest)
    written = editors.write(edit, film.parent, plan.size, stem)
    bundle = film.with_name(f"{stem}.otioz")
    editors.write_bundle(edit, bundle, film)
    return (*written, bundle)
