"""What a run is asked for, from the command line or from Prefect's form."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

import undercard
from undercard import backends, settings
from undercard.errors import BadInput
from undercard.film.encoding.delivery import SHAPES
from undercard.film.encoding.delivery_presets import PRESETS
from undercard.planning.choose import AUTO

EXAMPLES = Path(undercard.__file__).parent / "assets" / "shots"
"""Where the wheel has what a checkout has in data/shots."""


@dataclass(frozen=True, slots=True)
class Choices:
    """Adds names to the JSON schema of a string when a form is drawn, not when this module is imported."""

    names: Callable[[], Iterable[str]]

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return the schema of a string with the choices there are."""
        return {**handler(schema), "enum": list(self.names())}


BackendName: TypeAlias = Annotated[str, Choices(lambda: [AUTO, *backends.names()])]
"""The name of a backend, or `auto`; a form offers them as a choice."""
PresetName: TypeAlias = Annotated[str, Choices(lambda: PRESETS)]
ShapeName: TypeAlias = Annotated[str, Choices(lambda: SHAPES)]


class RunOptions(BaseModel):
    """One run over a shot list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shot_list: Path
    backend: BackendName = AUTO
    exact: bool = False
    """Exact pixels, or a failure."""
    upgrade: bool = False
    """Render again what was stepped down, where a better rung fits now."""
    mixed: bool = False
    """Let a film have keyframes of renderers that give different pixels."""
    size: str | None = None
    """`WIDTHxHEIGHT` in pixels; the shot list's own when None."""
    shots: str | None = None
    """A selection such as `3,7-9,jab`; all shots when None."""
    start: str | None = None
    """The id or number of the first shot to render."""
    failed: bool = False
    """Only the shots that lack an accepted keyframe, such as after a failure or a crash."""
    again: bool = False
    """Render the selected shots anew, with other seeds, although they were accepted."""
    take_limit: int | None = Field(default=None, ge=1, le=20)
    presets: tuple[str, ...] = ()
    """What to make of the film beside it, in place of what the shot list says."""
    shape: str = "whole"
    """In which shape; `whole`, `vertical` or `square`."""
    handles: bool = False
    """Write the film as whole shots with real transitions, too, for editors."""


def find(path: Path) -> Path:
    """Return *path* from the working directory, else from the project's root, else the shipped example of that name.

    A deployment's worker runs in a folder of its own, so a path that is right for people would be wrong for it.

    Raises:
        BadInput: there is no such file in any of these places.
    """
    shipped = EXAMPLES / path.name if path.parent == Path("data/shots") else path
    for candidate in (Path.cwd() / path, settings.project_root() / path, shipped):
        if candidate.is_file():
            return candidate
    raise BadInput(
        f"shot list {str(path)!r} does not exist; give the path of a YAML file such as data/shots/sparring.yaml"
    )
