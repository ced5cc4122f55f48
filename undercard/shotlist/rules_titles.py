"""The rules of what is lettered on shots: fighters that there are, within the shot, in characters that a font has."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from undercard.domain.problems import Location
from undercard.errors import Problem
from undercard.film.lettering.typeface import Style, lacking
from undercard.shotlist import graphics
from undercard.shotlist.fields import nearest
from undercard.shotlist.models import ShotList
from undercard.shotlist.problems import problem
from undercard.shotlist.rules_time import entries, frames
from undercard.shotlist.yaml_source import Source, Value

LETTERED: dict[str, tuple[Style, ...]] = {"title": ("display", "text"), "lower_third": ("display", "text")}
"""The style of each line of a graphic; of any other, its only one is lettered in `text`'s chain, which all share."""


def titles(
    source: Source, index: int, shot: dict[str, Value], cast: dict[str, Value], fps: Fraction
) -> Iterator[Problem]:
    """Yield what is wrong with the graphics of a shot as written."""
    third = shot.get("lower_third")
    named: list[tuple[Location, Value]] = [
        (("lower_third",), third.get("fighter") if isinstance(third, dict) else third)
    ]
    named += [(("score", row, "fighter"), each.get("fighter")) for row, each in enumerate(entries(shot.get("score")))]
    for place, name in named:
        if isinstance(name, str) and name not in cast:
            what = f"fighter {name!r} is not in the cast"
            yield problem(source, ("shots", index, *place), what, nearest(name, cast))
    length = frames(shot.get("length"), fps)
    for field in ("title", "lower_third"):
        written = shot.get(field)
        at = frames(written.get("at"), fps) if isinstance(written, dict) else None
        stays = frames(written.get("length"), fps) if isinstance(written, dict) else None
        location = ("shots", index, field)
        if at is not None and length is not None and at >= length >= 1:
            what = f"frame {at} is beyond the shot, whose last is {length - 1}"
            yield problem(source, (*location, "at"), what, f"use at most {length - 1}")
        if stays == 0:
            yield problem(source, (*location, "length"), "it shows for no frame at all", "make it 1 frame at least")


def unlettered(source: Source, film: ShotList) -> Iterator[Problem]:
    """Yield what is to be lettered on the picture and has characters that no font has."""
    for index, shot in enumerate(film.shots):
        for graphic in graphics.graphics(film, shot):
            styles = LETTERED.get(graphic.kind, ())
            for number, line in enumerate(graphic.lines):
                style: Style = styles[number] if number < len(styles) else "text"
                if lost := lacking(line, style, film.fonts):
                    shown = ", ".join(f"{character!r} (U+{ord(character):04X})" for character in lost[:4])
                    what = f"{line!r} has {shown}, which no font has"
                    remedy = "put a font that has it beside the shot list and name it in `fonts`"
                    yield problem(source, ("shots", index, graphic.kind), what, remedy)
