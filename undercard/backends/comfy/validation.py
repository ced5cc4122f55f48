"""Every problem of a graph at once, found from what the server says of its nodes before anything is queued.

What the server would refuse is refused here, in words that say what to do; where this file cannot know, as with nodes
that judge their inputs themselves, the server has the last word.
"""

from __future__ import annotations

from collections.abc import Iterator

from undercard.backends.comfy.nodes import COMBO, MATCHING, Graph, Input, Node, Schemas, linked
from undercard.errors import Problem

ANY = frozenset({"*", MATCHING})
"""Types that fit every other."""
MANY = 12
"""Values that a message lists at most."""


def problems(graph: Graph, schemas: Schemas) -> tuple[Problem, ...]:
    """Return what keeps *graph* from being executed by a server whose nodes are *schemas*; empty when nothing does."""
    found = [_missing(graph, name) for name, node in graph.items() if node.kind not in schemas]
    outputs = outputs_of(graph, schemas)
    if not outputs and not found:
        found.append(Problem("the graph", "has no node that makes a result", "add one, such as SaveImage"))
    # The server does not look at what no result depends on.
    for name in _needed(graph, outputs):
        node = graph[name]
        if node.kind in schemas:
            found.extend(_problems_of(graph, name, node, schemas))
    return tuple(found)


def outputs_of(graph: Graph, schemas: Schemas) -> tuple[str, ...]:
    """Return the nodes of *graph* that make its results."""
    return tuple(name for name, node in graph.items() if node.kind in schemas and schemas[node.kind].is_output)


def place(graph: Graph, name: str, input_name: str = "") -> str:
    """Return what people call a node of *graph*, or one of its inputs: `node 3 (KSampler) › seed`."""
    where = f"node {name} ({graph[name].kind})"
    return f"{where} › {input_name}" if input_name else where


def _missing(graph: Graph, name: str) -> Problem:
    what = f"the server has no nodes of the kind {graph[name].kind}"
    return Problem(place(graph, name), what, "install the extension of ComfyUI that brings them, or leave the node out")


def _needed(graph: Graph, outputs: tuple[str, ...]) -> list[str]:
    """Return the nodes that *outputs* depend on, in the order of *graph*."""
    seen: set[str] = set()
    waiting = list(outputs)
    while waiting:
        name = waiting.pop()
        if name in graph and name not in seen:
            seen.add(name)
            waiting.extend(source[0] for value in graph[name].inputs.values() if (source := linked(value)))
    return [name for name in graph if name in seen]


def _problems_of(graph: Graph, name: str, node: Node, schemas: Schemas) -> Iterator[Problem]:
    schema = schemas[node.kind]
    for input_name, wanted in schema.inputs.items():
        where = place(graph, name, input_name)
        if input_name not in node.inputs:
            if wanted.required and not schema.open_ended:
                yield Problem(where, "is not there", f"give it {_described(wanted)}")
            continue
        value = node.inputs[input_name]
        found = _wrong_link(graph, value, wanted, schemas) if isinstance(value, list) else _wrong_value(value, wanted)
        if found is not None:
            yield Problem(where, *found)


def _wrong_link(graph: Graph, value: list[object], wanted: Input, schemas: Schemas) -> tuple[str, str] | None:
    """Return what is wrong with the link *value* and what to do, or None when nothing is."""
    source = linked(value)
    if source is None:
        return f"{value} is no link", "write a node's id and the number of its output"
    name, output = source
    if name not in graph:
        return f"links to node {name}, which is not there", "link it to one that is"
    giver = schemas.get(graph[name].kind)
    if giver is None:
        return None
    if not 0 <= output < len(giver.outputs):
        count = len(giver.outputs)
        return f"links to output {output} of {place(graph, name)}, which has {count}", "count its outputs from 0"
    given = giver.outputs[output]
    if not _fits(given, wanted.type):
        return f"takes {wanted.type}, and {place(graph, name)} gives {given}", "link it to one that fits"
    return None


def _fits(given: str, wanted: str) -> bool:
    givens, wanteds = ({one.strip() for one in types.split(",")} for types in (given, wanted))
    return bool(ANY & (givens | wanteds)) or bool(givens & wanteds)


def _wrong_value(value: object, wanted: Input) -> tuple[str, str] | None:
    """Return what is wrong with *value* and what to do, or None when nothing is."""
    if wanted.type in {"INT", "FLOAT"}:
        number = _number(value, whole=wanted.type == "INT")
        if number is None:
            return f"{value!r} is no number", f"give it {_described(wanted)}"
        if (wanted.least is not None and number < wanted.least) or (wanted.most is not None and number > wanted.most):
            return f"{number} is out of range", f"give it {_described(wanted)}"
    if wanted.choices is not None and value not in wanted.choices:
        return f"the server has no {value!r}", f"give it {_described(wanted)}"
    return None


def _number(value: object, *, whole: bool) -> float | None:
    """Read *value* as the server does, which takes a number in quotes, too; None for what is none."""
    if not isinstance(value, int | float | str):
        return None
    try:
        return int(value) if whole else float(value)
    except (ValueError, OverflowError):
        return None


def _described(wanted: Input) -> str:
    if wanted.choices is not None:
        if not wanted.choices:
            return "a file, of which the server has none"
        rest = f" or one of {len(wanted.choices) - MANY} more" if len(wanted.choices) > MANY else ""
        return f"one of {', '.join(str(choice) for choice in wanted.choices[:MANY])}{rest}"
    if wanted.type in {"INT", "FLOAT"}:
        kind = "a whole number" if wanted.type == "INT" else "a number"
        bounds = [
            f"{word} {bound}" for word, bound in (("from", wanted.least), ("to", wanted.most)) if bound is not None
        ]
        return " ".join((kind, *bounds))
    return {"STRING": "a text", "BOOLEAN": "true or false", COMBO: "a value"}.get(
        wanted.type, f"a link to {wanted.type}"
    )
