from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.fakes.comfyui.server import recorded
from undercard.backends.comfy import validation
from undercard.backends.comfy.files import Files
from undercard.backends.comfy.graph import OwnGraph
from undercard.backends.comfy.nodes import Graph, Values, linked, schema

NEWER = Files(
    unet="qwen-image-edit-2511-Q4_K_M.gguf",
    clip="qwen_2.5_vl_7b_fp8_scaled.safetensors",
    vae="qwen_image_vae.safetensors",
    lora="Qwen-Image-Edit-2511-Lightning-4steps-V1.0-bf16.safetensors",
    version="2511",
)
OLDER = replace(
    NEWER,
    unet="qwen_image_edit_2509_fp8_e4m3fn.safetensors",
    lora="Qwen-Image-Edit-2509-Lightning-4steps-V1.0-bf16.safetensors",
    version="2509",
)
VALUES = Values("a jab", "blur", 7, 1024, 576, ("ring.png", "mara.png"), 4, "undercard/abc")


def built(files: Files = NEWER, values: Values = VALUES) -> Graph:
    return OwnGraph(files).built(values)[0]


def before(graph: Graph, name: str, key: str) -> str:
    source = linked(graph[name].inputs[key])
    assert source is not None
    return source[0]


def chain(graph: Graph, name: str, key: str) -> list[str]:
    """Return the kinds of the nodes from *name* back, each linked by its input *key*."""
    kinds = [graph[name].kind]
    while key in graph[name].inputs:
        name = before(graph, name, key)
        kinds.append(graph[name].kind)
    return kinds


@pytest.mark.parametrize("files", [NEWER, OLDER, replace(NEWER, lora="")])
@pytest.mark.parametrize("references", [1, 2, 3])
@pytest.mark.parametrize("sparing", [False, True])
def test_a_server_takes_the_graph(files: Files, references: int, sparing: bool) -> None:
    schemas = {kind: schema(kind, told) for kind, told in recorded().items()}
    values = replace(VALUES, images=("ring.png", "mara.png", "otis.png")[:references], sparing=sparing)

    assert validation.problems(built(files, values), schemas) == ()


def test_the_model_is_sampled_at_shift_three_with_its_norm_and_its_lora() -> None:
    graph = built()

    sampler = next(name for name, node in graph.items() if node.kind == "KSampler")
    assert chain(graph, sampler, "model") == [
        "KSampler",
        "LoraLoaderModelOnly",
        "CFGNorm",
        "ModelSamplingAuraFlow",
        "UnetLoaderGGUF",
    ]
    (shift,) = (node.inputs["shift"] for node in graph.values() if node.kind == "ModelSamplingAuraFlow")
    assert shift == 3.0
    settings: dict[str, Any] = dict(graph[sampler].inputs)
    assert (settings["sampler_name"], settings["scheduler"], settings["steps"]) == ("euler", "simple", 4)
    assert (settings["cfg"], settings["denoise"], settings["seed"]) == (1.0, 1.0, 7)


def test_a_model_without_lora_is_sampled_after_its_norm() -> None:
    graph = built(replace(OLDER, lora=""))

    assert chain(graph, "sampler", "model") == ["KSampler", "CFGNorm", "ModelSamplingAuraFlow", "UNETLoader"]


def test_only_the_newer_model_sees_its_references_at_time_zero() -> None:
    newer, older = built(NEWER), built(OLDER)

    for side in ("positive", "negative"):
        method = newer[before(newer, "sampler", side)]
        assert method.kind == "FluxKontextMultiReferenceLatentMethod"
        assert method.inputs["reference_latents_method"] == "index_timestep_zero"
        assert older[before(older, "sampler", side)].kind == "TextEncodeQwenImageEditPlus"


def test_both_prompts_see_every_reference_and_the_first_one_scaled() -> None:
    graph = built(OLDER)

    for side, prompt in (("positive", "a jab"), ("negative", "blur")):
        text = graph[before(graph, "sampler", side)]
        assert text.inputs["prompt"] == prompt
        first, second = (linked(text.inputs[key]) for key in ("image1", "image2"))
        assert first is not None
        assert second is not None
        assert graph[first[0]].kind == "FluxKontextImageScale"
        assert graph[second[0]].inputs == {"image": "mara.png"}
        assert "image3" not in text.inputs


def test_the_picture_has_the_size_of_the_canvas_whatever_the_reference_has() -> None:
    graph = built()

    latent = graph[before(graph, "sampler", "latent_image")]
    assert (latent.kind, latent.inputs["width"], latent.inputs["height"]) == ("EmptySD3LatentImage", 1024, 576)


def test_the_sparing_graph_encodes_text_on_the_processor_and_decodes_in_tiles() -> None:
    usual, sparing = built(), built(values=replace(VALUES, sparing=True))

    assert [graph["clip"].inputs["device"] for graph in (usual, sparing)] == ["default", "cpu"]
    assert [graph["decoded"].kind for graph in (usual, sparing)] == ["VAEDecode", "VAEDecodeTiled"]


def test_a_picture_that_is_asked_for_whole_is_decoded_whole_from_the_same_latents() -> None:
    sparing, whole = (built(values=replace(VALUES, sparing=True, whole=asked)) for asked in (False, True))

    assert whole["decoded"].kind == "VAEDecode"
    assert {name for name in whole if whole[name] != sparing[name]} == {"decoded"}
