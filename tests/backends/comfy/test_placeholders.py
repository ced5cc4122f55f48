"""Placeholders of a user's workflow; what of them makes a whole workflow: test_workflow.py."""

from __future__ import annotations

import pytest

from undercard.backends.comfy import placeholders
from undercard.backends.comfy.nodes import Graph, Input, Node, Schema
from undercard.backends.comfy.placeholders import Form
from undercard.errors import Problem

VALUES = {"seed": 7, "prompt": r"a \1 {{seed}}", "image1": "ring.png"}


def filled(value: object) -> object:
    return placeholders.filled({"1": Node("Any", {"it": value})}, VALUES)["1"].inputs["it"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("{{seed}}", 7),
        ("{{ seed\t}}", 7),
        ("take {{seed}} of {{image1}}", "take 7 of ring.png"),
        # What a prompt says is neither a group of an expression nor a placeholder.
        ("{{prompt}}", r"a \1 {{seed}}"),
        ("still: {{prompt}}", r"still: a \1 {{seed}}"),
        ("{{unknown}} and {{seed}}", "{{unknown}} and 7"),
        ("{{unknown}}", "{{unknown}}"),
        ({"deep": [["{{seed}}", 0], {"er": "{{image1}}"}]}, {"deep": [[7, 0], {"er": "ring.png"}]}),
        (3.5, 3.5),
        (None, None),
    ],
)
def test_a_placeholder_becomes_the_value_or_a_part_of_the_text(value: object, expected: object) -> None:
    assert filled(value) == expected


def test_the_graph_that_was_filled_in_stays_as_it_was() -> None:
    graph: Graph = {"1": Node("Any", {"it": ["{{seed}}"]})}

    placeholders.filled(graph, VALUES)

    assert graph["1"].inputs == {"it": ["{{seed}}"]}


def test_placeholders_are_found_wherever_they_stand() -> None:
    graph: Graph = {
        "1": Node("Text", {"a": "{{prompt}}, {{ seed }}", "b": 4}),
        "2": Node("Deep", {"c": {"d": ["x", "{{image1}}"]}, "e": "{{}} {{a{b}}"}),
    }

    assert list(placeholders.placeholders(graph)) == [
        ("1", "a", "prompt"),
        ("1", "a", "seed"),
        ("2", "c", "image1"),
        ("2", "e", ""),
    ]


FORM = Form(needed={"seed": "every take would be the same"}, sample={"seed": 1, "prompt": ""})


def test_a_placeholder_that_is_unknown_or_lacking_is_told() -> None:
    graph: Graph = {"1": Node("Text", {"text": "{{promt}}"})}

    assert list(placeholders.problems(graph, {}, FORM)) == [
        Problem("node 1 (Text) › text", "{{promt}} is no placeholder", "use one of seed, prompt"),
        Problem("the graph", "has no {{seed}}: every take would be the same", "write it where that goes"),
    ]


@pytest.mark.parametrize(("open_ended", "count"), [(False, 1), (True, 0)])
def test_an_input_that_such_nodes_lack_is_told_unless_they_may_take_any(open_ended: bool, count: int) -> None:
    schema = Schema("Sampler", {"seed": Input("INT", True), "cfg": Input("FLOAT", True)}, (), False, open_ended)
    graph: Graph = {"1": Node("Sampler", {"sead": "{{seed}}"})}

    assert list(placeholders.problems(graph, {"Sampler": schema}, FORM)) == count * [
        Problem("node 1 (Sampler) › sead", "is no input of such a node", "use one of seed, cfg")
    ]
