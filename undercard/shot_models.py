"""What a shot list holds, as pydantic models; `undercard.shotlist` reads them from a file."""

from __future__ import annotations

import re
import string
import unicodedata
from fractions import Fraction
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from undercard import controls
from undercard.film.timing import FASTEST, SLOWEST, Freeze, Speed, Timing, written_timing
from undercard.shot_clips import ClipEntry
from undercard.shot_delivery import DeliveryEntry
from undercard.shot_entry import Entry
from undercard.shot_fields import (
    CameraName,
    Colour,
    ControlName,
    Decibels,
    Degrees,
    FontFile,
    FrameRate,
    Frames,
    FrameSize,
    LightName,
    Line,
    Metres,
    MotionName,
    Music,
    Picture,
    Point,
    PoseName,
    Seed,
    SoundName,
    Text,
    TransitionName,
    refusal,
)
from undercard.shot_titles import TitledEntry
from undercard.staging import Corner, Stance

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
Ease = Literal["linear", "smooth", "snap", "settle"]
DEFAULT_TEMPLATE = "{style} {control} {likeness} {fighters} {camera} {light} {prompt}"
TEMPLATE_FIELDS = ("title", "style", "control", "likeness", "fighters", "camera", "light", "prompt")
"""What a prompt template may name; `undercard.direction` fills them in."""


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


class LookEntry(Entry):
    """Colours: `"#rrggbb"` or a name."""

    skin: Colour | None = None
    trunks: Colour | None = None
    gloves: Colour | None = None
    boots: Colour | None = None
    hair: Colour | None = None


class CastMember(Entry):
    """A fighter."""

    name: Line
    """As captions and prompts call him."""
    corner: Corner
    stance: Stance = "orthodox"
    look: LookEntry = LookEntry()
    reference: Picture | None = None
    """A picture of him, beside the shot list; image models keep his likeness. A sheet is drawn where there is none."""


class CameraEntry(Entry):
    """A camera by name, framing whoever fights, or by position and target."""

    short_form: ClassVar[str | None] = "name"

    name: CameraName | None = None
    subject: str | None = None
    """Whom a named camera is about: an id of the cast."""
    position: Point | None = None
    """[x, y, z] in metres; y is up, the canvas is at 0 and the ring's centre at the origin."""
    target: Point | None = None
    lens_mm: Annotated[float, Field(ge=10, le=400)] | None = None
    """Focal length on a frame 36 mm wide."""
    f_number: Annotated[float, Field(ge=0, le=64)] | None = None
    """Aperture; smaller blurs what is out of focus more, 0 keeps everything sharp."""
    roll_degrees: Degrees = 0.0
    ease: Literal["linear", "smooth"] = "smooth"
    """How the camera moves here from where it was before."""

    @model_validator(mode="after")
    def _is_one_kind(self) -> Self:
        placed = (self.position is not None, self.target is not None)
        if (self.name is None) == (not any(placed)) or any(placed) != all(placed):
            raise refusal("a camera needs either a name or a position with a target", "write one of the two")
        if all(placed) and self.subject is not None:
            raise refusal("a camera with a position has no subject", "aim its target instead")
        if self.position is not None and self.position == self.target:
            raise refusal("the camera looks at the point where it stands", "move its target")
        return self


class Cue(Entry):
    """What a fighter does at a keyframe; what is left out stays as it was at the keyframe before."""

    short_form: ClassVar[str | None] = "pose"

    pose: PoseName | None = None
    position: tuple[Metres, Metres] | None = None
    """[x, z] on the canvas, metres; red's default is at -x, blue's at +x, 1.1 m apart."""
    facing: Degrees | str | None = None
    """Degrees (0 looks along +z, 90 along +x) or an id of the cast; the opponent unless told."""
    tune: dict[str, Annotated[tuple[float, ...], Field(min_length=3, max_length=3)]] = Field(default_factory=dict)
    """Offsets to the pose's joints, metres or degrees, such as {lead_hand: [0, 0.1, 0]}."""
    aim: Literal["head", "body", "none"] | None = None
    """Where a punch lands. Left out, it finds an opponent in reach; `none` leaves it in the air."""


SpeedFactor = Annotated[float, Field(ge=float(SLOWEST), le=float(FASTEST))]


class Keyframe(Entry):
    """A moment that is rendered as a picture of its own."""

    at: Frames
    """When: frames of the action from the shot's start, or seconds such as "0.5s"."""
    speed: SpeedFactor | None = None
    """How fast the action runs here: 0.25 is slow motion, 1 as written. From one keyframe that names a speed to the
    next it changes evenly, beginning at 1 unless told. The shot's length stays what it is: slow motion shows less."""
    freeze: Annotated[int, Field(ge=0, le=1000)] = 0
    """How many frames longer the picture stands still here, as on an impact."""
    poses: dict[str, Cue] = Field(default_factory=dict)
    """What each fighter does, by his id in the cast."""
    ease: Ease = "smooth"
    """How the frames move into this keyframe. snap: still fast when it stops, as a punch; settle: a touch too far."""
    camera: CameraEntry | None = None
    """Where the camera has moved to; it moves from the keyframe before that names one."""
    prompt: Text | None = None
    """Replaces the shot's prompt at this keyframe."""
    control: ControlName | None = None
    """Replaces the shot's control image at this keyframe."""


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


class SoundCue(Entry):
    """A sound on a frame of a shot."""

    short_form: ClassVar[str | None] = "sound"

    at: Frames = 0
    sound: SoundName
    gain_db: Decibels = 0.0


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
