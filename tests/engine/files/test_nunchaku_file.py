"""On a file of two random blocks and the answers of nunchaku's own kernels: see data/nunchaku/NOTICE.md."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from diffusers import QwenImageTransformer2DModel
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import linear

from benchmarks.svdq_packing import awq_modulation
from tests.engine.formats.weights import decoded, relative_error
from tests.paths import DATA
from undercard.engine.files.checkpoint import open_checkpoint
from undercard.engine.files.nunchaku_file import NunchakuFile, open_nunchaku
from undercard.engine.formats import _nunchaku, format_named
from undercard.engine.formats._nunchaku import Layer
from undercard.engine.formats.svdq import SvdqInt4, dequantized
from undercard.errors import BadCheckpoint

NUNCHAKU = DATA / "nunchaku"
FILE = NUNCHAKU / "svdq-int4_r16-tiny-qwen-image-edit.safetensors"
STEPS = {"t1000": 1.0, "t750": 0.75, "t500": 0.5}
FACTORS = ("proj_down", "proj_up")


@pytest.fixture(scope="module")
def answers() -> dict[str, Tensor]:
    return load_file(NUNCHAKU / "svdq-int4_r16-tiny-qwen-image-edit.expected.safetensors")


@pytest.fixture(scope="module")
def file() -> NunchakuFile:
    return open_nunchaku(open_checkpoint(FILE))


@pytest.fixture(scope="module")
def model(file: NunchakuFile) -> QwenImageTransformer2DModel:
    model = QwenImageTransformer2DModel(**file.config)
    model.load_state_dict(_weights(file))
    return model.to(torch.bfloat16).eval().requires_grad_(False)


def _weights(file: NunchakuFile) -> dict[str, Tensor]:
    return {name: file.parameters[name].decoded(parts) for name, parts in file.read(file.parameters)}


def _weight(layer: Layer) -> Tensor:
    rows, halves = layer.parts["codes"].shape
    return decoded(format_named(f"svdq-int4-r{layer.rank}"), layer.parts, (rows, 2 * halves))


def _fused(name: str) -> Layer:
    return _nunchaku.linear(_tensors(f"transformer_blocks.0.{name}"))


def _tensors(layer: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(f"{layer}."): value for name, value in load_file(FILE).items() if name.startswith(f"{layer}.")
    }


def _in_four_bits(activations: Tensor) -> Tensor:
    """Round as nunchaku's kernels do: 64 at a time, to sevenths of the greatest magnitude."""
    grouped = activations.reshape(-1, 64)
    step = grouped.abs().amax(dim=-1, keepdim=True) / 7
    return ((grouped / step).round() * step).view(activations.shape)


def test_a_layer_answers_as_nunchakus_kernel_when_its_activations_are_rounded_as_there(
    answers: dict[str, Tensor],
) -> None:
    layer = _fused("attn.to_qkv")
    given = answers["layer_to_qkv_in"].float()
    residual = linear(_in_four_bits(given * layer.parts["unsmooth"]), dequantized(*_codes(layer)))
    low_rank = linear(linear(given, layer.parts["down"].float()), layer.parts["up"].float())
    assert relative_error(residual + low_rank + layer.bias.float(), answers["layer_to_qkv_out"]) < 0.012


def test_the_decoded_weight_is_the_layer_without_that_rounding(answers: dict[str, Tensor]) -> None:
    layer = _fused("attn.to_qkv")
    given = answers["layer_to_qkv_in"].float()
    residual = linear(given * layer.parts["unsmooth"], dequantized(*_codes(layer)))
    low_rank = linear(linear(given, layer.parts["down"].float()), layer.parts["up"].float())
    assert relative_error(linear(given, _weight(layer).float()), residual + low_rank) < 0.002


def _codes(layer: Layer) -> tuple[Tensor, Tensor]:
    return layer.parts["codes"], layer.parts["scale"]


@pytest.mark.parametrize("step", STEPS)
def test_the_model_answers_nearly_as_nunchakus_kernels_do(
    model: QwenImageTransformer2DModel, answers: dict[str, Tensor], step: str
) -> None:
    # Measured 0.60 to 0.65 %. Without the shift taken back it is 1.5 %; with scales that keep their 1, 3.6 %; with
    # rows astray, 35 %.
    assert relative_error(_answer(model, answers, step), answers[f"output_{step}"]) < 0.0075


@pytest.mark.parametrize("step", STEPS)
def test_the_model_is_nearer_to_the_unquantised_one_than_nunchakus_kernels_are(
    model: QwenImageTransformer2DModel, answers: dict[str, Tensor], step: str
) -> None:
    dense = answers[f"dense_{step}"]
    ours, theirs = (relative_error(each, dense) for each in (_answer(model, answers, step), answers[f"output_{step}"]))
    assert ours < theirs


def _answer(model: QwenImageTransformer2DModel, given: dict[str, Tensor], step: str) -> Tensor:
    found: Tensor = model(
        hidden_states=given["hidden_states"],
        encoder_hidden_states=given["encoder_hidden_states"],
        timestep=torch.tensor([STEPS[step]], dtype=torch.bfloat16),
        img_shapes=[[(1, 4, 6), (1, 4, 6)]],
        return_dict=False,
    )[0]
    return found


def test_the_thirds_of_a_fused_projection_are_its_rows(file: NunchakuFile) -> None:
    names = [f"transformer_blocks.0.attn.to_{third}.weight" for third in "qkv"]
    thirds = dict(file.read(names))
    assert list(thirds) == names
    whole = torch.cat([file.parameters[name].decoded(thirds[name]) for name in names])
    assert torch.equal(whole, _weight(_fused("attn.to_qkv")))


def test_the_shift_before_smoothing_is_taken_out_of_the_bias() -> None:
    # Smoothing other than 1, which the file does not have: shifted activations must give the unshifted answer.
    tensors = _tensors("transformer_blocks.0.img_mlp.net.2")
    tensors["smooth_factor"] = (torch.rand(512, generator=torch.Generator().manual_seed(2)) + 0.5).bfloat16()
    kept, freed = _nunchaku.linear(tensors), _nunchaku.linear(tensors, after_gelu=True)
    given = torch.randn(16, 512, generator=torch.Generator().manual_seed(3))
    weight = dequantized(*_codes(kept)) * kept.parts["unsmooth"]
    shifted = linear(given + 0.171875, weight) + kept.bias.float()
    assert relative_error(linear(given, weight) + freed.bias.float(), shifted) < 0.003


@pytest.mark.parametrize("channels", [128, 192, 448])
def test_a_modulation_of_any_width_is_what_was_packed(channels: int) -> None:
    # 448: its 2,688 rows are no whole number of the chunks that are decoded at once.
    generator = torch.Generator().manual_seed(channels)
    weight = (torch.randn(6 * channels, channels, generator=generator) / 50).bfloat16()
    bias = torch.randn(6 * channels, generator=generator).bfloat16()

    found, found_bias = _nunchaku.modulation(awq_modulation(weight, bias))

    # Four bits in groups of 64 are 0.09 from Gaussian weights; rows astray are past 1.
    assert relative_error(found, weight) < 0.1
    assert relative_error(found_bias, bias) < 0.005


def test_parameters_are_those_of_the_model(file: NunchakuFile, model: QwenImageTransformer2DModel) -> None:
    assert {name: each.shape for name, each in file.parameters.items()} == {
        name: tuple(value.shape) for name, value in model.state_dict().items()
    }


def test_the_layers_of_a_block_are_stored_in_four_bits(file: NunchakuFile) -> None:
    stored = [name for name, each in file.parameters.items() if each.format == "svdq-int4-r16"]
    assert len(stored) == 2 * (2 * 4 + 2 * 2)
    assert all(name.startswith("transformer_blocks.") and name.endswith(".weight") for name in stored)


def test_parts_are_those_that_the_header_promises(file: NunchakuFile) -> None:
    for name, parts in file.read(file.parameters):
        parameter = file.parameters[name]
        promised = format_named(parameter.format).parts(parameter.matrix)
        assert {part: (tuple(value.shape), value.dtype) for part, value in parts.items()} == promised


@pytest.mark.parametrize("marked", [True, False])
def test_edit_2511_is_told_by_the_config(tmp_path: Path, marked: bool) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.zeros(1)}, path, _facts(zero_cond_t=marked))
    assert open_nunchaku(open_checkpoint(path)).zero_cond_t is marked


@pytest.mark.parametrize("rank", [0, 8, 40])
def test_a_rank_that_no_packer_gives_is_named(tmp_path: Path, rank: int) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.zeros(1)}, path, _facts(rank))
    with pytest.raises(BadCheckpoint, match=rf"a\.safetensors has rank {rank}; nunchaku's ranks are multiples of 16"):
        open_nunchaku(open_checkpoint(path))


def test_a_layer_of_another_rank_than_the_metadata_say_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file(load_file(FILE), path, _facts(rank=32))
    with pytest.raises(BadCheckpoint, match=r"proj_\w+ is \(\d+, 16\), of rank 16, and the metadata say 32"):
        open_nunchaku(open_checkpoint(path))


def test_a_rank_between_two_formats_is_filled_up_and_decodes_to_the_same_bits() -> None:
    tensors = _tensors("transformer_blocks.0.img_mlp.net.0.proj")
    generator = torch.Generator().manual_seed(4)
    factors = {name: (torch.randn(len(tensors[name]), 48, generator=generator) / 50).bfloat16() for name in FACTORS}
    layer = _nunchaku.linear(tensors | factors)
    assert layer.rank == 64
    alone = {name: layer.parts[name] for name in ("codes", "scale", "unsmooth")}
    alone |= {"down": layer.parts["down"][:48].contiguous(), "up": layer.parts["up"][:, :48].contiguous()}
    assert torch.equal(_weight(layer), decoded(SvdqInt4(48), alone, (512, 128)))


def test_fp4_is_refused_by_name_with_what_to_fetch(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.zeros(1)}, path, _facts(dtype="fp4_e2m1_all", group=16))
    with pytest.raises(BadCheckpoint, match=r"holds fp4_e2m1_all \(NVFP4\).*Blackwell.*fetch the int4 file"):
        open_nunchaku(open_checkpoint(path))


def test_another_group_size_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.zeros(1)}, path, _facts(group=32))
    with pytest.raises(BadCheckpoint, match=r"svdquant's int4 in groups of 32; only svdquant's int4 in groups of 64"):
        open_nunchaku(open_checkpoint(path))


def _facts(rank: int = 32, *, zero_cond_t: bool = False, dtype: str = "int4", group: int = 64) -> dict[str, str]:
    quantised = {"method": "svdquant", "weight": {"dtype": dtype, "group_size": group}, "rank": rank}
    config = {"_class_name": "NunchakuQwenImageTransformer2DModel", "zero_cond_t": zero_cond_t}
    return {"quantization_config": json.dumps(quantised), "config": json.dumps(config)}


def test_a_file_without_nunchakus_metadata_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plain.safetensors"
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(BadCheckpoint, match=r"plain\.safetensors is no file of nunchaku's"):
        open_nunchaku(open_checkpoint(path))


@pytest.mark.parametrize("missing", ["qweight", "wscales", "bias", "smooth_factor", "proj_down", "proj_up"])
def test_a_missing_tensor_of_a_layer_is_named(missing: str) -> None:
    tensors = _tensors("transformer_blocks.0.attn.to_qkv")
    del tensors[missing]
    with pytest.raises(BadCheckpoint, match=rf"a layer lacks {missing}"):
        _nunchaku.linear(tensors)


@pytest.mark.parametrize("wrong", ["wscales", "bias", "smooth_factor", "proj_down", "proj_up"])
def test_a_tensor_of_another_layer_is_refused(wrong: str) -> None:
    tensors = _tensors("transformer_blocks.0.attn.to_qkv")
    tensors[wrong] = tensors[wrong][:-1]
    with pytest.raises(BadCheckpoint, match=r"does not hold|fits its layer"):
        _nunchaku.linear(tensors)
