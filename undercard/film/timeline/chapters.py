"""What a player shows beside the film: its title, where it comes from, and a chapter for each shot."""

from __future__ import annotations

import re

from undercard.film.timeline.timeline import Timeline


def tags(title: str, comment: str, timeline: Timeline) -> str:
    """Return title, comment and chapters in ffmpeg's format for metadata, times on the film's own frames.

    A chapter begins where its shot does, and ends where the next begins, be it mixed with it there.
    """
    frame = f"{timeline.fps.denominator}/{timeline.fps.numerator}"
    starts = list(timeline.starts().values())
    lines = [";FFMETADATA1", f"title={_escaped(title)}", f"comment={_escaped(comment)}"]
    for clip, start, stop in zip(timeline.clips, starts, [*starts[1:], timeline.frame_count], strict=True):
        name = f"{clip.shot}: {clip.caption}" if clip.caption else clip.shot
        lines += ["[CHAPTER]", f"TIMEBASE={frame}", f"START={start}", f"END={stop}", f"title={_escaped(name)}"]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    """Escape what the format gives a meaning (ffmpeg-formats, "Metadata")."""
    return re.sub(r"([=;#\\\n])", r"\\\1", text)
