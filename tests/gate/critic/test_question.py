"""What the judge is asked, as one chat completion."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.fakes.stagings import fighter, staging
from undercard.domain.staging import Staging
from undercard.gate.critic.question import SCHEMA, question, wanted
from undercard.gate.evidence import Evidence
from undercard.previz import lights

SOL = replace(fighter(name="Sol"), corner="blue", stance="southpaw")


def asked(size: tuple[int, int], control: tuple[int, int] | None = None) -> list[dict[str, Any]]:
    """Return what is shown of a picture of *size*, and of a control image."""
    grey, white = (
        np.full((high, wide, 3), level, np.uint8) for (wide, high), level in ((size, 90), (control or size, 255))
    )
    body: Any = question(
        Evidence(grey, size, control=white if control else None, staging=staging(light="cold")), "model-7"
    )
    shown: list[dict[str, Any]] = json.loads(json.dumps(body))["messages"][1]["content"]
    return shown


def picture(part: dict[str, Any]) -> Image.Image:
    head, _, content = part["image_url"]["url"].partition(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


@pytest.mark.parametrize(
    ("size", "shown"),
    [((2560, 1440), (1280, 720)), ((720, 2560), (360, 1280)), ((1280, 64), (1280, 64)), ((64, 64), (64, 64))],
)
def test_a_picture_is_shown_whole_and_no_longer_than_1280_px(size: tuple[int, int], shown: tuple[int, int]) -> None:
    assert picture(asked(size)[2]).size == shown


def test_the_control_image_comes_after_the_picture_with_words_before_each() -> None:
    parts = asked((64, 64), control=(32, 16))

    assert [part["type"] for part in parts] == ["text", "text", "image_url", "text", "image_url"]
    assert (picture(parts[2]).size, picture(parts[4]).size) == ((64, 64), (32, 16))
    assert parts[3]["text"].startswith("A plain preview of the same moment")
    assert len(asked((64, 64))) == 3


def test_an_answer_has_to_have_every_field_and_no_other() -> None:
    def objects(schema: Any) -> list[dict[str, Any]]:
        inner = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
        own = [schema] if isinstance(schema, dict) and schema.get("type") == "object" else []
        return [*own, *(found for each in inner for found in objects(each))]

    # Servers take no other schema for strict answers.
    assert len(objects(SCHEMA)) == 2
    for found in objects(SCHEMA):
        assert set(found["required"]) == set(found["properties"])
        assert found["additionalProperties"] is False


@pytest.mark.parametrize(
    ("fighters", "who"), [((), "nobody"), ((fighter(),), "one boxer"), ((fighter(), SOL), "2 boxers")]
)
def test_the_judge_hears_how_many_are_in_the_ring(fighters: tuple[Any, ...], who: str) -> None:
    shot = Staging(camera=staging().camera, fighters=fighters, light="cold")

    assert wanted(shot).startswith(
        f"The shot has {who} in the ring; those whom the camera does not see may be missing."
    )
    assert wanted(shot).endswith(f" Light: {lights.about('cold')}")


def test_the_judge_hears_who_has_which_corner_colours_and_stance() -> None:
    words = wanted(staging(fighter(), SOL, light="cold"))

    assert "Rojas, red corner: brown skin, black hair, red trunks, red gloves, orthodox." in words
    assert "Sol, blue corner: brown skin, black hair, red trunks, red gloves, southpaw." in words


def test_the_judge_hears_that_nothing_is_known_of_a_picture_without_a_shot() -> None:
    assert wanted(None) == "A keyframe of a boxing film; nothing is known of what its shot asks for."
