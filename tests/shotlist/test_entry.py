"""What every mapping of a shot list has in common."""

from __future__ import annotations

from typing import ClassVar

import pytest
from pydantic import ValidationError

from undercard.shotlist.entry import Entry


class Lamp(Entry):
    """A light."""

    short_form: ClassVar[str | None] = "name"

    name: str
    watts: int = 60
    height: float = 2.0


class Bare(Entry):
    """A mapping that nothing else stands for."""

    name: str = ""


def complaints(value: object) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        Lamp.model_validate(value)
    return [error["type"] for error in caught.value.errors()]


def test_a_bare_string_stands_for_the_field_of_the_short_form() -> None:
    assert Lamp.model_validate("spot") == Lamp.model_validate({"name": "spot"})
    with pytest.raises(ValidationError, match="valid dictionary"):
        Bare.model_validate("spot")


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ({"name": "spot", "colour": "red"}, "extra_forbidden"),
        ({"name": "spot", "watts": "60"}, "int_type"),
        ({"name": "spot", "watts": True}, "int_type"),
        ({"name": 3}, "string_type"),
        ({"name": "spot", "height": float("nan")}, "finite_number"),
        ({"name": "spot", "height": float("inf")}, "finite_number"),
        ({}, "missing"),
    ],
)
def test_nothing_is_converted_left_over_or_left_out(value: object, complaint: str) -> None:
    assert complaints(value) == [complaint]


def test_nothing_changes_once_it_is_read() -> None:
    lamp = Lamp(name="spot")

    with pytest.raises(ValidationError, match="frozen"):
        lamp.watts = 100  # type: ignore[misc]


def test_editors_are_offered_the_short_form_and_the_mapping() -> None:
    short, whole = Lamp.model_json_schema()["anyOf"]

    assert short["type"] == "string"
    assert (whole["type"], whole["required"], whole["additionalProperties"]) == ("object", ["name"], False)
    assert set(whole["properties"]) == {"name", "watts", "height"}
    assert "anyOf" not in Bare.model_json_schema()
