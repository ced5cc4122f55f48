"""Graphs in ComfyUI's API format, and what a server's `/object_info` says of its nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from undercard.errors import BackendError

MATCHING = "COMFY_MATCHTYPE_V3"
"""The type of an input that fits what another of the same node is linked to."""
COMBO = "COMBO"
"""The type of an input that takes one of several values; older nodes give the values in place of a type."""


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a graph."""

    kind: str
    """ComfyUI's `class_type`, such as `KSampler`."""
    inputs: Mapping[str, object]
    """Values, and links to other nodes' outputs as `link` makes them."""


Graph: TypeAlias = Mapping[str, Node]
"""Nodes by their ids."""


def link(node: str, output: int = 0) -> list[object]:
    """Return the input that is what *node* gives as its output number *output*."""
    return [node, output]


def linked(value: object) -> tuple[str, int] | None:
    """Return the node and the output that *value* links to, or None for a value of its own."""
    match value:
        case [node, int(output)] if not isinstance(output, bool):
            return str(node), output
        case _:
            return None


def as_json(graph: Graph) -> dict[str, object]:
    """Return *graph* as the server takes it."""
    return {name: {"class_type": node.kind, "inputs": dict(node.inputs)} for name, node in graph.items()}


@dataclass(frozen=True, slots=True)
class Input:
    """What a node takes as one of its inputs."""

    type: str
    """`INT`, `IMAGE` or the like, several with commas between them, `*` for any."""
    required: bool
    choices: tuple[object, ...] | None = None
    """The values that it takes; None where it takes others, or the server does not say."""
    least: float | None = None
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Schema:
    """A kind of node."""

    kind: str
    inputs: Mapping[str, Input]
    outputs: tuple[str, ...]
    """The type of each."""
    is_output: bool
    """What it makes is a result of the graph."""
    open_ended: bool = False
    """It takes inputs that depend on others, which cannot be known from here."""


Schemas: TypeAlias = Mapping[str, Schema]
"""Kinds of nodes by their names."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that a node made, as the server finds it again."""

    filename: str
    subfolder: str = ""
    type: str = "output"
    """The folder of the server's that it lies in: `output` or `temp`."""


@dataclass(frozen=True, slots=True)
class Values:
    """What a request puts into a graph."""

    prompt: str
    negative_prompt: str
    seed: int
    width: int
    """Of the canvas, px."""
    height: int
    images: tuple[str, ...]
    """Names of the uploaded references, one to three."""
    steps: int
    output: str
    """What the names of the pictures that it makes begin with."""
    sparing: bool = field(default=False)
    """Take as little of the card as can be."""
    whole: bool = field(default=False)
    """Decode the picture in one piece even so."""

    @property
    def in_tiles(self) -> bool:
        """The picture is decoded in tiles."""
        return self.sparing and not self.whole


def schema(kind: str, content: object) -> Schema:
    """Read what the server says of the nodes called *kind*.

    Raises:
        BackendError: it is nothing that a ComfyUI says.
    """
    match content:
        case {"input": dict(inputs), "output": list(outputs), **rest}:
            found = {
                name: _input(told, required=category == "required")
                for category in ("required", "optional")
                for name, told in (inputs.get(category) or {}).items()
            }
            return Schema(
                kind=kind,
                inputs=found,
                outputs=tuple(_type(output) for output in outputs),
                is_output=rest.get("output_node") is True,
                open_ended=any(_comes_and_goes(one.type) for one in found.values()),
            )
        case _:
            raise BackendError(f"what the server says of {kind} is no description of a node: {str(content)[:200]}")


def _input(told: object, *, required: bool) -> Input:
    if not isinstance(told, list) or not told:
        return Input("*", required)
    kind = told[0]
    options: dict[str, object] = told[1] if len(told) > 1 and isinstance(told[1], dict) else {}
    uploads = any(name.endswith("_upload") for name in options)
    # Files that are uploaded come after the list was made, and the server looks for them itself.
    listed = None if uploads else kind if isinstance(kind, list) else options.get("options")
    if _comes_and_goes(_type(kind)):
        listed = None
    least, most = (options.get(name) for name in ("min", "max"))
    return Input(
        type=_type(kind),
        required=required,
        choices=tuple(listed) if isinstance(listed, list) else None,
        least=least if isinstance(least, int | float) else None,
        most=most if isinstance(most, int | float) else None,
    )


def _comes_and_goes(kind: str) -> bool:
    """Say whether an input of the type *kind* brings others with it, as nodes of ComfyUI's third version may."""
    return kind.startswith("COMFY_") and kind != MATCHING


def _type(told: object) -> str:
    return told if isinstance(told, str) else COMBO
