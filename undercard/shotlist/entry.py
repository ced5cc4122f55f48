"""What every mapping of a shot list has in common."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


class Entry(BaseModel):
    """A mapping of the shot list. Unknown keys are errors, nothing is converted, nothing changes once read."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )
    short_form: ClassVar[str | None] = None
    """The field that a bare string stands for: `camera: low` is `camera: {name: low}`."""

    @model_validator(mode="before")
    @classmethod
    def _from_short_form(cls, value: object) -> object:
        if cls.short_form is not None and isinstance(value, str):
            return {cls.short_form: value}
        return value

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        described = handler(schema)
        if cls.short_form is not None:
            mapping = handler.resolve_ref_schema(described)
            whole = dict(mapping)
            short = whole["properties"][cls.short_form]
            mapping.clear()
            mapping["anyOf"] = [short.get("anyOf", [short])[0], whole]
        return described
