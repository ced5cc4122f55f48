"""What is refused here is what the server refuses, at the same nodes and inputs, and told in words."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.fakes.comfyui.server import recorded
from tests.fakes.comfyui.validation import validated
from undercard.backends.comfy.nodes import Node, Schemas, link, schema
from undercard.backends.comfy.validation import problems
from undercard.errors import BackendError

INFO = recorded()
SCHEMAS: Schemas = {kind: schema(kind, told) for kind, told in INFO.items()}
GRAPH: dict[str, Any] = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "ring.png", "upload": "image"}},
    "2": {
        "class_type": "ImageScale",
        "inputs": {"image": ["1", 0], "upscale_method": "lanczos", "width": 64, "height": 48, "crop": "center"},
    },
    "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "a"}},
    "4": {"class_type": "EmptyImage", "inputs": {}},
}
Change = Callable[[dict[str, Any]], object]


def changed(change: Change) -> dict[str, Any]:
    graph = copy.deepcopy(GRAPH)
    change(graph)
    return graph


def put(node: str, key: str, value: object) -> Change:
    return lambda graph: graph[node]["inputs"].__setitem__(key, value)


def drop(node: str, key: str) -> Change:
    return lambda graph: graph[node]["inputs"].pop(key)


def read(graph: dict[str, Any]) -> dict[str, Node]:
    return {name: Node(node["class_type"], node["inputs"]) for name, node in graph.items()}


def refused(graph: dict[str, Any]) -> set[tuple[str, str]]:
    """Return the nodes and inputs that the server finds fault with."""
    _, _, errors = validated(copy.deepcopy(graph), INFO, lambda name: True)
    return {(node, one["extra_info"]["input_name"]) for node, told in errors.items() for one in told["errors"] if told}


@pytest.mark.parametrize(
    "change",
    [
        put("2", "width", "64"),
        put("2", "width", 64.0),
        put("3", "filename_prefix", 7),
        put("3", "sead", 1),
        put("4", "width", 0),
    ],
    ids=["a number in quotes", "a float", "a number for a text", "an input too many", "a node without a result"],
)
def test_what_the_server_takes_has_no_problem(change: Change) -> None:
    graph = changed(change)

    assert refused(graph) == set()
    assert problems(read(graph), SCHEMAS) == ()


@pytest.mark.parametrize(
    ("change", "where", "what"),
    [
        (drop("2", "width"), "node 2 (ImageScale) › width", "is not there; give it a whole number from 0 to 16384"),
        (put("2", "crop", "left"), "node 2 (ImageScale) › crop", "no 'left'; give it one of disabled, center"),
        (put("2", "height", -1), "node 2 (ImageScale) › height", "-1 is out of range; give it a whole number from 0"),
        (put("2", "height", 99999), "node 2 (ImageScale) › height", "99999 is out of range"),
        (put("2", "height", "tall"), "node 2 (ImageScale) › height", "'tall' is no number"),
        (put("2", "image", ["1", 1]), "node 2 (ImageScale) › image", "takes IMAGE, and node 1 (LoadImage) gives MASK"),
    ],
)
def test_what_the_server_refuses_is_told_with_its_node_its_value_and_what_to_do(
    change: Change, where: str, what: str
) -> None:
    graph = changed(change)

    (problem,) = problems(read(graph), SCHEMAS)

    assert problem.where == where
    assert what in f"{problem.what}; {problem.remedy}"
    assert {f"node {node} ({graph[node]['class_type']}) › {key}" for node, key in refused(graph)} == {where}


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (["9", 0], "links to node 9, which is not there"),
        (["1", 2], "links to output 2 of node 1 (LoadImage), which has 2"),
        (["1"], "is no link"),
    ],
)
def test_a_link_into_nothing_is_told(value: list[object], what: str) -> None:
    (problem,) = problems(read(changed(put("2", "image", value))), SCHEMAS)

    assert what in problem.what


def test_a_kind_of_node_that_the_server_lacks_is_told_wherever_it_stands() -> None:
    graph = changed(lambda graph: graph["4"].update(class_type="SamplerOfDreams"))

    error, _, _ = validated(graph, INFO, lambda name: True)
    assert error is not None
    (problem,) = problems(read(graph), SCHEMAS)
    assert (problem.where, problem.remedy.split(" of")[0]) == ("node 4 (SamplerOfDreams)", "install the extension")


def test_a_graph_without_a_result_is_told() -> None:
    graph = changed(lambda graph: graph.pop("3"))

    (problem,) = problems(read(graph), SCHEMAS)

    assert problem.what == "has no node that makes a result"


def test_every_problem_is_told_at_once() -> None:
    def change(graph: dict[str, Any]) -> None:
        for one in (drop("2", "width"), put("2", "crop", "left"), drop("3", "filename_prefix")):
            one(graph)

    graph = changed(change)

    assert len(problems(read(graph), SCHEMAS)) == len(refused(graph)) == 3


def test_a_long_list_of_values_is_cut_short() -> None:
    node = Node("KSampler", {**{key: link("9") for key in ("model", "positive")}, "sampler_name": "dreams"})

    told = next(one for one in problems({"1": node, **SAVED}, SCHEMAS) if one.where.endswith("sampler_name"))

    assert told.remedy.endswith("more")
    assert len(told.remedy) < 250


SAVED = {
    "2": Node("VAEDecode", {"samples": link("1"), "vae": link("3")}),
    "3": Node("VAELoader", {"vae_name": "qwen_image_vae.safetensors"}),
    "4": Node("SaveImage", {"images": link("2"), "filename_prefix": "a"}),
}


@pytest.mark.parametrize(
    "told",
    [
        ["COMFY_AUTOGROW_V3", {"template": {}}],
        ["COMFY_DYNAMICCOMBO_V3", {"options": [{"key": "a", "inputs": {}}]}],
    ],
)
def test_inputs_that_bring_others_with_them_are_left_to_the_server(told: list[object]) -> None:
    grown = schema("Grown", {"input": {"required": {"images": told, "others": told}}, "output": ["LATENT"]})
    node = Node("Grown", {"images": "b", "images.image0": link("2")})

    assert problems({"1": node, **SAVED}, {**SCHEMAS, "Grown": grown}) == ()


def test_what_is_no_description_of_a_node_is_told() -> None:
    with pytest.raises(BackendError, match="Loader is no description of a node: nothing"):
        schema("Loader", "nothing")
