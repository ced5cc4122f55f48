"""Captions beside the film: when each shows, and the SubRip and WebVTT files of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from undercard.film.timeline.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Caption:
    """What is said over frames [start, stop) of the film."""

    text: str
    start: int
    stop: int


def captions(timeline: Timeline) -> tuple[Caption, ...]:
    """Return the caption of every shot that has one: from its first frame to the first of the next shot."""
    starts = list(timeline.starts().values())
    stops = [*starts[1:], timeline.frame_count]
    return tuple(
        Caption(clip.caption, start, stop)
        for clip, start, stop in zip(timeline.clips, starts, stops, strict=True)
        if clip.caption and stop > start
    )


def srt(found: Sequence[Caption], fps: Fraction) -> str:
    """Return the SubRip file of *found*; UTF-8, as players that know no other sign take it."""
    cues = (
        f"{number}\n{_stamp(each.start, fps, ',')} --> {_stamp(each.stop, fps, ',')}\n{each.text}\n"
        for number, each in enumerate(found, 1)
    )
    return "\n".join(cues)


def vtt(found: Sequence[Caption], fps: Fraction) -> str:
    """Return the WebVTT file of *found* (W3C WebVTT, 4.1)."""
    cues = (
        f"{_stamp(each.start, fps, '.')} --> {_stamp(each.stop, fps, '.')}\n{_escaped(each.text)}\n" for each in found
    )
    return "\n".join(["WEBVTT\n", *cues])


def _stamp(frame: int, fps: Fraction, point: str) -> str:
    # To the nearest thousandth, so that one cue ends where the next begins and no frame is on the wrong side.
    milliseconds = round(frame / fps * 1000)
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{point}{rest:03d}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
