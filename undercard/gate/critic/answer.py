"""What the judge answers, read with care: models wrap, cut off, refuse and invent."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from undercard.domain.requests import Size
from undercard.errors import JudgeUnheard
from undercard.gate.contract import Region

MOST_WORDS = 240
"""Letters of a cause that are passed on."""
THOUGHTS = re.compile(r"<think>.*?</think>", re.DOTALL)
"""What models that reason aloud write first."""
LEAST_SIDE = 0.01
"""Of a region, as a share; a smaller one is no place."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said of a picture."""

    accepts: bool
    cause: str = ""
    region: Region | None = None


def read(told: object, size: Size) -> Answer:
    """Return what the chat completion *told* says of a picture of *size* (width, height) px.

    Raises:
        JudgeUnheard: it refuses, was cut off, or says nothing that can be read.
    """
    answer = _object(_content(told))
    verdict, cause = answer.get("verdict"), one_line(answer.get("cause"))
    if verdict not in ("accept", "reject"):
        raise JudgeUnheard(f"it answers the verdict {str(verdict)[:40]!r}, which is neither 'accept' nor 'reject'")
    if verdict == "accept":
        return Answer(accepts=True)
    if not cause:
        raise JudgeUnheard("it rejects the picture and does not say why")
    return Answer(accepts=False, cause=cause, region=_region(answer.get("region"), size))


def one_line(told: object) -> str:
    """Return *told* as words for a terminal, a manifest and a contact sheet: one line, and nothing that steers them."""
    words = " ".join("".join(letter if letter.isprintable() else " " for letter in str(told or "")).split())
    return words if len(words) <= MOST_WORDS else f"{words[: MOST_WORDS - 1].rstrip()}…"


def _content(told: object) -> str:
    choices = _mapping(told).get("choices")
    choice = _mapping(choices[0]) if isinstance(choices, list) and choices else {}
    message = _mapping(choice.get("message"))
    if refusal := one_line(message.get("refusal")):
        raise JudgeUnheard(f"it refuses to judge: {refusal}")
    ended = choice.get("finish_reason")
    if ended == "content_filter":
        raise JudgeUnheard("its server's filter keeps it from judging this picture")
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(str(_mapping(part).get("text") or "") for part in content)
    if not isinstance(content, str) or not content.strip():
        raise JudgeUnheard("its answer was cut off before it began" if ended == "length" else "it answers nothing")
    return content


def _object(content: str) -> Mapping[str, object]:
    """Return the first JSON object in *content*, whatever is written around it."""
    text = THOUGHTS.sub("", content)
    start = text.find("{")
    if start >= 0:
        try:
            found, _ = json.JSONDecoder().raw_decode(text, start)
            return _mapping(found)
        # Brackets in brackets in brackets are too deep for the parser.
        except (ValueError, RecursionError):
            pass
    raise JudgeUnheard(f"it answers no JSON: {one_line(text)[:80]!r}")


def _region(told: object, size: Size) -> Region | None:
    """Return the region in pixels; None where the judge names none, or one that is no part of the picture."""
    sides = [_mapping(told).get(side) for side in ("left", "top", "right", "bottom")]
    shares = [float(side) for side in sides if isinstance(side, int | float) and math.isfinite(side)]
    if len(shares) != 4 or not all(-LEAST_SIDE <= share <= 1.0 + LEAST_SIDE for share in shares):
        return None
    left, top, right, bottom = (min(1.0, max(0.0, share)) for share in shares)
    if right - left < LEAST_SIDE or bottom - top < LEAST_SIDE:
        return None
    width, height = size
    x, y = round(left * width), round(top * height)
    return x, y, max(1, round(right * width) - x), max(1, round(bottom * height) - y)


def _mapping(told: object) -> Mapping[str, object]:
    return told if isinstance(told, dict) else {}
