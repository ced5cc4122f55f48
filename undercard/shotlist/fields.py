"""The kinds of value that a shot list holds: names from a library, colours, times, files beside it."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

from PIL import Image, UnidentifiedImageError
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from undercard.domain import controls, timecode
from undercard.domain.colours import COLOURS
from undercard.errors import BadInput, UnreadableSound
from undercard.film.lettering.typeface import check_font
from undercard.film.motion.motions import MOTIONS
from undercard.film.motion.transitions import TRANSITIONS
from undercard.film.sound.sound_file import check_playable
from undercard.film.sound.synthesis import SOUNDS
from undercard.previz import cameras, lights, poses

PICTURE_FORMATS = ("PNG", "JPEG", "WEBP")
MUSIC_ENDINGS = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac")
MAX_PICTURE_PIXELS = 50_000_000


@dataclass(frozen=True, slots=True)
class Setting:
    """What validation needs to know beyond the file: passed as pydantic's context."""

    folder: Path
    """Where the shot list lies; files that it names are inside."""
    fps: Fraction


def refusal(what: str, remedy: str) -> PydanticCustomError:
    """Return the error for a value that is *what*; *remedy* tells what to write instead."""
    return PydanticCustomError("refused", "{what}", {"what": what, "remedy": remedy})


def nearest(name: str, known: Iterable[str]) -> str:
    """Return what to use in place of *name*: its nearest neighbours, whatever their capitals, or all of a handful."""
    names = {each.casefold(): each for each in known}
    if not names:
        return "there is none yet: add one, or remove this"
    close = difflib.get_close_matches(name.casefold(), names, n=3)
    if close:
        return f"did you mean {' or '.join(names[each] for each in close)}?"
    return f"use one of {', '.join(names.values())}"


@dataclass(frozen=True, slots=True)
class OneOf:
    """A string that is one of the names in a library; editors are offered each with its description."""

    kind: str
    names: Callable[[], Mapping[str, str]]
    """Name → one line about it."""

    def check(self, value: str) -> str:
        """Return *value* if the library holds it."""
        known = self.names()
        if value not in known:
            raise refusal(f"{self.kind} {value!r} does not exist", nearest(value, known))
        return value

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        about = self.names()
        # `enumDescriptions` is what VS Code and its YAML server show beside each completion.
        return {"type": "string", "enum": list(about), "enumDescriptions": list(about.values())}


def _colour(value: str) -> str:
    if value.lower() in COLOURS:
        return COLOURS[value.lower()]
    digits = value.removeprefix("#")
    if value.startswith("#") and len(digits) == 6 and all(digit in "0123456789abcdefABCDEF" for digit in digits):
        return value.lower()
    raise refusal(f"colour {value!r} is unknown", f'write "#rrggbb" or a name; {nearest(value, COLOURS)}')


def _text(value: str) -> str:
    # Line ends and tabs are layout of the file, not of the text; other control characters are slips.
    text = " ".join(value.split())
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        raise refusal("text with control characters", "remove the characters that do not print")
    return text


def _frame_rate(value: object) -> Fraction:
    try:
        return timecode.frame_rate(value)
    except timecode.BadTime as exc:
        raise refusal(exc.what, exc.remedy) from exc


def _frame_size(value: object) -> tuple[int, int]:
    try:
        return timecode.frame_size(value)
    except timecode.BadTime as exc:
        raise refusal(exc.what, exc.remedy) from exc


def _frames(value: object, info: ValidationInfo) -> int:
    setting = info.context
    assert isinstance(setting, Setting)
    try:
        return timecode.frame_count(value, setting.fps)
    except timecode.BadTime as exc:
        raise refusal(exc.what, exc.remedy) from exc


def _inside(value: object, info: ValidationInfo) -> Path:
    """Return the file that *value* names, which must lie in the shot list's folder, links followed."""
    setting = info.context
    assert isinstance(setting, Setting)
    if not isinstance(value, str):
        raise refusal(f"{value!r} is no path", 'write one such as "music/theme.ogg"')
    remedy = "put the file in the shot list's folder and write its path from there"
    if not value or "\0" in value or "\\" in value or Path(value).is_absolute() or ".." in Path(value).parts:
        raise refusal(f"path {value!r} leads outside the shot list's folder", remedy)
    try:
        folder = setting.folder.resolve()
        path = (folder / value).resolve()
        if not path.is_relative_to(folder):
            raise refusal(f"path {value!r} is a link that leads outside the shot list's folder", remedy)
        if not path.is_file():
            raise refusal(f"file {value!r} does not exist beside the shot list", "check the name, or remove it")
    except (OSError, RuntimeError) as exc:  # RuntimeError: a ring of links, before Python 3.13
        raise refusal(f"path {value!r} cannot be followed", remedy) from exc
    return path


def _picture(value: object, info: ValidationInfo) -> Path:
    path = _inside(value, info)
    try:
        with Image.open(path, formats=PICTURE_FORMATS) as image:
            pixels = image.width * image.height
            image.verify()
    except Image.DecompressionBombError:
        pixels = MAX_PICTURE_PIXELS + 1
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as exc:
        raise refusal(f"file {value!r} is no picture that can be read", "give a PNG, JPEG or WebP") from exc
    if pixels > MAX_PICTURE_PIXELS:
        raise refusal(f"picture {value!r} has more than 50 megapixels", "scale it to 2048 pixels")
    return path


def _music(value: object, info: ValidationInfo) -> Path:
    path = _inside(value, info)
    if path.suffix.lower() not in MUSIC_ENDINGS:
        raise refusal(f"file {value!r} is no music by its name", f"give one of {', '.join(MUSIC_ENDINGS)}")
    try:
        check_playable(path)
    except UnreadableSound as exc:
        raise refusal(f"file {value!r} cannot be played: {exc}", "give one that a player plays") from exc
    return path


def _font(value: object, info: ValidationInfo) -> Path:
    path = _inside(value, info)
    try:
        check_font(path)
    except BadInput as exc:
        raise refusal(f"file {value!r} is no font that can be read", "give a TrueType or OpenType file") from exc
    return path


def _abouts(table: Mapping[str, Any]) -> dict[str, str]:
    return {name: row.about for name, row in table.items()}


_TIME = {
    "anyOf": [
        {"type": "integer", "minimum": 0},
        {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?s?$"},
    ]
}

PoseName = Annotated[str, OneOf("pose", lambda: {name: poses.pose_card(name) for name in poses.names()})]
CameraName = Annotated[str, OneOf("camera", lambda: {name: cameras.about(name) for name in cameras.names()})]
LightName = Annotated[str, OneOf("light", lambda: {name: lights.about(name) for name in lights.names()})]
MotionName = Annotated[str, OneOf("motion", lambda: _abouts(MOTIONS))]
ControlName = Annotated[str, OneOf("control image", controls.abouts)]
TransitionName = Annotated[str, OneOf("transition", lambda: _abouts(TRANSITIONS))]
SoundName = Annotated[str, OneOf("sound", lambda: _abouts(SOUNDS))]
Decibels = Annotated[float, Field(ge=-60, le=12)]
Colour = Annotated[
    str,
    AfterValidator(_colour),
    WithJsonSchema({"anyOf": [{"enum": list(COLOURS)}, {"type": "string", "pattern": "^#[0-9a-fA-F]{6}$"}]}),
]
Text = Annotated[str, AfterValidator(_text), Field(max_length=4000)]
Line = Annotated[str, AfterValidator(_text), Field(min_length=1, max_length=120)]
FrameRate = Annotated[
    Fraction,
    BeforeValidator(_frame_rate),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 1, "maximum": 240}, {"type": "string"}]}),
]
FrameSize = Annotated[
    tuple[int, int],
    BeforeValidator(_frame_size),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": "^[0-9]+ ?[x×] ?[0-9]+$"},
                {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2},
            ]
        }
    ),
]
Frames = Annotated[int, BeforeValidator(_frames), WithJsonSchema(_TIME)]
Picture = Annotated[Path, BeforeValidator(_picture), WithJsonSchema({"type": "string"})]
Music = Annotated[Path, BeforeValidator(_music), WithJsonSchema({"type": "string"})]
FontFile = Annotated[Path, BeforeValidator(_font), WithJsonSchema({"type": "string"})]
Seed = Annotated[int, Field(ge=0, lt=1 << 32)]
Metres = Annotated[float, Field(ge=-50, le=50)]
Degrees = Annotated[float, Field(ge=-3600, le=3600)]
Point = tuple[Metres, Metres, Metres]
