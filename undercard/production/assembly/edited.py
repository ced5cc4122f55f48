"""A timeline that somebody edited: which frames of which files it shows in what order, and what is heard with them."""

from __future__ import annotations

import math
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, partial
from pathlib import Path
from urllib.parse import unquote, urlparse

import opentimelineio as otio

from undercard.errors import BadInput
from undercard.film.interchange import metadata
from undercard.film.interchange.metadata import ClipMetadata, FilmMetadata, TimelineMetadata, TrackMetadata
from undercard.film.sound.cue_sheet import CueSheet, Effect, Track
from undercard.film.sound.sound_file import check_playable
from undercard.store import sha256_of

MOST_FRAMES = 10**9
"""Of a clip; beyond it a time is a slip, and rounding it would tell nobody so."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A clip of the edited timeline."""

    name: str
    media: Path
    start: int
    """Its first frame in *media*."""
    frames: int
    segment: str
    """SHA-256 of the encoded piece that it is; empty once it was trimmed, or shows another file than the film."""
    sounds: tuple[Effect, ...]
    """On the frames of *media*."""


@dataclass(frozen=True, slots=True)
class Edit:
    """An edited timeline."""

    fps: Fraction
    stretches: tuple[Stretch, ...]
    tracks: tuple[Track, ...]
    crowd_db: float | None
    unheard: str = ""
    """Why something that the timeline has is not heard."""

    @property
    def frame_count(self) -> int:
        """Length of the film."""
        return sum(stretch.frames for stretch in self.stretches)

    @property
    def score(self) -> CueSheet:
        """What is heard: each effect where its picture went, and none whose picture was cut out."""
        effects: list[Effect] = []
        position = 0
        for stretch in self.stretches:
            for effect in stretch.sounds:
                frame = effect.frame - stretch.start
                if 0 <= frame < stretch.frames:
                    effects.append(Effect(effect.sound, position + frame, effect.gain_db))
            position += stretch.frames
        return CueSheet(self.fps, self.frame_count, tuple(effects), self.tracks, self.crowd_db)


@contextmanager
def opened(path: Path) -> Iterator[tuple[otio.schema.Timeline, Path]]:
    """Yield the timeline at *path* and the folder that its media's paths start at.

    Raises:
        BadInput: it is no timeline, or cannot be read.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            if path.suffix == ".otioz":
                base = Path(folder) / "bundle"
                base.mkdir()
                found = otio.adapters.read_from_file(str(path), extract_to_directory=str(base))
            else:
                found = otio.adapters.read_from_file(str(path), "otio_json")
                base = path.absolute().parent
        except (otio.exceptions.OTIOError, OSError, ValueError, zipfile.BadZipFile) as exc:
            raise BadInput(f"{path} is no timeline that can be read: {exc}; give an .otio or .otioz") from exc
        if not isinstance(found, otio.schema.Timeline):
            raise BadInput(f"{path} holds a {type(found).__name__}, not a timeline; export the sequence itself")
        yield found, base


def read(written: otio.schema.Timeline, folder: Path) -> Edit:
    """Return *written*, whose media have paths that start at *folder*, as what is to be cut.

    Raises:
        BadInput: it asks for what cannot be cut; the message names the clip.
    """
    known = metadata.read(TimelineMetadata, written, "the timeline")
    track = _picture(written)
    # A film is hashed once, however many clips show it.
    is_film = cache(partial(_is_film, known.film if known else None))
    fps = known.fps if known else None
    stretches: list[Stretch] = []
    for item in track:
        if not isinstance(item, otio.schema.Clip):
            raise BadInput(
                f"{type(item).__name__} {item.name!r} after {_last(stretches)}: only clips, one after the other, can be"
                " cut back; close gaps and render effects in the editor"
            )
        if not item.enabled:
            continue
        found = _range(item)
        fps = fps or Fraction(found.duration.rate).limit_denominator(1001)
        stretches.append(_stretch(item, found, folder, fps, is_film))
    if fps is None or not stretches:
        raise BadInput("the timeline has no clip that is enabled; give it at least one")
    unheard = _unheard(written, track, known)
    sound = known.sound if known else None
    if sound is None:
        return Edit(fps, tuple(stretches), (), None, unheard)
    frames = sum(stretch.frames for stretch in stretches)
    heard = tuple(track for entry in sound.tracks if (track := _track(entry, frames)) is not None)
    return Edit(fps, tuple(stretches), heard, sound.crowd_db, unheard)


def _picture(written: otio.schema.Timeline) -> otio.schema.Track:
    """Return the one track of pictures of *written*."""
    tracks = [track for track in written.video_tracks() if len(track) and track.enabled]
    if len(tracks) != 1:
        raise BadInput(f"the timeline has {len(tracks)} tracks of pictures that are enabled; flatten it to one")
    for whole, name in ((written.tracks, "the timeline"), (tracks[0], f"track {tracks[0].name!r}")):
        if whole.effects:
            raise BadInput(f"{name} has the effect {_named(whole.effects[0])}; remove it, or render it elsewhere")
        if whole.source_range is not None:
            raise BadInput(f"{name} is trimmed as a whole, to {_told(whole.source_range)}; trim its clips instead")
    return tracks[0]


def _unheard(written: otio.schema.Timeline, track: otio.schema.Track, known: TimelineMetadata | None) -> str:
    """Return what of the sound of *written* undercard cannot make again; empty for none."""
    if known is not None and known.sound is not None:
        bare = [clip.name for clip in track.find_clips() if metadata.NAMESPACE not in clip.metadata]
        return f"clip {bare[0]!r} brings no sounds, as its metadata is gone" if bare else ""
    if not any(len(track) for track in written.audio_tracks()):
        return ""
    if known is None:
        return "the timeline has sound, but the metadata that undercard makes it from is gone"
    return "the timeline has sound, but undercard wrote none of it"


def _range(clip: otio.schema.Clip) -> otio.opentime.TimeRange:
    """Return which frames *clip* shows, counted from the first that its media has."""
    if clip.effects:
        raise BadInput(
            f"clip {clip.name!r} has the effect {_named(clip.effects[0])}; remove it, or render it elsewhere"
        )
    media = clip.media_reference.available_range if clip.media_reference else None
    if media is None:
        raise BadInput(
            f"clip {clip.name!r} does not say how long its media is; relink it in the editor, and export again"
        )
    shown = clip.source_range or media
    numbers = [time for each in (shown, media) for time in (each.start_time, each.duration)]
    if not all(math.isfinite(each.value) and abs(each.value) < MOST_FRAMES and each.rate > 0 for each in numbers):
        raise BadInput(
            f"clip {clip.name!r} shows {_told(shown)} of {_told(media)}, which are none; trim it in the editor again"
        )
    first = media.start_time.rescaled_to(shown.start_time.rate)
    start = otio.opentime.RationalTime(shown.start_time.value - first.value, shown.start_time.rate)
    return otio.opentime.TimeRange(start, shown.duration)


def _stretch(
    clip: otio.schema.Clip, found: otio.opentime.TimeRange, folder: Path, fps: Fraction, is_film: Callable[[Path], bool]
) -> Stretch:
    media = _media(clip, folder)
    if any(abs(rate - float(fps)) > 0.01 for rate in (found.duration.rate, found.start_time.rate)):
        raise BadInput(f"clip {clip.name!r} runs at {found.duration.rate:g} frames a second, the film at {fps}")
    start, frames = round(found.start_time.value), round(found.duration.value)
    last = round(clip.available_range().duration.rescaled_to(found.duration.rate).value) - 1
    if start < 0 or frames < 1 or start + frames > last + 1:
        raise BadInput(f"clip {clip.name!r}: frames {start}…{start + frames - 1}, but its media has 0…{last}; trim it")
    known = metadata.read(ClipMetadata, clip, f"clip {clip.name!r}")
    if known is None:
        return Stretch(clip.name, media, start, frames, "", ())
    whole = is_film(media) and known.range == (start, frames)
    sounds = tuple(Effect(*each) for each in known.sounds)
    return Stretch(clip.name, media, start, frames, known.segment if whole else "", sounds)


def _media(clip: otio.schema.Clip, folder: Path) -> Path:
    url = getattr(clip.media_reference, "target_url", "")
    try:
        media = folder / unquote(urlparse(url).path)
        if url and media.is_file():
            return media
    except (OSError, ValueError):
        pass  # such as a name that no file can have
    raise BadInput(f"clip {clip.name!r}: its media {url or 'reference'!r} is not there; relink it in the editor")


def _is_film(film: FilmMetadata | None, media: Path) -> bool:
    """Say whether *media* is the *film* that was cut into pieces, and not what a clip was relinked to."""
    if film is None:
        return False
    if sha256_of(media) == film.sha256:
        return True
    if media.name == film.name:
        raise BadInput(
            f"{media} is not the film that the timeline was cut from; edit the timeline beside it, or give what"
            " replaces the film another name"
        )
    return False


def _track(entry: TrackMetadata, film_frames: int) -> Track | None:
    """Return a track of music as it was, as far as the film still goes; None where it begins after the end."""
    check_playable(entry.file)
    start, stop, fade_in, fade_out = entry.frames
    if start >= film_frames:
        return None
    gain, duck = entry.db
    return Track(entry.file, "", start, min(stop, film_frames), entry.skip, gain, fade_in, fade_out, duck, entry.loop)


def _named(effect: otio.schema.Effect) -> str:
    return repr(effect.name or effect.effect_name)


def _told(found: otio.opentime.TimeRange) -> str:
    return f"{found.duration.value:g} frames from {found.start_time.value:g}"


def _last(stretches: Sequence[Stretch]) -> str:
    return f"clip {stretches[-1].name!r}" if stretches else "the start"
