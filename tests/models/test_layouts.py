"""What a file is, told by its header; and what it is taken for and is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from gguf import GGUFWriter
from safetensors.torch import load_file, save_file

from tests.fakes import lora_files, stored_files, tiny
from undercard.errors import BadCheckpoint
from undercard.models.catalogue import Layout, ModelSpec
from undercard.models.layouts import prove, read_header, recognise

LAYOUTS = {
    "q4_k_m": Layout.GGUF,
    "q8_0": Layout.GGUF,
    "comfyui before": Layout.FP8_COMFYUI,
    "comfyui now": Layout.FP8_COMFYUI,
    "comfyui in metadata": Layout.FP8_COMFYUI,
    "lightx2v": Layout.FP8_LIGHTX2V,
    "plain cast": Layout.FP8_PLAIN,
    "svdq": Layout.SVDQ_INT4,
}
Build = Callable[[str], Path]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Return what builds a file of a kind, once a module."""
    built: dict[str, Path] = {}

    def once(kind: str) -> Path:
        if kind not in built:
            built[kind] = stored_files.build(tmp_path_factory.mktemp("files"), kind)
        return built[kind]

    return once


def spec(layout: Layout, **facts: Any) -> ModelSpec:
    """Return the catalogue's entry of a tiny model."""
    entry: dict[str, Any] = {
        "name": "tiny",
        "title": "Tiny",
        "repository": "a/b",
        "revision": "main",
        "licence": "MIT",
        "layout": layout,
        "files": [{"path": "a.safetensors", "about_bytes": 1}],
        "edition": "2511",
        "blocks": 2,
    }
    return ModelSpec.model_validate({**entry, **facts})


def gguf(path: Path, architecture: str, names: list[str]) -> Path:
    """Write a GGUF file of F32 tensors."""
    writer = GGUFWriter(path, arch=architecture)
    for name in names:
        writer.add_tensor(name, torch.zeros(2, 2).numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_every_kind_of_file_that_the_engine_reads_has_a_layout() -> None:
    assert set(LAYOUTS) == set(stored_files.KINDS)


@pytest.mark.parametrize("kind", stored_files.KINDS)
def test_a_transformer_is_known_by_its_header(kind: str, build: Build) -> None:
    contents = recognise(read_header(build(kind)))

    assert (contents.layout, contents.blocks) == (LAYOUTS[kind], 2)


def test_what_most_of_a_gguf_file_is_stored_as_names_its_mix(build: Build) -> None:
    prove(build("q4_k_m"), spec(Layout.GGUF, quantisation="Q4_K_M"))
    with pytest.raises(BadCheckpoint, match=r"a\.gguf is not Tiny: most of it is Q8_0, not Q4_K"):
        prove(build("q8_0"), spec(Layout.GGUF, quantisation="Q4_K_M"))


@pytest.mark.parametrize("naming", lora_files.NAMINGS)
def test_a_lora_is_known_in_every_naming(naming: str, tmp_path: Path) -> None:
    path = lora_files.writer(tiny.transformer(), tmp_path / "a.safetensors")(lora_files.NAMINGS[naming])

    contents = recognise(read_header(path))

    assert (contents.layout, contents.rank, contents.pairs) == (Layout.LORA, 4, 34)


def test_edit_2511_where_2509_is_meant_is_refused(build: Build) -> None:
    with pytest.raises(BadCheckpoint, match="it says that it is of Edit-2511, not 2509"):
        prove(build("q4_k_m"), spec(Layout.GGUF, quantisation="Q4_K_M", edition="2509"))


def test_a_file_that_does_not_say_its_edition_is_not_doubted(build: Build) -> None:
    assert recognise(read_header(build("lightx2v"))).edition is None

    for edition in ("2509", "2511"):
        prove(build("lightx2v"), spec(Layout.FP8_LIGHTX2V, edition=edition))


@pytest.mark.parametrize(("zero_cond_t", "edition"), [(True, "2511"), (False, "2509")])
def test_a_file_of_nunchakus_says_its_edition_where_its_config_does(
    zero_cond_t: bool, edition: str, build: Build, tmp_path: Path
) -> None:
    header = read_header(build("svdq"))
    config = {**json.loads(str(header.metadata["config"])), "zero_cond_t": zero_cond_t}
    metadata = {name: str(value) for name, value in header.metadata.items()} | {"config": json.dumps(config)}
    save_file(load_file(build("svdq")), tmp_path / "a.safetensors", metadata)

    assert recognise(read_header(tmp_path / "a.safetensors")).edition == edition


def test_scales_of_another_layout_are_told_by_name(build: Build) -> None:
    with pytest.raises(BadCheckpoint, match="it holds fp8-comfyui, not fp8-lightx2v"):
        prove(build("comfyui now"), spec(Layout.FP8_LIGHTX2V))
    with pytest.raises(BadCheckpoint, match="it holds fp8-plain, not fp8-lightx2v"):
        prove(build("plain cast"), spec(Layout.FP8_LIGHTX2V))


def test_where_the_catalogue_leaves_two_layouts_open_both_are_taken(build: Build) -> None:
    either = spec(Layout.FP8_LIGHTX2V, or_layout=Layout.FP8_COMFYUI)

    assert {prove(build(kind), either).layout for kind in ("lightx2v", "comfyui now")} == {
        Layout.FP8_LIGHTX2V,
        Layout.FP8_COMFYUI,
    }


def test_a_file_with_a_scale_missing_is_refused(build: Build, tmp_path: Path) -> None:
    tensors = load_file(build("lightx2v"))
    del tensors[next(name for name in tensors if name.endswith(".weight_scale"))]
    save_file(tensors, tmp_path / "a.safetensors")

    with pytest.raises(BadCheckpoint, match=r"has scales for \d+ of its \d+ weights in 8 bits"):
        recognise(read_header(tmp_path / "a.safetensors"))


def test_another_rank_of_svdquant_is_refused(build: Build) -> None:
    with pytest.raises(BadCheckpoint, match="its rank is 16, not 128"):
        prove(build("svdq"), spec(Layout.SVDQ_INT4, rank=128))


def test_a_model_with_blocks_missing_is_refused(build: Build) -> None:
    with pytest.raises(BadCheckpoint, match="it holds 2 of 60 blocks"):
        prove(build("lightx2v"), spec(Layout.FP8_LIGHTX2V, blocks=60))


def test_a_lora_that_changes_other_layers_than_it_should_is_refused(tmp_path: Path) -> None:
    path = lora_files.writer(tiny.transformer(), tmp_path / "a.safetensors")(
        layers=["transformer_blocks.0.attn.to_q", "transformer_blocks.1.attn.to_q"]
    )
    lora = spec(Layout.LORA, rank=4, pairs=24, steps=4, strength=1.0, blocks=None)

    with pytest.raises(BadCheckpoint, match="it changes 2 layers, not 24"):
        prove(path, lora)


@pytest.mark.parametrize(
    "names",
    [
        ["double_blocks.0.img_attn.qkv.weight", "single_blocks.0.linear1.weight"],
        # FLUX by diffusers' names, some of which Qwen-Image has as well.
        ["transformer_blocks.0.attn.to_q.weight", "single_transformer_blocks.0.attn.to_q.weight"],
        ["model.embed_tokens.weight"],
    ],
)
def test_weights_of_another_model_are_refused_with_their_names(names: list[str], tmp_path: Path) -> None:
    save_file({name: torch.zeros(2, 2) for name in names}, tmp_path / "qwen-image-edit.safetensors")

    with pytest.raises(BadCheckpoint, match=rf"holds another model: its tensors are called .*{min(names)}"):
        recognise(read_header(tmp_path / "qwen-image-edit.safetensors"))


def test_a_gguf_file_of_another_architecture_is_refused(tmp_path: Path) -> None:
    path = gguf(tmp_path / "qwen-image-edit-Q4_K_M.gguf", "flux", ["double_blocks.0.img_attn.qkv.weight"])

    with pytest.raises(BadCheckpoint, match="holds another model: its architecture is 'flux'"):
        recognise(read_header(path))


def test_an_empty_gguf_file_is_no_model(tmp_path: Path) -> None:
    path = gguf(tmp_path / "empty.gguf", "qwen_image", [])

    with pytest.raises(BadCheckpoint, match="it holds 0 of 2 blocks"):
        prove(path, spec(Layout.GGUF, quantisation="Q4_K_M"))


def test_a_lora_for_another_model_is_refused(tmp_path: Path) -> None:
    layers = ["transformer.single_transformer_blocks.0.attn.to_q", "transformer.transformer_blocks.0.ff.net.0.proj"]
    save_file(
        {f"{layer}.lora_{half}.weight": torch.zeros(4, 4) for layer in layers for half in "AB"},
        tmp_path / "lightning.safetensors",
    )

    with pytest.raises(BadCheckpoint, match="is a LoRA for another model: it changes single_transformer_blocks"):
        recognise(read_header(tmp_path / "lightning.safetensors"))


def test_what_comfyui_takes_beside_a_transformer_is_known(tmp_path: Path) -> None:
    files = {
        Layout.VAE: "decoder.middle.0.residual.0.gamma",
        Layout.TEXT_ENCODER: "model.layers.0.self_attn.q_proj.weight",
    }
    for layout, name in files.items():
        save_file({name: torch.zeros(2)}, tmp_path / "a.safetensors")
        assert recognise(read_header(tmp_path / "a.safetensors")).layout is layout
