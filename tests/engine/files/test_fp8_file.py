from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.engine.formats.weights import gaussian, relative_error
from undercard.engine.files.checkpoint import Checkpoint, open_checkpoint
from undercard.engine.files.fp8_file import Fp8File, open_fp8
from undercard.engine.files.stored import Parameter
from undercard.errors import BadCheckpoint

NAME = "transformer_blocks.0.attn.to_q.weight"
LAYER = NAME.removesuffix(".weight")
# Greater than 1, so that a scale that was overlooked shows.
WEIGHT = (gaussian((64, 128)) * 1000).bfloat16()
BIAS = gaussian((1, 64))[0]
QUANT = torch.tensor(list(b'{"format": "float8_e4m3fn"}'), dtype=torch.uint8)


def _scaled(scale: Tensor) -> tuple[Tensor, Tensor]:
    return (WEIGHT.float() / scale).to(torch.float8_e4m3fn), scale


def _layout(kind: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    by_layer, by_row = WEIGHT.abs().max().float() / 448, WEIGHT.abs().amax(1, keepdim=True).float() / 448
    values, scale = _scaled(by_row if kind == "lightx2v" else by_layer)
    tensors = {NAME: values, f"{LAYER}.bias": BIAS}
    metadata: dict[str, str] = {}
    match kind:
        case "comfyui before":
            marker = torch.zeros(0, dtype=torch.float8_e4m3fn)
            tensors |= {f"{LAYER}.scale_weight": scale, f"{LAYER}.scale_input": torch.ones(()), "scaled_fp8": marker}
        case "comfyui now":
            tensors |= {f"{LAYER}.weight_scale": scale, f"{LAYER}.comfy_quant": QUANT}
        case "comfyui in metadata":
            tensors |= {f"{LAYER}.weight_scale": scale, f"{LAYER}.input_scale": torch.ones(())}
            metadata["_quantization_metadata"] = json.dumps({"layers": {LAYER: {"format": "float8_e4m3fn"}}})
        case "lightx2v":
            tensors |= {f"{LAYER}.weight_scale": scale}
    return tensors, metadata


KINDS = ["comfyui before", "comfyui now", "comfyui in metadata", "lightx2v"]


def _file(folder: Path, tensors: dict[str, Tensor], metadata: dict[str, str], prefix: str = "") -> Checkpoint:
    path = folder / "a.safetensors"
    save_file({prefix + name: value.contiguous() for name, value in tensors.items()}, path, metadata)
    return open_checkpoint(path)


def _read(file: Fp8File, name: str) -> Tensor:
    ((_, parts),) = file.read([name])
    return file.parameters[name].decoded(parts)


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model."])
@pytest.mark.parametrize("kind", KINDS)
def test_a_scaled_weight_is_read_with_its_scale(tmp_path: Path, kind: str, prefix: str) -> None:
    file = open_fp8(_file(tmp_path, *_layout(kind), prefix))
    assert file.parameters[NAME] == Parameter("fp8", (64, 128))
    assert relative_error(_read(file, NAME), WEIGHT) < 0.03


@pytest.mark.parametrize("kind", KINDS)
def test_only_parameters_are_named(tmp_path: Path, kind: str) -> None:
    file = open_fp8(_file(tmp_path, *_layout(kind)))
    assert set(file.parameters) == {NAME, f"{LAYER}.bias"}
    assert torch.equal(_read(file, f"{LAYER}.bias"), BIAS)


def test_a_file_without_any_scales_is_a_plain_cast(tmp_path: Path) -> None:
    plain = (WEIGHT / 1000).bfloat16()
    values, bias = plain.to(torch.float8_e4m3fn), BIAS.to(torch.float8_e4m3fn)
    file = open_fp8(_file(tmp_path, {NAME: values, f"{LAYER}.bias": bias}, {}))
    assert torch.equal(_read(file, f"{LAYER}.bias"), bias.bfloat16())
    assert relative_error(_read(file, NAME), plain) < 0.03


def test_a_scaled_file_whose_scales_were_lost_is_no_plain_cast(tmp_path: Path) -> None:
    tensors, metadata = _layout("lightx2v")
    del tensors[f"{LAYER}.weight_scale"]
    with pytest.raises(BadCheckpoint, match=r"to_q\.weight' has no scale, and values that only make sense with one"):
        open_fp8(_file(tmp_path, tensors, metadata))


@pytest.mark.parametrize(
    ("kind", "proof"),
    [("comfyui before", "scaled_fp8"), ("comfyui now", f"{LAYER}.comfy_quant"), ("comfyui in metadata", "")],
)
def test_one_number_for_a_layer_means_nothing_without_what_proves_the_layout(
    tmp_path: Path, kind: str, proof: str
) -> None:
    tensors, _ = _layout(kind)
    tensors.pop(proof, None)
    with pytest.raises(BadCheckpoint, match=r"is one number, and nothing in the file says which tool wrote it"):
        open_fp8(_file(tmp_path, tensors, {}))


def test_a_scale_that_fits_no_row_is_named(tmp_path: Path) -> None:
    tensors, metadata = _layout("lightx2v")
    tensors[f"{LAYER}.weight_scale"] = torch.ones(4, 16)
    with pytest.raises(BadCheckpoint, match=r"weight_scale' is \(4, 16\), which fits no layer of 64 rows"):
        open_fp8(_file(tmp_path, tensors, metadata))


def test_the_marker_of_edit_2511_is_no_parameter(tmp_path: Path) -> None:
    tensors, metadata = _layout("comfyui now")
    marked = open_fp8(_file(tmp_path, tensors | {"__index_timestep_zero__": torch.zeros(0)}, metadata))
    assert marked.zero_cond_t
    assert set(marked.parameters) == {NAME, f"{LAYER}.bias"}


def test_a_weight_without_the_scale_that_others_have_is_named(tmp_path: Path) -> None:
    tensors, metadata = _layout("lightx2v")
    tensors["txt_in.weight"] = WEIGHT.to(torch.float8_e4m3fn)
    with pytest.raises(BadCheckpoint, match=r"'txt_in\.weight' has no scale, unlike others"):
        open_fp8(_file(tmp_path, tensors, metadata))


def test_a_marked_file_without_scales_is_refused(tmp_path: Path) -> None:
    tensors, metadata = _layout("comfyui before")
    del tensors[f"{LAYER}.scale_weight"]
    with pytest.raises(BadCheckpoint, match=r"to_q\.weight' has no scale"):
        open_fp8(_file(tmp_path, tensors, metadata))


def test_another_declared_format_is_named(tmp_path: Path) -> None:
    tensors, metadata = _layout("comfyui now")
    tensors[f"{LAYER}.comfy_quant"] = torch.tensor(list(b'{"format": "nvfp4"}'), dtype=torch.uint8)
    with pytest.raises(BadCheckpoint, match=r"attn\.to_q' is stored as nvfp4; only float8_e4m3fn"):
        open_fp8(_file(tmp_path, tensors, metadata))


@pytest.mark.parametrize(("dtype", "name"), [(torch.float8_e5m2, "F8_E5M2"), (torch.int8, "I8")])
def test_another_dtype_with_a_scale_is_named(tmp_path: Path, dtype: torch.dtype, name: str) -> None:
    tensors, metadata = _layout("lightx2v")
    tensors[NAME] = tensors[NAME].float().to(dtype)
    with pytest.raises(BadCheckpoint, match=rf"to_q\.weight' is stored as {name}"):
        open_fp8(_file(tmp_path, tensors, metadata))


def test_a_file_of_bfloat16_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadCheckpoint, match="holds no float8_e4m3fn"):
        open_fp8(_file(tmp_path, {NAME: WEIGHT}, {}))


@pytest.mark.parametrize("described", [b"not json", b"[1]", b'{"other": 1}'])
def test_a_description_that_cannot_be_read_is_refused(tmp_path: Path, described: bytes) -> None:
    tensors, metadata = _layout("comfyui now")
    tensors[f"{LAYER}.comfy_quant"] = torch.tensor(list(described), dtype=torch.uint8)
    with pytest.raises(BadCheckpoint, match="describes its layers in a way that cannot be read"):
        open_fp8(_file(tmp_path, tensors, metadata))
