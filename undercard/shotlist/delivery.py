"""How a shot list has its film delivered."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from undercard.film.encoding.delivery_presets import PRESETS
from undercard.shotlist.entry import Entry
from undercard.shotlist.fields import OneOf


class DeliveryEntry(Entry):
    """The film in another format or shape, made with it and laid beside it."""

    short_form: ClassVar[str | None] = "preset"

    preset: Annotated[str, OneOf("preset", lambda: {name: row.about for name, row in PRESETS.items()})]
    shape: Literal["whole", "vertical", "square"] = "whole"
    """The whole frame, or a crop of 9:16 or 1:1 that follows the fighters."""
