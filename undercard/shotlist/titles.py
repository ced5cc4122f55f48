"""What a shot list letters on its shots: titles, lower thirds, clocks, scores."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, WithJsonSchema

from undercard.shotlist.entry import Entry
from undercard.shotlist.fields import Frames, Line, Text, refusal

_TIME_LEFT = r"^[0-9]{1,2}:[0-5][0-9]$"


def _time_left(value: str) -> str:
    if not re.fullmatch(_TIME_LEFT, value):
        raise refusal(f"{value!r} is no time on a clock", 'write minutes and seconds, such as "2:58"')
    return value


Points = Annotated[int, Field(ge=0, le=999)]
TimeLeft = Annotated[str, AfterValidator(_time_left), WithJsonSchema({"type": "string", "pattern": _TIME_LEFT})]


class Timed(Entry):
    """Something that comes and goes within its shot."""

    at: Frames = 0
    """When it comes: frames from the shot's start, or seconds such as "0.5s"."""
    length: Frames | None = None
    """How long it stays; to the shot's end unless told."""

    def span(self, frames: int) -> tuple[int, int]:
        """Return its first frame in a shot of *frames*, and the one after its last."""
        return self.at, frames if self.length is None else min(frames, self.at + self.length)


class TitleEntry(Timed):
    """A title card over the shot."""

    short_form: ClassVar[str | None] = "text"

    text: Line
    under: Text = ""
    """A line under it."""


class LowerThirdEntry(Timed):
    """A fighter's name, on a bar in the colour of his corner."""

    short_form: ClassVar[str | None] = "fighter"

    fighter: str
    """An id of the cast."""
    note: Text = ""
    """A line under his name, such as his record."""


class ClockEntry(Entry):
    """The round and the time left in it, top right; it runs down with the shot's action, slow motion included."""

    round: Annotated[int, Field(ge=1, le=99)]
    left: TimeLeft
    """Time left as the shot begins, such as "2:58"."""
    label: Line = "ROUND"
    """What stands before the round's number."""
    runs: bool = True
    """Off, it stands still."""

    @property
    def seconds_left(self) -> int:
        """Time left in seconds."""
        minutes, seconds = self.left.split(":")
        return 60 * int(minutes) + int(seconds)


class ScoreEntry(Entry):
    """A judge's points."""

    fighter: str
    """An id of the cast."""
    points: Points


class TitledEntry(Entry):
    """What may be lettered on a shot."""

    title: TitleEntry | None = None
    lower_third: LowerThirdEntry | None = None
    clock: ClockEntry | None = None
    score: Annotated[tuple[ScoreEntry, ...], Field(max_length=2)] = ()
    """The points of one fighter or two, on the right: [{fighter: ray, points: 105}, {fighter: sol, points: 104}]."""
    caption: Text = ""
    """What is said: in a file beside the film, on the picture, or both, as the film's `captions` tells."""
