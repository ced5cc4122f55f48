"""Which of Wan's files a server makes clips with, and the graphs that it is given for them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.backends.clips.wan import wan
from tests.fakes.comfyui.server import recorded
from tests.fakes.comfyui.validation import Json, validated
from undercard.backends.clips.wan.files import WanFiles, WanWanted, choose
from undercard.backends.clips.wan.graph import KINDS, ClipValues, WanGraph
from undercard.backends.comfy import validation
from undercard.backends.comfy.nodes import Schemas, as_json, schema
from undercard.errors import BackendUnavailable

VALUES = ClipValues("he jabs", "blur", 7, 832, 480, 33, "guard.png", "jab.png", "undercard/clip-abc")


def has(unets: list[str] | None = None, loras: list[str] | None = None, ggufs: list[str] | None = None) -> Json:
    info = recorded()
    wan.give(info, unets, loras, ggufs)
    return info


def read(info: Json) -> Schemas:
    return {kind: schema(kind, told) for kind, told in info.items()}


def chosen(info: Json, unet: str = "", lora: str = "") -> WanFiles:
    return choose(read(info), WanWanted(unet, lora))


def test_a_pair_of_wan_2_2_is_taken_with_its_encoder_and_the_autoencoder_of_2_1() -> None:
    found = chosen(has([wan.SINGLE, *wan.PAIR]))

    assert (found.unet, found.low) == tuple(wan.PAIR)
    assert (found.clip, found.vae, found.vision) == (wan.TEXT_ENCODER, wan.AUTOENCODER, "")
    assert found.detail == "Wan 2.2 FP8"


def test_the_smaller_quantised_pair_comes_first_and_halves_that_do_not_match_are_no_pair() -> None:
    assert chosen(has(ggufs=wan.QUANTISED)).detail == "Wan 2.2 Q4_K_M"

    mixed = has(unets=[wan.PAIR[0], wan.SINGLE], ggufs=[wan.QUANTISED[1]])
    assert chosen(mixed) == WanFiles(wan.SINGLE, "", wan.TEXT_ENCODER, wan.AUTOENCODER, wan.VISION)


def test_loras_for_few_steps_are_taken_as_a_pair_or_not_at_all() -> None:
    assert chosen(has(loras=wan.LORAS)).detail == "Wan 2.2 FP8, 4 steps"
    assert chosen(has(loras=wan.LORAS), lora="none").detail == "Wan 2.2 FP8"
    assert chosen(has(loras=wan.LORAS[:1])).lora == ""


def test_a_transformer_that_is_named_is_taken() -> None:
    assert chosen(has([wan.SINGLE, *wan.PAIR]), unet=wan.SINGLE).detail == "Wan 2.1 FP8"


@pytest.mark.parametrize(
    ("info", "unet", "lora", "what"),
    [
        (has([]), "", "", "neither a pair of Wan 2.2 I2V 14B nor Wan 2.1 FLF2V 14B .*put wan2.2_i2v_high_noise"),
        (has(), "mine.gguf", "", "the server has no 'mine.gguf' .*set UNDERCARD_CLIP_UNET"),
        (has(wan.PAIR[:1]), wan.PAIR[0], "", "with what belongs to it"),
        (has(), "", "mine.safetensors", "no 'mine.safetensors' with a partner .*set UNDERCARD_CLIP_LORA"),
        (recorded(), "", "", "no text encoder of Wan's; put umt5_xxl_.*; .*no autoencoder of Wan's; put wan_2.1_vae"),
    ],
)
def test_what_is_missing_is_named_with_where_to_put_it(info: Json, unet: str, lora: str, what: str) -> None:
    with pytest.raises(BackendUnavailable, match=what):
        chosen(info, unet, lora)


def test_wan_2_1_without_its_vision_model_is_told() -> None:
    info = has([wan.SINGLE])
    info["CLIPVisionLoader"]["input"]["required"]["clip_name"][0] = []

    with pytest.raises(BackendUnavailable, match="no vision model of Wan's; put clip_vision_h"):
        chosen(info)


@pytest.mark.parametrize("sparing", [False, True])
@pytest.mark.parametrize(
    "info", [has(), has(loras=wan.LORAS), has([wan.SINGLE]), has(ggufs=wan.QUANTISED)], ids=["22", "few", "21", "gguf"]
)
def test_a_server_executes_every_graph(info: Json, *, sparing: bool) -> None:
    graph, output = WanGraph(chosen(info)).built(replace(VALUES, sparing=sparing))

    assert validation.problems(graph, read(info)) == ()
    # By the real server's own rules, in its own words, as far as they are written down.
    assert validated(as_json(graph), info, lambda name: name in {"guard.png", "jab.png"}) == (None, [output], {})
    assert {node.kind for node in graph.values()} <= set(KINDS)


def test_wan_2_2_passes_its_noise_from_the_one_transformer_to_the_other() -> None:
    graph, _ = WanGraph(chosen(has())).built(VALUES)

    high, low = graph["high_sampler"].inputs, graph["sampler"].inputs
    assert [high[key] for key in ("steps", "cfg", "start_at_step", "end_at_step", "noise_seed")] == [20, 4.0, 0, 10, 7]
    assert (high["add_noise"], high["return_with_leftover_noise"]) == ("enable", "enable")
    assert [low[key] for key in ("steps", "cfg", "start_at_step", "add_noise")] == [20, 4.0, 10, "disable"]
    assert (low["return_with_leftover_noise"], low["latent_image"]) == ("disable", ["high_sampler", 0])
    assert [graph[name].inputs["unet_name"] for name in ("high_unet", "low_unet")] == wan.PAIR
    assert graph["high_model"].inputs["shift"] == 8.0
    between = graph["between"].inputs
    assert [between[key] for key in ("width", "height", "length")] == [832, 480, 33]
    assert (between["start_image"], between["end_image"]) == (["first", 0], ["last", 0])
    assert not {"clip_vision_start_image", "clip_vision_end_image"} & between.keys()


def test_few_steps_go_with_their_own_shift_and_without_guidance() -> None:
    graph, _ = WanGraph(chosen(has(loras=wan.LORAS))).built(VALUES)

    assert [graph[name].inputs["lora_name"] for name in ("high_lora", "low_lora")] == wan.LORAS
    assert [graph["sampler"].inputs[key] for key in ("steps", "cfg", "start_at_step")] == [4, 1.0, 2]
    assert graph["low_model"].inputs == {"model": ["low_lora", 0], "shift": 5.0}


def test_wan_2_1_is_shown_both_pictures() -> None:
    graph, _ = WanGraph(chosen(has([wan.SINGLE]))).built(VALUES)

    assert graph["first_seen"].inputs == {"clip_vision": ["vision", 0], "image": ["first", 0], "crop": "none"}
    assert graph["between"].inputs["clip_vision_end_image"] == ["last_seen", 0]
    assert [graph["sampler"].inputs[key] for key in ("seed", "steps", "cfg", "sampler_name")] == [7, 20, 3.0, "uni_pc"]
