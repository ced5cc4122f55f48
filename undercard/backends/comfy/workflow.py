"""The user's own workflow: ComfyUI's API export with `{{placeholders}}` where a request's values go."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from undercard.backends.comfy import placeholders, validation
from undercard.backends.comfy.nodes import Graph, Node, Schemas, Values, as_json, linked
from undercard.backends.comfy.placeholders import Form, filled
from undercard.domain.keys import content_key
from undercard.errors import BackendError, BadWorkflow, Problem

IMAGES = ("image1", "image2", "image3")
NEEDED = {
    "prompt": "no shot would say what it shows",
    "seed": "every take would be the same",
    "image1": "no picture would follow the staging",
}
SAMPLE = Values("two boxers", "", 1, 1024, 576, ("image1.png", "image2.png", "image3.png"), 4, "undercard")


def named(values: Values) -> dict[str, object]:
    """Return *values* by the names of the placeholders that they go into."""
    return {
        "prompt": values.prompt,
        "negative_prompt": values.negative_prompt,
        "seed": values.seed,
        "width": values.width,
        "height": values.height,
        "steps": values.steps,
        **dict(zip(IMAGES, values.images, strict=False)),
        "output": values.output,
    }


FORM = Form(NEEDED, named(SAMPLE))
"""Of a workflow that draws keyframes."""


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
        used = {name for _, _, name in placeholders.placeholders(self.workflow.nodes)}
        return sum(name in used for name in IMAGES)

    def built(self, values: Values) -> tuple[Graph, str]:
        """Return the workflow filled with *values*, and its node that makes the picture.

        What hangs on a reference that the request does not have is left out.

        Raises:
            BackendError: the picture itself hangs on it.
        """
        absent = set(IMAGES[len(values.images) :])
        gone = {node for node, _, name in placeholders.placeholders(self.workflow.nodes) if name in absent}
        kept = _without(self.workflow.nodes, gone, self.schemas)
        if self.output not in kept:
            raise BackendError(
                f"{self.workflow.file} cannot do without {' and '.join(sorted(absent))}, and this keyframe has"
                f" {len(values.images)}; link the picture to an input that may be left out, or give every fighter a"
                " reference"
            )
        return filled(kept, named(values)), self.output


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
    return OwnWorkflow(workflow, schemas, result_of(workflow, schemas, FORM))


def result_of(workflow: Workflow, schemas: Schemas, form: Form) -> str:
    """Return the node of *workflow* that makes what is asked for, once it is found to have no problems.

    Args:
        workflow: as it was read.
        schemas: the nodes of the server that is to execute it.
        form: what it is filled in with.

    Raises:
        BadWorkflow: the server cannot execute it, or it cannot be filled; every reason is named.
    """
    graph = filled(workflow.nodes, form.sample)
    problems = [*placeholders.problems(workflow.nodes, schemas, form), *validation.problems(graph, schemas)]
    outputs = validation.outputs_of(graph, schemas)
    used = placeholders.placeholders(workflow.nodes)
    marked = tuple(dict.fromkeys(node for node, _, name in used if name == "output"))
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
    return found[0]


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
