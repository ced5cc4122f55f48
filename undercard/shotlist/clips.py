"""What a shot list says of clips, the videos that a model makes between keyframes."""

from __future__ import annotations

from typing import Annotated, ClassVar

from undercard.film.motion.motions import CLIP, MOTIONS
from undercard.shotlist.entry import Entry
from undercard.shotlist.fields import OneOf, Text


def fallbacks() -> dict[str, str]:
    """Return the motions that can stand in for a clip, each with a line about it."""
    return {name: row.about for name, row in MOTIONS.items() if name != CLIP}


class ClipEntry(Entry):
    """A shot whose motion is `clip`."""

    short_form: ClassVar[str | None] = "fallback"

    fallback: Annotated[str, OneOf("fall-back motion", fallbacks)] | None = None
    """The motion in its place where no clip can be made; unless told, that is an error."""
    prompt: Text = ""
    """What a video model should know of the movement, beyond who, where and how it begins and ends."""
