"""`{{placeholders}}` in a user's workflow: where they stand, what they become, and what is wrong with them.

A value that is a placeholder and nothing else becomes what the request has, a number where that is one; a placeholder
within a text becomes a part of it. `{{output}}` marks the node that is meant where a workflow makes several results.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from undercard.backends.comfy import validation
from undercard.backends.comfy.nodes import Graph, Schemas
from undercard.errors import Problem

PLACEHOLDER = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Form:
    """What a kind of workflow is filled in with."""

    needed: Mapping[str, str]
    """Placeholders that it must have, and what would be without them."""
    sample: Mapping[str, object]
    """A value for every placeholder that it may have, to look for problems with."""

    @property
    def names(self) -> tuple[str, ...]:
        """Every placeholder that it may have."""
        return tuple(self.sample)


def placeholders(graph: Graph) -> Iterator[tuple[str, str, str]]:
    """Yield the node, the input and the name of every placeholder in *graph*."""
    for node_name, node in graph.items():
        for input_name, value in node.inputs.items():
            for text in _texts(value):
                yield from ((node_name, input_name, name) for name in PLACEHOLDER.findall(text))


def filled(graph: Graph, values: Mapping[str, object]) -> Graph:
    """Return *graph* with *values* in place of its placeholders; those of unknown names stay."""
    return {
        name: replace(node, inputs={key: _filled(value, values) for key, value in node.inputs.items()})
        for name, node in graph.items()
    }


def problems(graph: Graph, schemas: Schemas, form: Form) -> Iterator[Problem]:
    """Yield what is wrong with the placeholders of *graph*, whose nodes are *schemas*."""
    used = list(placeholders(graph))
    for node, input_name, name in used:
        where = validation.place(graph, node, input_name)
        if name not in form.names:
            yield Problem(where, f"{{{{{name}}}}} is no placeholder", f"use one of {', '.join(form.names)}")
        schema = schemas.get(graph[node].kind)
        if schema is not None and not schema.open_ended and input_name not in schema.inputs:
            yield Problem(where, "is no input of such a node", f"use one of {', '.join(schema.inputs)}")
    names = {name for _, _, name in used}
    for name, without in form.needed.items():
        if name not in names:
            yield Problem("the graph", f"has no {{{{{name}}}}}: {without}", "write it where that goes")


def _filled(value: object, by_name: Mapping[str, object]) -> object:
    match value:
        case str():
            if (whole := PLACEHOLDER.fullmatch(value)) and whole[1] in by_name:
                return by_name[whole[1]]
            # A function: what a prompt says must not be read as a reference to a group.
            return PLACEHOLDER.sub(lambda found: str(by_name.get(found[1], found[0])), value)
        case list():
            return [_filled(one, by_name) for one in value]
        case dict():
            return {key: _filled(one, by_name) for key, one in value.items()}
        case _:
            return value


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list():
            for one in value:
                yield from _texts(one)
        case dict():
            for one in value.values():
                yield from _texts(one)
