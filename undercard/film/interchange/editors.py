"""The film as other editors open it: OpenTimelineIO, an EDL and Final Cut's XML, beside the film that they speak of."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio

from undercard.domain.requests import Size
from undercard.errors import FilmError
from undercard.film.interchange import fcpxml
from undercard.film.interchange.metadata import (
    NAMESPACE,
    ClipMetadata,
    FilmMetadata,
    SoundMetadata,
    TimelineMetadata,
    TrackMetadata,
)
from undercard.film.sound.cue_sheet import CueSheet
from undercard.film.sound.synthesis import RATE
from undercard.film.timeline.timeline import Timeline
from undercard.store import write_atomically

DISSOLVE = otio.schema.TransitionTypes.SMPTE_Dissolve
"""The one transition that every format knows."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A stretch of the film that an editor can move: the body of a shot, or the transition between two."""

    name: str
    start: int
    """Its first frame in the film."""
    frames: int
    segment: str = ""
    """SHA-256 of the encoded piece that it is, while nobody trims it."""


def cuts(timeline: Timeline, segments: Sequence[str] = ()) -> tuple[Cut, ...]:
    """Return the pieces of *timeline*, each with its segment's SHA-256 where *segments* has them."""
    found: list[Cut] = []
    start = 0
    for index, piece in enumerate(timeline.pieces()):
        found.append(Cut(piece.name, start, piece.frame_count, segments[index] if segments else ""))
        start += piece.frame_count
    return tuple(found)


def timeline_of(
    title: str, fps: Fraction, pieces: Sequence[Cut], film: str, score: CueSheet | None = None, sha256: str = ""
) -> otio.schema.Timeline:
    """Return the film at *film*, a path that the timeline's reader will follow, cut where its pieces meet.

    A transition is a clip of its own: every editor opens it, and one that is not wanted can be taken out. With the
    *sha256* of the film, its encoded pieces are known to be what the film shows.
    """
    total = sum(piece.frames for piece in pieces)
    rate = float(fps)
    # As a URL relative to the timeline: it goes wherever the folder goes.
    media = otio.schema.ExternalReference(film, frame_range(0, total, rate))
    picture = otio.schema.Track("Picture", kind=otio.schema.TrackKind.Video)
    heard = sorted(score.effects, key=lambda each: each.frame) if score else []
    for piece in pieces:
        inside = [each for each in heard if piece.start <= each.frame < piece.start + piece.frames]
        clip = otio.schema.Clip(piece.name, media.deepcopy(), frame_range(piece.start, piece.frames, rate))
        known = ClipMetadata(
            segment=piece.segment,
            range=(piece.start, piece.frames),
            sounds=tuple((each.sound, each.frame, each.gain_db) for each in inside),
        )
        clip.metadata.update(known.written())
        picture.append(clip)
    of = FilmMetadata(name=film, sha256=sha256) if sha256 else None
    edit = otio.schema.Timeline(title, metadata=TimelineMetadata(fps=fps, film=of, sound=_heard(score)).written())
    edit.tracks.append(picture)
    if score is not None and not score.silent:
        sound = otio.schema.Track("Sound", kind=otio.schema.TrackKind.Audio)
        sound.append(otio.schema.Clip("mix", media.deepcopy(), frame_range(0, total, rate)))
        edit.tracks.append(sound)
    return edit


def write(edit: otio.schema.Timeline, folder: Path, size: Size, stem: str = "timeline") -> tuple[Path, ...]:
    """Write *edit*, of a film of *size*, as *stem* .otio, .edl and .fcpxml into *folder*, and return their paths.

    Raises:
        FilmError: one cannot be written.
    """
    try:
        found = {
            f"{stem}.otio": otio.adapters.write_to_string(edit, "otio_json"),
            f"{stem}.edl": _edl(edit),
            f"{stem}.fcpxml": fcpxml.text(
                edit, Fraction(edit.metadata[NAMESPACE]["fps"]), size, RATE if _hears_itself(edit) else 0
            ),
        }
    except (otio.exceptions.OTIOError, ValueError) as exc:
        raise FilmError(f"the film's timeline cannot be written for editors: {exc}; make the film again") from exc
    for name, content in found.items():
        write_atomically(folder / name, content.encode())
    return tuple(folder / name for name in found)


def write_bundle(edit: otio.schema.Timeline, path: Path, media: Path) -> None:
    """Write *edit* with its film, *media*, into one file at *path* (.otioz).

    Raises:
        FilmError: it cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix=".timeline.", dir=path.parent) as half:
        bundled = edit.deepcopy()
        for clip in bundled.find_clips():
            clip.media_reference.target_url = media.resolve().as_uri()
        try:
            otio.adapters.write_to_file(bundled, str(Path(half) / path.name))
            shutil.move(Path(half) / path.name, path)
        except (otio.exceptions.OTIOError, OSError) as exc:
            raise FilmError(f"cannot write {path.name}: {exc}; free space, or write elsewhere") from exc


def _heard(score: CueSheet | None) -> SoundMetadata | None:
    if score is None or score.silent:
        return None
    tracks = (
        TrackMetadata(
            file=track.file,
            frames=(track.start, track.stop, track.fade_in, track.fade_out),
            skip=track.skip_seconds,
            db=(track.gain_db, track.duck_db),
            loop=track.loop,
        )
        for track in score.tracks
    )
    return SoundMetadata(crowd_db=score.crowd_db, tracks=tuple(tracks))


def _hears_itself(edit: otio.schema.Timeline) -> bool:
    """Say whether the media of the pictures of *edit* have the sound that is heard."""
    heard = {clip.media_reference.target_url for track in edit.audio_tracks() for clip in track.find_clips()}
    return bool(heard & {clip.media_reference.target_url for clip in edit.video_tracks()[0].find_clips()})


def _edl(edit: otio.schema.Timeline) -> str:
    """Return the pictures of *edit* as an EDL of the CMX 3600, which has one track of them."""
    plain = edit.deepcopy()
    plain.tracks[:] = [track.deepcopy() for track in plain.video_tracks()]
    for track in plain.tracks:
        # What is no dissolve is a cut there.
        track[:] = [each.deepcopy() for each in track if getattr(each, "transition_type", DISSOLVE) == DISSOLVE]
    rate = next(iter(plain.find_clips())).source_range.duration.rate
    return str(otio.adapters.write_to_string(plain, "cmx_3600", rate=rate, style="avid"))


def frame_range(start: int, frames: int, rate: float) -> otio.opentime.TimeRange:
    """Return *frames* frames from *start*, of *rate* a second."""
    return otio.opentime.TimeRange(otio.opentime.RationalTime(start, rate), otio.opentime.RationalTime(frames, rate))
