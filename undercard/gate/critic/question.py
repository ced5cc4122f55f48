"""What the judge is asked: the picture, its control image, and what the shot wants, as one chat completion."""

from __future__ import annotations

import base64
import io

from PIL import Image

from undercard.domain.colours import colour_name
from undercard.domain.staging import PlacedFighter, Staging
from undercard.gate.evidence import Evidence
from undercard.gate.pictures import Pixels
from undercard.previz import lights

REVISION = 1
"""Raised with every change of what is asked or of how answers are read, so that no old answer is believed."""
LONGEST_SIDE = 1280
"""Pixels; vision-language models look at no more."""
QUALITY = 92
"""Of the JPEG: blocks and grain are not what the judge is asked about."""
MOST_TOKENS = 600
"""Of an answer, thoughts included where a model tells them."""

TASK = """\
You are the last to look at the keyframes of a boxing film before they are cut. Measurements have already passed them: \
do not judge sharpness, noise, exposure or style. Look at what a person would see at once and a measurement would not.

Reject a picture for: a head, arm, hand, glove or leg too many or too few; a body, face or glove that is broken, \
melted or grown into another; a person too many or too few; one who plainly stands or strikes otherwise than asked; \
ropes or ring that pass through a body; lettering, a watermark or a frame that nobody asked for. Accept everything \
else: when in doubt, accept.

Answer with one JSON object and nothing else: {"verdict": "accept" or "reject", "cause": why you reject it, in at most \
twenty words, or "", "region": {"left", "top", "right", "bottom"} as shares of the width and height from 0 to 1 around \
what is wrong, or null}."""
SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {
        "verdict": {"type": "string", "enum": ["accept", "reject"]},
        "cause": {"type": "string"},
        "region": {
            "anyOf": [
                {
                    "type": "object",
                    "properties": {side: {"type": "number"} for side in ("left", "top", "right", "bottom")},
                    "required": ["left", "top", "right", "bottom"],
                    "additionalProperties": False,
                },
                {"type": "null"},
            ]
        },
    },
    "required": ["verdict", "cause", "region"],
    "additionalProperties": False,
}


def question(evidence: Evidence, model: str) -> dict[str, object]:
    """Return the body of the request that puts the picture of *evidence* before *model*.

    Raises:
        UnreadableImage: the picture, or its control image, cannot be decoded.
    """
    shown: list[dict[str, object]] = [_text(wanted(evidence.staging)), _text("The keyframe:"), _image(evidence.pixels)]
    if evidence.control is not None:
        shown += [
            _text("A plain preview of the same moment: who stands where, in which pose, seen from where."),
            _image(evidence.control),
        ]
    return {
        "model": model,
        "messages": [{"role": "system", "content": TASK}, {"role": "user", "content": shown}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "verdict", "strict": True, "schema": SCHEMA},
        },
        "temperature": 0,
        "max_tokens": MOST_TOKENS,
    }


def wanted(staging: Staging | None) -> str:
    """Return what the shot asks for, in words."""
    if staging is None:
        return "A keyframe of a boxing film; nothing is known of what its shot asks for."
    count = len(staging.fighters)
    boxers = "one boxer" if count == 1 else f"{count} boxers" if count else "nobody"
    said = [
        f"The shot has {boxers} in the ring; those whom the camera does not see may be missing.",
        *(_told(each) for each in staging.fighters),
    ]
    return " ".join([*said, f"Light: {lights.about(staging.light)}"])


def _told(fighter: PlacedFighter) -> str:
    look = fighter.look
    return (
        f"{fighter.name}, {fighter.corner} corner: {colour_name(look.skin)} skin, {colour_name(look.hair)} hair,"
        f" {colour_name(look.trunks)} trunks, {colour_name(look.gloves)} gloves, {fighter.stance}."
    )


def _text(words: str) -> dict[str, object]:
    return {"type": "text", "text": words}


def _image(pixels: Pixels) -> dict[str, object]:
    image = Image.fromarray(pixels)
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY)
    return {
        "type": "image_url",
        "image_url": {"url": f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"},
    }
