"""What each graphic looks like: where it lies, how large its type is, what stands behind it."""

from __future__ import annotations

from undercard.domain.requests import Size
from undercard.film.lettering.layer import Layer
from undercard.film.lettering.typeface import Fonts, Lettering, fitted, lettering, wrapped

SAFE = 0.05
"""Graphics stay so far from the picture's edges, as a share of it (EBU R 95)."""
PAPER, INK, GOLD, MUTED = "#f6f3ea", "#0c0d10", "#d9b25f", "#c9c6bd"
PANEL = 0.78
"""How much of the picture a panel hides."""
CAP = 0.36
"""Half of the height of a capital, as a share of the type's size: lines are centred by it."""


def title(size: Size, lines: tuple[str, ...], colours: tuple[str, ...], fonts: Fonts) -> Layer:
    """Lay a title, and a line under it, over a darkened picture."""
    width, height = size
    layer = Layer(size)
    layer.box((0, 0, width, height), INK, 0.45)
    head = fitted(lines[0], round(height * 0.19), width * 0.84, "display", fonts)
    under = lines[1] if len(lines) > 1 else ""
    baseline = height * (0.53 if under else 0.56)
    _centred(layer, head, width / 2, baseline, PAPER)
    if under:
        rule = height * 0.60
        half = min(head.width, width * 0.84) / 2
        layer.box((width / 2 - half, rule, width / 2 + half, rule + max(1.0, height * 0.006)), GOLD)
        line = fitted(under, round(height * 0.062), width * 0.84, "text", fonts)
        _centred(layer, line, width / 2, rule + height * 0.10, GOLD)
    return layer


def lower_third(size: Size, lines: tuple[str, ...], colours: tuple[str, ...], fonts: Fonts) -> Layer:
    """Lay a name, and a note under it, on a panel above where captions are, with a bar in *colours*' first."""
    width, height = size
    layer = Layer(size)
    most = width * (0.6 - 2 * SAFE)
    name = fitted(lines[0], round(height * 0.085), most, "display", fonts)
    note = fitted(lines[1], round(height * 0.046), most, "text", fonts) if len(lines) > 1 and lines[1] else None
    bar, pad = width * 0.012, height * 0.028
    left, bottom = width * SAFE, height * 0.80
    top = bottom - pad * 2 - height * (0.125 if note else 0.062)
    right = left + bar + 2 * pad + max(name.width, note.width if note else 0.0)
    layer.box((left, top, right, bottom), INK, PANEL)
    layer.box((left, top, left + bar, bottom), colours[0])
    layer.letter(lambda mask: name.draw(mask, left + bar + pad, top + pad + height * 0.062), PAPER)
    if note:
        layer.letter(lambda mask: note.draw(mask, left + bar + pad, bottom - pad), MUTED)
    return layer


def clock(size: Size, lines: tuple[str, ...], colours: tuple[str, ...], fonts: Fonts) -> Layer:
    """Lay the round and the time in the top right corner; the time has room for its widest figures."""
    width, height = size
    layer = Layer(size)
    type_px = round(height * 0.056)
    label, time = lettering(lines[0], type_px, "display", fonts), lettering(lines[1], type_px, "display", fonts)
    pad, deep = height * 0.022, height * 0.086
    # Figures differ in width; the panel does not twitch with them.
    time_room = max(lettering(figure * 3 + ":", type_px, "display", fonts).width for figure in "0123456789")
    right, top = width * (1 - SAFE), height * SAFE
    middle = right - time_room - 2 * pad
    left = middle - label.width - 2 * pad
    layer.box((left, top, middle, top + deep), INK, PANEL)
    layer.box((middle, top, right, top + deep), PAPER, 0.94)
    baseline = top + deep / 2 + type_px * CAP
    _centred(layer, label, (left + middle) / 2, baseline, PAPER)
    _centred(layer, time, (middle + right) / 2, baseline, INK)
    return layer


def score(size: Size, lines: tuple[str, ...], colours: tuple[str, ...], fonts: Fonts) -> Layer:
    """Lay names and points, `name, points, name, points …`, on the right above where captions are, a row a fighter."""
    width, height = size
    layer = Layer(size)
    type_px = round(height * 0.052)
    names = [fitted(name, type_px, width * 0.32, "display", fonts) for name in lines[::2]]
    points = [lettering(point, type_px, "display", fonts) for point in lines[1::2]]
    pad, deep, bar = height * 0.022, height * 0.078, width * 0.009
    right, top = width * (1 - SAFE), height * 0.80 - deep * len(names)
    middle = right - 2 * pad - max(point.width for point in points)
    left = middle - bar - 2 * pad - max(name.width for name in names)
    for row, (name, point, colour) in enumerate(zip(names, points, colours, strict=True)):
        above = top + row * deep
        baseline = above + deep / 2 + type_px * CAP
        layer.box((left, above, middle, above + deep), INK, PANEL)
        layer.box((middle, above, right, above + deep), PAPER, 0.94)
        layer.box((left, above, left + bar, above + deep), colour)
        _left(layer, name, left + bar + pad, baseline, PAPER)
        _centred(layer, point, (middle + right) / 2, baseline, INK)
    return layer


def caption(size: Size, lines: tuple[str, ...], colours: tuple[str, ...], fonts: Fonts) -> Layer:
    """Lay a subtitle of one or two lines at the bottom, with a dark halo that any picture leaves legible."""
    width, height = size
    layer = Layer(size)
    type_px = round(height * 0.058)
    shown = wrapped(lines[0], type_px, width * 0.76, 2, fonts)
    leading = type_px * 1.3
    for row, line in enumerate(reversed(shown)):
        baseline = height * (1 - SAFE) - row * leading - type_px * 0.25
        _halo(layer, line, width / 2, baseline, max(1.0, type_px * 0.07))
        _centred(layer, line, width / 2, baseline, PAPER)
    return layer


def _halo(layer: Layer, line: Lettering, middle: float, baseline: float, spread: float) -> None:
    steps = [(x * spread, y * spread) for x in (-1, 0, 1) for y in (-1, 0, 1) if x or y]
    for across, down in [*steps, (0.0, 2 * spread)]:
        _centred(layer, line, middle + across, baseline + down, INK, 0.6)


def _centred(layer: Layer, line: Lettering, middle: float, baseline: float, colour: str, opacity: float = 1.0) -> None:
    _left(layer, line, middle - line.width / 2, baseline, colour, opacity)


def _left(layer: Layer, line: Lettering, left: float, baseline: float, colour: str, opacity: float = 1.0) -> None:
    layer.letter(lambda mask: line.draw(mask, left, baseline), colour, opacity)
