"""The user's own workflow: ComfyUI's API export with `{{placeholders}}` where a request's values go.

A value that is a placeholder and nothing else becomes what the request has, a number where that is one; a placeholder
within a text becomes a part of it. Names: prompt, negative_prompt, seed, width, height, steps, image1, image2, image3
and output, which marks the node whose picture is meant where a workflow saves several.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from undercard.comfyui import validation
from undercard.comfyui.nodes import Graph, Node, Schemas, Values, as_json, linked
from undercard.errors import BackendError, BadWorkflow, Problem
from undercard.requests import content_key

PLACEHOLDER = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
IMAGES = ("image1", "image2", "image3")
NAMES = ("prompt", "negative_prompt", "seed", "width", "height", "steps", *IMAGES, "output")
NEEDED = {
    "prompt": "no shot would say what it shows",
    "seed": "every take would be the same",
    "image1": "no picture would follow the staging",
}
"""Placeholders that a workflow must have, and what would be without them."""
SAMPLE = Values("two boxers", "", 1, 1024, 576, ("image1.png", "image2.png", "image3.png"), 4, "undercard")
"""What a workflow is filled with to look for problems."""


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow as it was read, with its placeholders."""

    file: str
    nodes: Graph

    @property
    def digest(self) -> str:
        """SHA-256 of its nodes and their inputs; titles and places in the editor change no pixels."""
        return content_key(as_json(self.nodes))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of its nodes."""
        return tuple(dict.fromkeys(node.kind for node in self.nodes.values()))


@dataclass(frozen=True, slots=True)
class OwnWorkflow:
    """A workflow that a server was found to have the nodes for."""

    workflow: Workflow
    schemas: Schemas
    output: str
    """Its node that makes the picture."""

    @property
    def detail(self) -> str:
        """What people call it."""
        return Path(self.workflow.file).stem

    @property
    def references(self) -> int:
        """How many reference images it takes."""
        used = {name for _, _, name in placeholders(self.workflow.nodes)}
        return sum(name in used for name in IMAGES)

    def built(self, values: Values) -> tuple[Graph, str]:
        """Return the workflow filled with *values*, and its node that makes the picture.

        What hangs on a reference that the request does not have is left out.

        Raises:
            BackendError: the picture itself hangs on it.
        """
        absent = set(IMAGES[len(values.images) :])
        gone = {node for node, _, name in placeholders(self.workflow.nodes) if name in absent}
        kept = _without(self.workflow.nodes, gone, self.schemas)
        if self.output not in kept:
            raise BackendError(
                f"{self.workflow.file} cannot do without {' and '.join(sorted(absent))}, and this keyframe has"
                f" {len(values.images)}; link the picture to an input that may be left out, or give every fighter a"
                " reference"
            )
        return filled(kept, values), self.output


def read(path: Path) -> Workflow:
    """Read the workflow at *path*.

    Raises:
        BadWorkflow: it is no workflow in ComfyUI's API format.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as exc:
        what = f"cannot be read: {exc}"
        raise BadWorkflow(
            path.name, [Problem("the file", what, "export it again with ComfyUI's Export (API)")]
        ) from exc
    if not isinstance(content, dict) or not content or "nodes" in content:
        what = "is no workflow in the API format" if "nodes" not in content else "is in the format of the editor"
        raise BadWorkflow(path.name, [Problem("the file", what, "export it with ComfyUI's Workflow → Export (API)")])
    problems = [
        Problem(f"node {name}", "has no class_type or no inputs", "export it again with ComfyUI's Export (API)")
        for name, node in content.items()
        if _node(node) is None
    ]
    if problems:
        raise BadWorkflow(path.name, problems)
    return Workflow(path.name, {name: node for name, told in content.items() if (node := _node(told))})


def checked(workflow: Workflow, schemas: Schemas) -> OwnWorkflow:
    """Return *workflow* as one that a server can execute whose nodes are *schemas*.

    Raises:
        BadWorkflow: it cannot, or it cannot be filled; every reason is named.
    """
    graph = filled(workflow.nodes, SAMPLE)
    problems = [*_placeholder_problems(workflow.nodes, schemas), *validation.problems(graph, schemas)]
    outputs = validation.outputs_of(graph, schemas)
    marked = tuple(dict.fromkeys(node for node, _, name in placeholders(workflow.nodes) if name == "output"))
    found = marked or outputs
    if len(found) > 1:
        what = f"has {len(found)} results: {', '.join(validation.place(graph, name) for name in found)}"
        problems.append(Problem("the graph", what, "write {{output}} as the filename_prefix of the one that is meant"))
    problems.extend(
        Problem(validation.place(graph, name), "has {{output}} and makes no result", "write it into a node that saves")
        for name in marked
        if name not in outputs and graph[name].kind in schemas
    )
    if problems:
        raise BadWorkflow(workflow.file, problems)
    return OwnWorkflow(workflow, schemas, found[0])


def placeholders(graph: Graph) -> Iterator[tuple[str, str, str]]:
    """Yield the node, the input and the name of every placeholder in *graph*."""
    for node_name, node in graph.items():
        for input_name, value in node.inputs.items():
            for text in _texts(value):
                yield from ((node_name, input_name, name) for name in PLACEHOLDER.findall(text))


def filled(graph: Graph, values: Values) -> Graph:
    """Return *graph* with *values* in place of its placeholders; those of unknown names stay."""
    by_name: dict[str, object] = {
        "prompt": values.prompt,
        "negative_prompt": values.negative_prompt,
        "seed": values.seed,
        "width": values.width,
        "height": values.height,
        "steps": values.steps,
        "output": values.output,
        **dict(zip(IMAGES, values.images, strict=False)),
    }
    return {
        name: replace(node, inputs={key: _filled(value, by_name) for key, value in node.inputs.items()})
        for name, node in graph.items()
    }


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


def _placeholder_problems(graph: Graph, schemas: Schemas) -> Iterator[Problem]:
    used = list(placeholders(graph))
    for node, input_name, name in used:
        where = validation.place(graph, node, input_name)
        if name not in NAMES:
            yield Problem(where, f"{{{{{name}}}}} is no placeholder", f"use one of {', '.join(NAMES)}")
        schema = schemas.get(graph[node].kind)
        if schema is not None and not schema.open_ended and input_name not in schema.inputs:
            yield Problem(where, "is no input of such a node", f"use one of {', '.join(schema.inputs)}")
    names = {name for _, _, name in used}
    for name, without in NEEDED.items():
        if name not in names:
            yield Problem("the graph", f"has no {{{{{name}}}}}: {without}", "write it where that goes")


def _without(graph: Graph, gone: set[str], schemas: Schemas) -> Graph:
    """Return *graph* without the nodes *gone*, the inputs that may be left out with them, and what needs the others."""
    kept = {name: node for name, node in graph.items() if name not in gone}
    while True:
        lost = {
            (name, key)
            for name, node in kept.items()
            for key, value in node.inputs.items()
            if (source := linked(value)) and source[0] in graph and source[0] not in kept
        }
        if not lost:
            return kept
        needy = {name for name, key in lost if _is_needed(schemas, kept[name], key)}
        kept = {
            name: replace(node, inputs={key: value for key, value in node.inputs.items() if (name, key) not in lost})
            for name, node in kept.items()
            if name not in needy
        }


def _is_needed(schemas: Schemas, node: Node, input_name: str) -> bool:
    schema = schemas.get(node.kind)
    wanted = schema.inputs.get(input_name) if schema else None
    return wanted is not None and wanted.required


def _node(told: object) -> Node | None:
    match told:
        case {"class_type": str(kind), "inputs": dict(inputs)}:
            return Node(kind, inputs)
        case _:
            return None
