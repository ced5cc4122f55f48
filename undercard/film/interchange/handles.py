"""The film as whole shots with real transitions between them: an editor can move, lengthen or replace each of these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import opentimelineio as otio

from undercard.film.interchange.editors import DISSOLVE, frame_range
from undercard.film.interchange.metadata import NAMESPACE, TimelineMetadata
from undercard.film.motion.transitions import transition_kind
from undercard.film.timeline.timeline import Clip, Piece, Span, Timeline

OTHER = otio.schema.TransitionTypes.Custom


@dataclass(frozen=True, slots=True)
class Join:
    """Where a shot meets the one before it."""

    leaving: int
    """Frames of the transition before the cut; there, the shot that comes shows frames that are its handle."""
    coming: int
    """Frames of it after the cut; there, the shot that leaves shows its handle."""
    kind: str

    @property
    def frames(self) -> int:
        """Length of the transition."""
        return self.leaving + self.coming


def whole_shots(timeline: Timeline) -> tuple[Piece, ...]:
    """Return what to encode: every shot from its first frame to its last, in the film's order.

    Of a shot without transitions that is the piece that the film is cut from.
    """
    return tuple(Piece((Span(clip, 0, clip.frames),)) for clip in timeline.clips)


def joins(timeline: Timeline) -> tuple[Join | None, ...]:
    """Return how each shot meets the one before; None for cuts, and for what opens the film.

    Where both shots show at once, the cut lies in the middle of that; a dip or a flash has its cut where it changes
    over.
    """
    found: list[Join | None] = [None]
    for clip in timeline.clips[1:]:
        kind, length = transition_kind(clip.transition_in.kind), clip.transition_in.frames
        leaving, coming = (length // 2, length - length // 2) if kind.overlaps else kind.takes(length)
        found.append(None if kind.instant else Join(leaving, coming, clip.transition_in.kind))
    return tuple(found)


def timeline_of(title: str, timeline: Timeline, media: Mapping[str, str], mix: str = "") -> otio.schema.Timeline:
    """Return the film as whole shots.

    Args:
        title: of the film.
        timeline: what it is cut from.
        media: by shot, the path of its media as the timeline's reader will follow it; each holds the whole shot.
        mix: the path of a file with the film's sound, as long as the film; empty for none.
    """
    rate = float(timeline.fps)
    picture = otio.schema.Track("Picture", kind=otio.schema.TrackKind.Video)
    meets = joins(timeline)
    for clip, before, after in zip(timeline.clips, meets, [*meets[1:], None], strict=True):
        if before is not None:
            picture.append(_transition(before, rate))
        start, stop = _shown(clip, before, after)
        reference = otio.schema.ExternalReference(media[clip.shot], frame_range(0, clip.frames, rate))
        picture.append(otio.schema.Clip(clip.shot, reference, frame_range(start, stop - start, rate)))
    edit = otio.schema.Timeline(title, metadata=TimelineMetadata(fps=timeline.fps).written())
    edit.tracks.append(picture)
    if mix:
        sound = otio.schema.Track("Sound", kind=otio.schema.TrackKind.Audio)
        whole = frame_range(0, timeline.frame_count, rate)
        sound.append(otio.schema.Clip("mix", otio.schema.ExternalReference(mix, whole), whole))
        edit.tracks.append(sound)
    return edit


def _shown(clip: Clip, before: Join | None, after: Join | None) -> tuple[int, int]:
    """Return which frames of *clip* lie between its cuts: [start, stop)."""
    start, stop = 0, clip.frames
    if before is not None and transition_kind(before.kind).overlaps:
        start = before.leaving
    if after is not None and transition_kind(after.kind).overlaps:
        stop -= after.coming
    return start, stop


def _transition(join: Join, rate: float) -> otio.schema.Transition:
    kind = DISSOLVE if transition_kind(join.kind).overlaps else OTHER
    return otio.schema.Transition(
        name=join.kind,
        transition_type=kind,
        in_offset=otio.opentime.RationalTime(join.leaving, rate),
        out_offset=otio.opentime.RationalTime(join.coming, rate),
        metadata={NAMESPACE: {"kind": join.kind}},
    )
