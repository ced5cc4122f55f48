"""From a timeline that somebody edited back to a film: reordered, trimmed and shortened, with its sounds in step."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from urllib.parse import unquote, urlparse

import av
import numpy as np
import opentimelineio as otio

from undercard import store
from undercard.domain.requests import Size
from undercard.errors import BadInput, MissingObject
from undercard.film.base.pixels import Pixels
from undercard.film.checking import qc
from undercard.film.encoding.segments import encode, join
from undercard.film.interchange import editors
from undercard.film.interchange.editors import NAMESPACE
from undercard.film.sound import loudness
from undercard.film.sound.cue_sheet import Effect, Score, Track
from undercard.film.sound.sound_file import check_playable
from undercard.film.timeline.timeline import Clip, Timeline


@dataclass(frozen=True, slots=True)
class Stretch:
    """A clip of the edited timeline."""

    name: str
    media: Path
    start: int
    """Its first frame in *media*."""
    frames: int
    segment: str
    """SHA-256 of the encoded piece that it is, untrimmed; empty once it was trimmed."""
    sounds: tuple[Effect, ...]
    """On the frames of *media*."""


@dataclass(frozen=True, slots=True)
class Edit:
    """An edited timeline."""

    fps: Fraction
    stretches: tuple[Stretch, ...]
    tracks: tuple[Track, ...]
    crowd_db: float | None

    @property
    def frame_count(self) -> int:
        """Length of the film."""
        return sum(stretch.frames for stretch in self.stretches)

    @property
    def score(self) -> Score:
        """What is heard: each effect where its picture went, and none whose picture was cut out."""
        effects: list[Effect] = []
        position = 0
        for stretch in self.stretches:
            for effect in stretch.sounds:
                frame = effect.frame - stretch.start
                if 0 <= frame < stretch.frames:
                    effects.append(Effect(effect.sound, position + frame, effect.gain_db))
            position += stretch.frames
        return Score(self.fps, self.frame_count, tuple(effects), self.tracks, self.crowd_db)


def cut(path: Path, target: Path) -> qc.FilmReport:
    """Cut the film of the edited timeline at *path* (.otio or .otioz) and write it to *target*.

    Pieces that nobody trimmed are taken as they were encoded; the others are decoded and encoded again.

    Raises:
        BadInput: the timeline cannot be read, or asks for what cannot be cut; the message names the clip.
        FilmError: a piece cannot be decoded, encoded or joined.
        StoreError: it cannot be written. *target* is untouched whenever something fails.
    """
    with _opened(path) as (written, folder):
        edit = _edit(written, folder)
        size = _size(edit.stretches[0])
        clips = tuple(
            Clip(f"{number} {each.name}", each.frames, "hold") for number, each in enumerate(edit.stretches, start=1)
        )
        timeline = Timeline(edit.fps, size, clips)
        with tempfile.TemporaryDirectory(prefix=f".{target.stem[:40]}.", dir=_made(target.parent)) as scratch:
            segments = [
                _segment(stretch, Path(scratch) / f"{number}.mp4", size, edit.fps)
                for number, stretch in enumerate(edit.stretches)
            ]
            heard: Path | None = None
            if not edit.score.silent:
                heard = Path(scratch) / "sound.m4a"
                qc.check_loudness("the sound", loudness.write(edit.score, heard), timeline.seconds)
            half = Path(scratch) / "film.mp4"
            join(segments, half, heard)
            report = qc.check(half, timeline)
            half.replace(target)
    return report


def _segment(stretch: Stretch, scratch: Path, size: Size, fps: Fraction) -> Path:
    if stretch.segment:
        try:
            return store.find(stretch.segment, ".mp4")
        except MissingObject:
            pass  # the store was emptied since: the film itself still has the pictures
    encode(_frames(stretch, fps), scratch, size, fps, stretch.frames)
    return scratch


def _frames(stretch: Stretch, fps: Fraction) -> Iterator[Pixels]:
    """Yield the frames of *stretch*; from the place before it that a player can seek to."""
    with av.open(f"file:{stretch.media}") as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        container.seek(int(stretch.start / fps / stream.time_base), stream=stream)
        for frame in container.decode(stream):
            if frame.pts is None or frame.time_base is None:
                continue
            index = round(frame.pts * frame.time_base * fps)
            if index >= stretch.start + stretch.frames:
                return
            if index >= stretch.start:
                # The film's colours are BT.709's, which swscale does not assume.
                yield np.asarray(frame.to_ndarray(format="rgb24", src_colorspace="ITU709"), np.uint8)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[otio.schema.Timeline, Path]]:
    """Yield the timeline at *path* and the folder that its media's paths start at."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            if path.suffix == ".otioz":
                base = _made(Path(folder) / "bundle")
                found = otio.adapters.read_from_file(str(path), extract_to_directory=str(base))
            else:
                found = otio.adapters.read_from_file(str(path), "otio_json")
                base = path.absolute().parent
        except (otio.exceptions.OTIOError, OSError, ValueError, zipfile.BadZipFile) as exc:
            raise BadInput(f"{path} is no timeline that can be read: {exc}; give an .otio or .otioz") from exc
        if not isinstance(found, otio.schema.Timeline):
            raise BadInput(f"{path} holds a {type(found).__name__}, not a timeline; export the sequence itself")
        yield found, base


def _edit(written: otio.schema.Timeline, folder: Path) -> Edit:
    tracks = [track for track in written.video_tracks() if len(track)]
    if len(tracks) != 1:
        raise BadInput(f"the timeline has {len(tracks)} tracks of pictures; flatten it to one")
    known = written.metadata.get(NAMESPACE, {})
    fps = Fraction(known["fps"]) if "fps" in known else None
    stretches: list[Stretch] = []
    for item in tracks[0]:
        if not isinstance(item, otio.schema.Clip):
            raise BadInput(
                f"{type(item).__name__} {item.name!r} after {_last(stretches)}: only clips, one after the other, can be"
                " cut back; close gaps and render effects in the editor"
            )
        fps = fps or Fraction(item.trimmed_range().duration.rate).limit_denominator(1001)
        stretches.append(_stretch(item, folder, fps))
    if fps is None:
        raise BadInput("the timeline has no clips; give it at least one")
    sound = known.get("sound")
    frames = sum(stretch.frames for stretch in stretches)
    if sound is None:
        return Edit(fps, tuple(stretches), (), None)
    heard = tuple(track for entry in sound["tracks"] if (track := _track(entry, frames)) is not None)
    return Edit(fps, tuple(stretches), heard, sound["crowd_db"])


def _stretch(clip: otio.schema.Clip, folder: Path, fps: Fraction) -> Stretch:
    if clip.effects:
        raise BadInput(f"clip {clip.name!r} has the effect {clip.effects[0].name!r}; remove it, or render it elsewhere")
    url = getattr(clip.media_reference, "target_url", "")
    media = folder / unquote(urlparse(url).path)
    if not url or not media.is_file():
        raise BadInput(f"clip {clip.name!r}: its media {url or 'reference'!r} is not there; relink it in the editor")
    found = clip.trimmed_range()
    if abs(found.duration.rate - float(fps)) > 0.01:
        raise BadInput(f"clip {clip.name!r} runs at {found.duration.rate:g} frames a second, the film at {fps}")
    start, frames = round(found.start_time.value), round(found.duration.value)
    available = clip.available_range()
    if start < 0 or frames < 1 or start + frames > round(available.duration.value):
        last = round(available.duration.value) - 1
        raise BadInput(f"clip {clip.name!r}: frames {start}…{start + frames - 1}, but its media has 0…{last}; trim it")
    known = clip.metadata.get(NAMESPACE, {})
    whole = list(known.get("range", [])) == [start, frames]
    return Stretch(clip.name, media, start, frames, str(known["segment"]) if whole else "", tuple(editors.sounds(clip)))


def _track(entry: dict[str, object], film_frames: int) -> Track | None:
    """Return a track of music as it was, as far as the film still goes; None where it begins after the end."""
    path = Path(str(entry["file"]))
    check_playable(path)
    start, stop, fade_in, fade_out = (int(number) for number in entry["frames"])  # type: ignore[attr-defined]
    gain, duck = (float(number) for number in entry["db"])  # type: ignore[attr-defined]
    if start >= film_frames:
        return None
    skip, loop = Fraction(str(entry["skip"])), bool(entry["loop"])
    return Track(path, "", start, min(stop, film_frames), skip, gain, fade_in, fade_out, duck, loop)


def _size(stretch: Stretch) -> Size:
    try:
        with av.open(f"file:{stretch.media}") as container:
            stream = container.streams.video[0]
            return stream.width, stream.height
    except (av.FFmpegError, IndexError) as exc:
        raise BadInput(f"clip {stretch.name!r}: {stretch.media} holds no picture ({exc}); relink it") from exc


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _last(stretches: Sequence[Stretch]) -> str:
    return f"clip {stretches[-1].name!r}" if stretches else "the start"
