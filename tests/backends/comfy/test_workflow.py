from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.comfyui.server import recorded
from undercard.backends.comfy.nodes import Schemas, Values, schema
from undercard.backends.comfy.workflow import OwnWorkflow, checked, read
from undercard.errors import BackendError, BadWorkflow

SCHEMAS: Schemas = {kind: schema(kind, told) for kind, told in recorded().items()}
VALUES = Values(r"a jab \1 {{seed}}", "blur", 7, 1024, 576, ("ring.png", "mara.png"), 4, "undercard/abc")
EDIT: dict[str, Any] = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "{{image1}}"}, "_meta": {"title": "the ring"}},
    "2": {"class_type": "LoadImage", "inputs": {"image": "{{ image2 }}"}},
    "20": {"class_type": "FluxKontextImageScale", "inputs": {"image": ["2", 0]}},
    "3": {"class_type": "CLIPLoader", "inputs": {"clip_name": "t5xxl_fp16.safetensors", "type": "qwen_image"}},
    "4": {
        "class_type": "TextEncodeQwenImageEditPlus",
        "inputs": {"clip": ["3", 0], "prompt": "film still, {{prompt}}", "image1": ["1", 0], "image2": ["20", 0]},
    },
    "5": {"class_type": "UNETLoader", "inputs": {"unet_name": "qwen_image_edit_2509_fp8_e4m3fn.safetensors"}},
    "6": {
        "class_type": "EmptySD3LatentImage",
        "inputs": {"width": "{{width}}", "height": "{{height}}", "batch_size": 1},
    },
    "7": {
        "class_type": "KSampler",
        "inputs": {
            "model": ["5", 0],
            "positive": ["4", 0],
            "negative": ["4", 0],
            "latent_image": ["6", 0],
            "seed": "{{seed}}",
            "steps": "{{steps}}",
            "cfg": 1.0,
            "sampler_name": "euler",
            "scheduler": "simple",
            "denoise": 1.0,
        },
    },
    "8": {"class_type": "VAELoader", "inputs": {"vae_name": "qwen_image_vae.safetensors"}},
    "9": {"class_type": "VAEDecode", "inputs": {"samples": ["7", 0], "vae": ["8", 0]}},
    "10": {"class_type": "SaveImage", "inputs": {"images": ["9", 0], "filename_prefix": "{{output}}"}},
}
EDIT["5"]["inputs"]["weight_dtype"] = "default"


def copied(**changes: dict[str, Any]) -> dict[str, Any]:
    """Return the workflow with other inputs: `n7={"seed": 1}`; None takes one away."""
    graph: dict[str, Any] = json.loads(json.dumps(EDIT))
    for name, inputs in changes.items():
        mine = graph[name.removeprefix("n")]["inputs"]
        mine.update(inputs)
        for key in [key for key, value in mine.items() if value is None]:
            del mine[key]
    return graph


def written(tmp_path: Path, graph: object) -> Path:
    path = tmp_path / "mine.json"
    path.write_text(graph if isinstance(graph, str) else json.dumps(graph))
    return path


def ready(tmp_path: Path, graph: object) -> OwnWorkflow:
    return checked(read(written(tmp_path, graph)), SCHEMAS)


def told(tmp_path: Path, graph: object) -> str:
    with pytest.raises(BadWorkflow) as failure:
        ready(tmp_path, graph)
    return str(failure.value)


def test_placeholders_become_numbers_where_the_request_has_numbers_and_parts_of_texts(tmp_path: Path) -> None:
    graph, output = ready(tmp_path, EDIT).built(VALUES)

    assert output == "10"
    assert [graph["7"].inputs[key] for key in ("seed", "steps")] == [7, 4]
    assert [graph["6"].inputs[key] for key in ("width", "height")] == [1024, 576]
    assert [graph[name].inputs["image"] for name in ("1", "2")] == ["ring.png", "mara.png"]
    assert graph["10"].inputs["filename_prefix"] == "undercard/abc"


def test_what_a_prompt_says_is_text_whatever_it_looks_like(tmp_path: Path) -> None:
    graph, _ = ready(tmp_path, EDIT).built(VALUES)

    assert graph["4"].inputs["prompt"] == r"film still, a jab \1 {{seed}}"


def test_a_reference_that_a_keyframe_lacks_is_left_out_with_what_hangs_on_it(tmp_path: Path) -> None:
    graph, _ = ready(tmp_path, EDIT).built(replace(VALUES, images=("ring.png",)))

    assert not {"2", "20"} & graph.keys()
    assert "image2" not in graph["4"].inputs
    assert graph["4"].inputs["image1"] == ["1", 0]


def test_a_picture_that_cannot_do_without_a_missing_reference_is_told(tmp_path: Path) -> None:
    workflow = ready(tmp_path, {**copied(n4={"image2": None}), **BLENDED})

    with pytest.raises(BackendError, match=r"mine\.json cannot do without image2 and image3, .* has 1"):
        workflow.built(replace(VALUES, images=("ring.png",)))


BLENDED = {
    "10": {"class_type": "SaveImage", "inputs": {"images": ["11", 0], "filename_prefix": "mine"}},
    "11": {
        "class_type": "ImageBlend",
        "inputs": {"image1": ["9", 0], "image2": ["2", 0], "blend_factor": 0.5, "blend_mode": "normal"},
    },
}


def test_titles_and_the_order_of_inputs_change_no_digest_and_values_do(tmp_path: Path) -> None:
    plain = read(written(tmp_path, EDIT)).digest
    titled = copied()
    titled["1"]["_meta"]["title"] = "another"
    titled["9"]["inputs"] = dict(reversed(titled["9"]["inputs"].items()))

    assert read(written(tmp_path, titled)).digest == plain
    assert read(written(tmp_path, copied(n7={"cfg": 2.5}))).digest != plain


def test_it_says_how_many_references_it_takes_and_what_people_call_it(tmp_path: Path) -> None:
    workflow = ready(tmp_path, EDIT)

    assert (workflow.references, workflow.detail) == (2, "mine")


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"n7": {"seed": 1}}, "the graph: has no {{seed}}: every take would be the same; write it"),
        ({"n4": {"prompt": "a ring"}}, "the graph: has no {{prompt}}: no shot would say what it shows"),
        ({"n1": {"image": "ring.png"}}, "the graph: has no {{image1}}: no picture would follow the staging"),
        (
            {"n4": {"prompt": "{{prompt}} {{promt}}"}},
            "node 4 (TextEncodeQwenImageEditPlus) › prompt: {{promt}} is no pl",
        ),
        ({"n7": {"sead": "{{seed}}"}}, "node 7 (KSampler) › sead: is no input of such a node; use one of model, seed"),
        (
            {"n3": {"clip_name": "clip_l"}},
            "node 3 (CLIPLoader) › clip_name: the server has no 'clip_l'; give it one of",
        ),
        ({"n9": {"vae": None}}, "node 9 (VAEDecode) › vae: is not there; give it a link to VAE"),
    ],
)
def test_a_problem_is_told_with_its_node_and_input(tmp_path: Path, changes: dict[str, Any], what: str) -> None:
    assert what in told(tmp_path, copied(**changes))


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    message = told(tmp_path, copied(n7={"seed": 1, "scheduler": "simpel"}, n4={"prompt": "x"}, n9={"vae": None}))

    assert message.startswith("mine.json: 4 problems\n")


def test_of_several_results_the_one_that_is_meant_is_marked(tmp_path: Path) -> None:
    preview = {"12": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}}}

    assert ready(tmp_path, {**EDIT, **preview}).output == "10"
    message = told(tmp_path, {**copied(n10={"filename_prefix": "mine"}), **preview})
    assert "has 2 results: node 10 (SaveImage), node 12 (PreviewImage); write {{output}}" in message


def test_a_mark_on_a_node_that_makes_no_result_is_told(tmp_path: Path) -> None:
    message = told(tmp_path, copied(n10={"filename_prefix": "a"}, n4={"prompt": "{{prompt}} {{output}}"}))

    assert "node 4 (TextEncodeQwenImageEditPlus): has {{output}} and makes no result" in message


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("not json", "mine.json: 1 problem\n  mine.json: the file: cannot be read: Expecting value"),
        ("[]", "is no workflow in the API format; export it with ComfyUI's Workflow → Export (API)"),
        ({}, "is no workflow in the API format"),
        (
            {"nodes": [], "links": []},
            "is in the format of the editor; export it with ComfyUI's Workflow → Export (API)",
        ),
        ({"1": {"inputs": {}}}, "node 1: has no class_type or no inputs"),
        ({"1": "KSampler"}, "node 1: has no class_type or no inputs"),
    ],
)
def test_a_file_that_is_no_workflow_is_told_with_how_to_get_one(tmp_path: Path, content: object, what: str) -> None:
    assert what in told(tmp_path, content)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadWorkflow, match=r"missing\.json: the file: cannot be read: .*No such file"):
        read(tmp_path / "missing.json")
