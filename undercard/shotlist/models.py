"""What a shot list holds, as pydantic models; `undercard.shotlist` reads them from a file."""

from __future__ import annotations

import re
import string
import unicodedata
from fractions import Fraction
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field
from pydantic.json_schema import SkipJsonSchema

from undercard.domain import controls
from undercard.film.base.timing import Freeze, Speed, Timing, written_timing
from undercard.shotlist.audio import Sound, SoundCue
from undercard.shotlist.clips import ClipEntry
from undercard.shotlist.delivery import DeliveryEntry
from undercard.shotlist.entry import Entry
from undercard.shotlist.fields import (
    ControlName,
    FontFile,
    FrameRate,
    Frames,
    FrameSize,
    LightName,
    Line,
    MotionName,
    Seed,
    Text,
    TransitionName,
    refusal,
)
from undercard.shotlist.staged import CameraEntry, CastMember, Keyframe, SpeedFactor
from undercard.shotlist.titles import TitledEntry

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
DEFAULT_TEMPLATE = "{style} {control} {likeness} {fighters} {camera} {light} {prompt}"
TEMPLATE_FIELDS = ("title", "style", "control", "likeness", "fighters", "camera", "light", "prompt")
"""What a prompt template may name; `undercard.shotlist.direction` fills them in."""


def exact(factor: float) -> Fraction:
    """Return the fraction that a written *factor* means: 0.1 is a tenth and 0.333 a third."""
    return Fraction(factor).limit_denominator(100)


def _template(value: str) -> str:
    remedy = f"use {', '.join(f'{{{name}}}' for name in TEMPLATE_FIELDS)}; write {{{{ for a brace"
    try:
        parts = list(string.Formatter().parse(value))
    except ValueError as exc:
        raise refusal(f"prompt template {value!r} cannot be read: {exc}", remedy) from exc
    for _, name, form, conversion in parts:
        if name is not None and (name not in TEMPLATE_FIELDS or form or conversion):
            raise refusal(f"prompt template names {{{name}}}", remedy)
    return value


class TransitionEntry(Entry):
    """How a shot follows the one before it."""

    short_form: ClassVar[str | None] = "kind"

    kind: TransitionName = "cut"
    frames: Annotated[int, Field(ge=0, le=1000)] | None = None
    """How long; 12 unless told, none for a cut."""

    @property
    def length(self) -> int:
        """Length in frames."""
        if self.frames is not None:
            return self.frames
        return 0 if self.kind == "cut" else 12


class ReplayEntry(Entry):
    """A shot whose pictures are shown again."""

    short_form: ClassVar[str | None] = "of"

    of: str
    """Its id."""
    at: Frames = 0
    """The frame of its action to begin on."""
    speed: SpeedFactor = 0.5
    """How fast it runs; slower than 1, moments between its frames are drawn."""


class Shot(TitledEntry):
    """From one cut to the next."""

    id: Identifier
    """Short name: letters, digits, - and _; begins with a letter."""
    number: SkipJsonSchema[int] = 0
    """Its place in the film, from 1; never written."""
    frames: Frames = Field(alias="length")
    """How long it is: frames, or seconds such as "2.5s" (to the nearest frame; halves go up)."""
    keyframes: Annotated[tuple[Keyframe, ...], Field(min_length=1)]
    """What is rendered; a replay shows those of the shot it is of, and has none of its own."""
    replay: ReplayEntry | None = None
    """Show another shot again in place of keyframes."""
    camera: CameraEntry = CameraEntry(name="wide")
    light: LightName = "stage"
    prompt: Text = ""
    """What an image model should know of this shot beyond who, where and how."""
    negative_prompt: Text = ""
    control: ControlName = controls.DEFAULT
    """What an image model draws its keyframes from."""
    seed: Seed = 1
    motion: MotionName = "pose"
    """How its keyframes become its frames."""
    clip: ClipEntry | None = None
    """For the motion `clip`: what stands in where none can be made, and what a video model is told."""
    transition: TransitionEntry = TransitionEntry()
    """How it follows the shot before it."""
    sounds: tuple[SoundCue, ...] = ()
    """What is heard beside what the poses sound like: bells, a cheer."""

    @property
    def source(self) -> str:
        """The id of the shot whose keyframes it shows: its own, but for a replay."""
        return self.id if self.replay is None else self.replay.of

    @property
    def timing(self) -> Timing:
        """How its action runs over its frames."""
        if self.replay is not None:
            return Timing(self.replay.at, (Speed(self.replay.at, exact(self.replay.speed)),))
        return written_timing(
            [Speed(key.at, exact(key.speed)) for key in self.keyframes if key.speed is not None],
            [Freeze(key.at, key.freeze) for key in self.keyframes if key.freeze],
        )

    def __hash__(self) -> int:
        return hash((self.id, self.number, self.frames))


class ShotList(Entry):
    """A film."""

    title: Line
    fps: FrameRate = Fraction(24)
    """Frames per second: 24, or a fraction such as 24000/1001."""
    size: FrameSize = (1024, 576)
    """Width and height in pixels: "1024x576" or [1024, 576]."""
    cast: Annotated[dict[str, CastMember], Field(min_length=1, max_length=64)]
    """The fighters by id."""
    prompt: Text = "A cinematic still from a boxing film, photorealistic."
    """Style of the whole film."""
    negative_prompt: Text = ""
    prompt_template: Annotated[Text, AfterValidator(_template)] = DEFAULT_TEMPLATE
    """Prompt of a keyframe; {title}, {style}, {control} (what the first picture is), {likeness} (who is in the
    others), {fighters}, {camera}, {light} and {prompt} are filled in."""
    control: ControlName = controls.DEFAULT
    """Control image of every shot that names none."""
    sheets: bool = True
    """Draw a character sheet of each fighter who has no reference. Each is a picture more that a model reads, which
    takes it time; without, the prompt alone says who they are."""
    light: LightName = "stage"
    """Light of every shot that names none."""
    seed: Seed = 1
    """Seed of every shot that names none."""
    sound: Sound | None = Sound()
    """Heard with the film; unless told, what the poses sound like. `null` for a film without."""
    captions: Literal["beside", "burned", "both"] = "beside"
    """Where captions go: files beside the film (.srt and .vtt), on the picture, or both."""
    delivery: Annotated[tuple[DeliveryEntry, ...], Field(max_length=16)] = ()
    """Other formats and shapes to make of the film, such as [hevc, {preset: h264, shape: vertical}]."""
    fonts: Annotated[tuple[FontFile, ...], Field(max_length=8)] = ()
    """Fonts beside the shot list, for characters that the shipped ones lack (they have Latin, Greek, Cyrillic, Arabic,
    Hebrew, Devanagari, Thai, Chinese and Japanese)."""
    shots: Annotated[tuple[Shot, ...], Field(min_length=1)]

    def __hash__(self) -> int:
        return hash((self.title, self.size, len(self.shots)))

    @property
    def slug(self) -> str:
        """The title as a file's name: lower-case letters and digits, with hyphens between."""
        plain = unicodedata.normalize("NFKD", self.title.casefold())
        words = re.findall(r"\w+", "".join(c for c in plain if not unicodedata.combining(c)))
        return "-".join(words).replace("_", "-").strip("-")[:60].rstrip("-") or "film"
