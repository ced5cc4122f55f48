"""What a shot list says of who fights, how the camera stands, and what everybody does at a keyframe."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from undercard.domain.staging import Corner, Stance
from undercard.film.base.timing import FASTEST, SLOWEST
from undercard.shotlist.entry import Entry
from undercard.shotlist.fields import (
    CameraName,
    Colour,
    ControlName,
    Degrees,
    Frames,
    Line,
    Metres,
    Picture,
    Point,
    PoseName,
    Text,
    refusal,
)

Ease = Literal["linear", "smooth", "snap", "settle"]


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
