"""What a shot list says of the film's sound."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from undercard.shotlist.entry import Entry
from undercard.shotlist.fields import Decibels, Frames, Music, SoundName


class SoundCue(Entry):
    """A sound on a frame of a shot."""

    short_form: ClassVar[str | None] = "sound"

    at: Frames = 0
    sound: SoundName
    gain_db: Decibels = 0.0


class TrackEntry(Entry):
    """A stretch of a sound file in the film."""

    short_form: ClassVar[str | None] = "file"

    file: Music
    """A file beside the shot list."""
    shot: str | None = None
    """Count start and stop from this shot's first frame; from the film's unless told."""
    start: Frames = 0
    """When it begins: frames, or seconds such as "2.5s"."""
    stop: Frames | None = None
    """When it ends; with the film unless told."""
    skip: Frames = 0
    """How much of the file's beginning is left out."""
    gain_db: Decibels = 0.0
    fade_in: Frames = 0
    fade_out: Frames = 0
    duck_db: Annotated[float, Field(ge=0, le=60)] = 0.0
    """How far it makes way for every effect."""
    loop: bool = False
    """Begin the file again when it ends before the track does."""


class Sound(Entry):
    """The film's sound; what is left out is made from the poses."""

    music: Music | None = None
    """A file beside the shot list, for the whole film; it makes way for effects."""
    gain_db: Decibels = 0.0
    """Of the music."""
    tracks: tuple[TrackEntry, ...] = ()
    effects: bool = True
    """Punches, falls, bells and cheers, made by the project and placed by the poses."""
    effects_db: Decibels = 0.0
    crowd: bool = True
    """The murmur of the hall, which rises with the punches."""
    crowd_db: Decibels = 0.0
