"""The people of a keyframe as the gate saw them: joints in place and out of it, skeletons, and whom nobody knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from PIL import ImageDraw

from undercard.film.sheet.text import drawable, font, shortened
from undercard.gate.contract import Verdict
from undercard.gate.evidence import Evidence
from undercard.gate.measures.people import Fighter, cast_of
from undercard.gate.vision.adherence import adherence
from undercard.gate.vision.heat import KINDS, Peak
from undercard.gate.vision.networks import Floats
from undercard.gate.vision.pose import SEEN, look_closely

COLOURS = ("#e0b357", "#6fb8e8", "#c58be0", "#8fd18a")
"""One a fighter."""
RED = "#f0433a"
BRIGHT = "#f1efe9"
DARK = "#16171a"
LEGEND_ROW = 30
LIMBS = ((5, 6), (5, 7), (7, 9), (6, 8), (8, 10), (5, 11), (6, 12), (11, 12), (11, 13), (13, 15), (12, 14), (14, 16))
"""Pairs of `pose.JOINTS`."""
RADIUS = 5

Mark: TypeAlias = Literal["should", "held", "off", "nobody's", "found"]


@dataclass(frozen=True, slots=True)
class Sign:
    """A line of the legend."""

    mark: Mark
    colour: str
    text: str


def draw_people(draw: ImageDraw.ImageDraw, evidence: Evidence, verdict: Verdict, scale: float) -> list[Sign]:
    """Draw what was seen of people in the picture, shown *scale* times as large; return what the marks mean.

    Of who is not as he should be, his skeleton as well; nothing where nobody said who should be there.
    """
    cast = cast_of(evidence)
    if cast is None:
        return []
    failed = {finding.check: finding for finding in verdict.findings if not finding.passed}
    signs = []
    for index, fighter in enumerate(cast.fighters):
        colour = COLOURS[index % len(COLOURS)]
        _draw_target(draw, fighter, colour, scale)
        told = f"{fighter.target.name}: {_told(fighter)}"
        wrong = "pose" in failed and fighter.readable and fighter.fit < failed["pose"].threshold
        if wrong and not fighter.missing:
            told += _draw_found(draw, evidence, fighter, scale)
        signs.append(Sign("held", colour, told))
        _draw_name(draw, fighter, colour, scale)
    extra = cast.surplus.peaks if "stranger" in failed else ()
    for peak in extra:
        _draw_peak(draw, peak, scale, named=peak.heat == max(one.heat for one in extra if one.kind == peak.kind))
    signs.append(Sign("should", BRIGHT, "thin line: the pose that was asked for"))
    if any(_off(one).any() for one in cast.fighters):
        signs.append(Sign("off", RED, "a joint that is not where it should be"))
    if "pose" in failed:
        signs.append(Sign("found", BRIGHT, "thick line: the pose that is there"))
    if extra:
        signs.append(Sign("nobody's", RED, "a joint of somebody who should not be there, and how sure it is"))
    return signs


def draw_sign(draw: ImageDraw.ImageDraw, corner: tuple[int, int], sign: Sign, width: int) -> None:
    """Draw a line of the legend, at most *width* px wide."""
    x, y = corner[0] + 14, corner[1] + LEGEND_ROW // 2
    if sign.mark in ("should", "found"):
        draw.line((x - 12, y, x + 12, y), fill=sign.colour, width=2 if sign.mark == "should" else 5)
    else:
        _draw_mark(draw, (x, y), sign.mark, sign.colour)
    text = shortened(drawable(sign.text), font(16), width - 50)
    draw.text((x + 24, y - 10), text, fill=BRIGHT, font=font(16))


def _draw_target(draw: ImageDraw.ImageDraw, fighter: Fighter, colour: str, scale: float) -> None:
    """Draw the pose that was asked for, and what became of each joint that can be read."""
    seen = fighter.reading
    for start, end in LIMBS:
        if fighter.target.in_frame[[start, end]].all():
            ends = fighter.target.xy[[start, end]] * scale
            draw.line([*map(tuple, ends)], fill=colour, width=2)
    off = _off(fighter)
    for joint in np.flatnonzero(seen.held):
        _draw_mark(draw, _at(seen.xy, joint, scale), "held", colour)
    for joint in np.flatnonzero(off):
        _draw_mark(draw, _at(fighter.target.xy, joint, scale), "off", RED)


def _draw_found(draw: ImageDraw.ImageDraw, evidence: Evidence, fighter: Fighter, scale: float) -> str:
    """Draw the skeleton of whoever is there; return how far it is from the one that was asked for."""
    person = look_closely(evidence.pixels, fighter.target.box)
    sure = person.scores >= SEEN
    for start, end in LIMBS:
        if sure[[start, end]].all():
            draw.line([*map(tuple, person.xy[[start, end]] * scale)], fill=BRIGHT, width=5)
    for joint in np.flatnonzero(sure):
        x, y = _at(person.xy, joint, scale)
        draw.ellipse((x - 4, y - 4, x + 4, y + 4), fill=BRIGHT)
    held_to = adherence(person, fighter.target)
    return f" (its skeleton: PCK {held_to.pck:.2f}, OKS {held_to.oks:.2f})"


def _told(fighter: Fighter) -> str:
    if not fighter.readable:
        return f"not judged, {int(fighter.reading.trusted.sum())} joints can be read"
    if fighter.missing:
        return "nobody is there"
    seen = fighter.reading
    return f"{int(seen.held.sum())} of {int(seen.trusted.sum())} joints in place, fit {fighter.fit:.2f}"


def _draw_name(draw: ImageDraw.ImageDraw, fighter: Fighter, colour: str, scale: float) -> None:
    if not fighter.target.in_frame.any():
        return
    left, top, right, _ = (value * scale for value in fighter.target.box)
    face = font(16)
    text = drawable(fighter.target.name)
    x, y = (left + right - face.getlength(text)) / 2, max(top - 34, 2.0)
    draw.rectangle((x - 6, y - 2, x + face.getlength(text) + 6, y + 20), fill=DARK)
    draw.text((x, y - 1), text, fill=colour, font=face)


def _draw_peak(draw: ImageDraw.ImageDraw, peak: Peak, scale: float, *, named: bool) -> None:
    x, y = peak.x * scale, peak.y * scale
    _draw_mark(draw, (x, y), "nobody's", RED)
    if not named:
        return
    text = f"{KINDS[peak.kind][0]} {peak.heat:.2f}"
    draw.text((x + 10, y - 8), text, fill=BRIGHT, font=font(13), stroke_width=2, stroke_fill=DARK)


def _draw_mark(draw: ImageDraw.ImageDraw, middle: tuple[float, float], mark: Mark, colour: str) -> None:
    x, y = middle
    around = (x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS)
    if mark == "held":
        draw.ellipse(around, fill=colour, outline=DARK)
    elif mark == "off":
        for slope in (-1, 1):
            draw.line((x - RADIUS, y - slope * RADIUS, x + RADIUS, y + slope * RADIUS), fill=colour, width=4)
    else:
        corners = [(x, y - RADIUS - 3), (x + RADIUS + 3, y), (x, y + RADIUS + 3), (x - RADIUS - 3, y)]
        draw.polygon(corners, fill=colour, outline=BRIGHT)


def _off(fighter: Fighter) -> np.ndarray:
    off: np.ndarray = fighter.reading.trusted & ~fighter.reading.held & fighter.readable
    return off


def _at(xy: Floats, joint: np.intp, scale: float) -> tuple[float, float]:
    return float(xy[joint, 0]) * scale, float(xy[joint, 1]) * scale
