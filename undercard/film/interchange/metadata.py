"""What undercard writes into a timeline's metadata for itself, and reads again after an editor had it."""

from __future__ import annotations

import json
import re
import reprlib
from fractions import Fraction
from pathlib import Path
from typing import Annotated, TypeVar

import opentimelineio as otio
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from undercard.errors import BadInput
from undercard.film.sound.synthesis import SOUNDS

NAMESPACE = "undercard"
"""The key of everything that only this project understands."""

Model = TypeVar("Model", bound=BaseModel)


def _fraction(value: object) -> Fraction:
    # Fraction itself takes "1e999999999", and the machine's memory with it.
    if not isinstance(value, str | Fraction) or not re.fullmatch(r"[0-9]{1,18}(/[1-9][0-9]{0,17})?", str(value)):
        raise PydanticCustomError("fraction", "not a fraction such as 24000/1001")
    return Fraction(value)


def _sound(value: str) -> str:
    if value not in SOUNDS:
        raise PydanticCustomError("sound", "not one of {names}", {"names": ", ".join(SOUNDS)})
    return value


Ratio = Annotated[Fraction, BeforeValidator(_fraction)]
Frames = Annotated[int, Field(ge=0, le=10**9)]
Decibels = Annotated[float, Field(ge=-120, le=60)]


class _Written(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    def written(self) -> dict[str, object]:
        """Return it as metadata that OpenTimelineIO can hold."""
        return {NAMESPACE: self.model_dump(mode="json", exclude_none=True)}


class ClipMetadata(_Written):
    """Of a stretch of the film."""

    segment: Annotated[str, Field(pattern="^([0-9a-f]{64})?$")]
    """SHA-256 of the encoded piece that it is, untrimmed; empty for none."""
    range: tuple[Frames, Frames]
    """Its first frame in the film, and how many it has."""
    sounds: tuple[tuple[Annotated[str, AfterValidator(_sound)], Frames, Decibels], ...]
    """Each with its frame of the film and its gain."""


class TrackMetadata(_Written):
    """Of a stretch of a sound file."""

    file: Path
    frames: tuple[Frames, Frames, Frames, Frames]
    """Start and stop in the film, and how long it fades in and out."""
    skip: Ratio
    """Seconds."""
    db: tuple[Decibels, Decibels]
    """Its gain, and how far it makes way for effects."""
    loop: bool


class SoundMetadata(_Written):
    """Of what is heard, its effects apart."""

    crowd_db: Decibels | None = None
    tracks: tuple[TrackMetadata, ...]


class FilmMetadata(_Written):
    """Of the film that the clips were cut from."""

    name: str
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class TimelineMetadata(_Written):
    """Of a timeline."""

    fps: Ratio
    film: FilmMetadata | None = None
    sound: SoundMetadata | None = None
    """None for a film without."""


def read(model: type[Model], item: otio.core.SerializableObjectWithMetadata, whose: str) -> Model | None:
    """Return what undercard wrote into the metadata of *item*, or None where there is nothing of it.

    Raises:
        BadInput: it is not what undercard writes; the message says of *whose* metadata what, and the value.
    """
    # Its own mappings cannot be walked where a key holds a NUL.
    known = json.loads(item.to_json_string())["metadata"]
    if NAMESPACE not in known:
        return None
    try:
        return model.model_validate(known[NAMESPACE])
    except ValidationError as exc:
        problems = "; ".join(
            f"{'.'.join(map(str, (NAMESPACE, *each['loc'])))} "
            + ("is missing" if each["type"] == "missing" else f"is {reprlib.repr(each['input'])} ({each['msg']})")
            for each in exc.errors()[:3]
        )
        raise BadInput(
            f"{whose}: metadata {problems}; edit the timeline that undercard wrote again, or remove the metadata"
        ) from exc
