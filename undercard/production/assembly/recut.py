"""From a timeline that somebody edited back to a film: reordered, trimmed and shortened, with its sounds in step."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from undercard.domain.requests import Size
from undercard.errors import BadInput, EncodingFailed, MissingObject
from undercard.film.base import ticks
from undercard.film.base.pixels import Pixels
from undercard.film.checking import qc
from undercard.film.encoding.segments import encode, join
from undercard.film.sound import loudness
from undercard.film.timeline.timeline import Clip, Timeline
from undercard.production.assembly import edited
from undercard.production.assembly.edited import Edit, Stretch
from undercard.store import Store


@dataclass(frozen=True, slots=True)
class Recut:
    """A film that was cut from an edited timeline."""

    frames: int
    unheard: str
    """Why something that the timeline has is not heard."""


def cut(path: Path, target: Path, store: Store) -> Recut:
    """Cut the film of the edited timeline at *path* (.otio or .otioz) and write it to *target*.

    Pieces that nobody trimmed are taken from *store* as they were encoded; the others are decoded and encoded again.
    Disabled clips and tracks are left out.

    Raises:
        BadInput: the timeline cannot be read, or asks for what cannot be cut (the message names the clip), or there can
            be no such *target*.
        FilmError: a piece cannot be decoded, encoded or joined.
        StoreError: it cannot be written. *target* is untouched whenever something fails.
    """
    with edited.opened(path) as (written, folder), _scratch_beside(target) as scratch:
        edit = edited.read(written, folder)
        size = _size(edit)
        clips = tuple(
            Clip(f"{number} {each.name}", each.frames, "hold") for number, each in enumerate(edit.stretches, start=1)
        )
        timeline = Timeline(edit.fps, size, clips)
        segments = [
            _segment(stretch, scratch / f"{number}.mp4", size, edit.fps, store)
            for number, stretch in enumerate(edit.stretches)
        ]
        heard: Path | None = None
        if not edit.score.silent:
            heard = scratch / "sound.m4a"
            qc.check_loudness("the sound", loudness.write(edit.score, heard), timeline.seconds)
        half = scratch / "film.mp4"
        join(segments, half, heard)
        report = qc.check(half, timeline)
        half.replace(target)
    return Recut(report.frames, edit.unheard)


def _segment(stretch: Stretch, scratch: Path, size: Size, fps: Fraction, store: Store) -> Path:
    if stretch.segment:
        try:
            return store.find(stretch.segment, ".mp4")
        except MissingObject:
            pass  # the store was emptied since: the film itself still has the pictures
    try:
        encode(_frames(stretch, fps), scratch, size, fps, stretch.frames)
    except av.FFmpegError as exc:
        raise EncodingFailed(f"clip {stretch.name!r}: {stretch.media} cannot be decoded: {exc}; relink it") from exc
    return scratch


def _frames(stretch: Stretch, fps: Fraction) -> Iterator[Pixels]:
    """Yield the frames of *stretch*; from the place before it that a player can seek to."""
    with av.open(f"file:{stretch.media}") as container:
        stream = container.streams.video[0]
        container.seek(int(stretch.start / fps / ticks.rate(stream.time_base)), stream=stream)
        for frame in container.decode(stream):
            shown = ticks.seconds(frame.pts, frame.time_base)
            if shown is None:
                continue
            index = round(shown * fps)
            if index >= stretch.start + stretch.frames:
                return
            if index >= stretch.start:
                # The film's colours are BT.709's, which swscale does not assume.
                yield np.asarray(frame.to_ndarray(format="rgb24", src_colorspace="ITU709"), np.uint8)


@contextmanager
def _scratch_beside(target: Path) -> Iterator[Path]:
    """Yield a folder from which a file can be moved to *target*."""
    try:
        if target.is_dir():
            raise BadInput(f"{target} is a folder; name a file in it, such as {target / 'recut.mp4'}")
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(prefix=f".{target.stem[:40]}.", dir=target.parent)
    except OSError as exc:
        raise BadInput(f"{target} cannot be written: {exc.strerror}; name another file") from exc
    with scratch as folder:
        yield Path(folder)


def _size(edit: Edit) -> Size:
    """Return the size of the frames of *edit*, which all of its media share."""
    found: dict[Path, Size] = {}
    for stretch in edit.stretches:
        if stretch.media not in found:
            found[stretch.media] = _size_of(stretch)
        size, first = found[stretch.media], found[edit.stretches[0].media]
        if size != first:
            raise BadInput(
                f"clip {stretch.name!r}: {stretch.media.name} is {size[0]}x{size[1]}, the first clip"
                f" {first[0]}x{first[1]}; render it in that size"
            )
    return found[edit.stretches[0].media]


def _size_of(stretch: Stretch) -> Size:
    try:
        with av.open(f"file:{stretch.media}") as container:
            stream = container.streams.video[0]
            return stream.width, stream.height
    except (av.FFmpegError, IndexError) as exc:
        raise BadInput(f"clip {stretch.name!r}: {stretch.media} holds no picture ({exc}); relink it") from exc
