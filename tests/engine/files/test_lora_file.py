from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import QwenImageTransformer2DModel
from safetensors.torch import save_file
from torch import Tensor

from tests.fakes import lora_files
from tests.fakes.lora_files import NAMINGS, Naming
from undercard.engine.files.checkpoint import open_checkpoint
from undercard.engine.files.lora_file import Pair, pairs_of
from undercard.engine.transformer import transformer
from undercard.engine.weights.lora import open_lora
from undercard.errors import BadCheckpoint

Write = Callable[..., Path]


@pytest.fixture
def folder(checkpoint_2511: Path) -> Path:
    return checkpoint_2511 / "transformer"


@pytest.fixture
def model(folder: Path) -> QwenImageTransformer2DModel:
    return transformer.skeleton(folder)


@pytest.fixture
def write(model: QwenImageTransformer2DModel, tmp_path: Path) -> Write:
    return lora_files.writer(model, tmp_path / "lora.safetensors")


def _refusal(path: Path, model: QwenImageTransformer2DModel) -> str:
    with pytest.raises(BadCheckpoint) as caught:
        open_lora(path, model)
    return str(caught.value)


@pytest.mark.parametrize("prefix", ["", "diffusion_model."])
def test_down_and_up_without_alpha_are_refused_rather_than_guessed(
    write: Write, model: QwenImageTransformer2DModel, prefix: str
) -> None:
    layer = "transformer_blocks.0.attn.to_q"

    refusal = _refusal(write(Naming(prefix=prefix, alpha=None), layers=[layer]), model)

    assert f"lacks '{prefix}{layer}.alpha'" in refusal
    assert "fetch the published file" in refusal


@pytest.mark.parametrize("alpha", [0.0, -8.0, float("nan"), float("inf")])
def test_an_alpha_that_is_no_positive_number_is_refused(
    write: Write, model: QwenImageTransformer2DModel, alpha: float
) -> None:
    assert "should be one positive number" in _refusal(write(Naming(alpha=alpha)), model)


def test_a_lora_with_more_blocks_than_the_model_is_counted_and_named(
    write: Write, model: QwenImageTransformer2DModel
) -> None:
    path = write()
    model.transformer_blocks = model.transformer_blocks[:1]

    refusal = _refusal(path, model)

    assert "14 of its 34 layers are not in this one: transformer_blocks.1.attn.add_k_proj" in refusal
    assert "and 11 more" in refusal


def test_a_lora_for_another_width_is_refused_with_both_shapes(write: Write, folder: Path, tmp_path: Path) -> None:
    wide = transformer.skeleton(folder)
    layer = "transformer_blocks.0.attn.to_q"
    path = write(layers=[layer])
    wide.transformer_blocks[0].attn.to_q = torch.nn.Linear(128, 64, device="meta")

    assert "1 of its 1 layers have other shapes in this one" in (refusal := _refusal(path, wide))
    assert f"{layer} is (64, 128), not (64, 64)" in refusal


def _altered(model: QwenImageTransformer2DModel, path: Path, **changes: Tensor | None) -> Path:
    """Write a LoRA for one layer with tensors changed, added or, where None, left out."""
    start = "transformer_blocks.0.attn.to_q."
    tensors: dict[str, Tensor | None] = {**lora_files.tensors(model, layers=[start[:-1]])}
    tensors |= {start + name.replace("__", "."): value for name, value in changes.items()}
    return lora_files.write(path, {name: value for name, value in tensors.items() if value is not None})


def test_factors_of_different_rank_are_refused_with_both_shapes(
    model: QwenImageTransformer2DModel, tmp_path: Path
) -> None:
    path = _altered(model, tmp_path / "lora.safetensors", lora_up__weight=torch.zeros(64, 8))

    refusal = _refusal(path, model)

    assert "of different rank: lora_down.weight is (4, 64) and lora_up.weight is (64, 8)" in refusal


def test_half_a_pair_is_refused(model: QwenImageTransformer2DModel, tmp_path: Path) -> None:
    path = _altered(model, tmp_path / "lora.safetensors", lora_up__weight=None)

    assert "lacks transformer_blocks.0.attn.to_q.lora_up.weight" in _refusal(path, model)


@pytest.mark.parametrize("name", ["dora_scale", "diff_b", "lora_up__bias"])
def test_what_is_no_plain_lora_is_refused_by_name(
    model: QwenImageTransformer2DModel, tmp_path: Path, name: str
) -> None:
    path = _altered(model, tmp_path / "lora.safetensors", **{name: torch.zeros(64)})

    refusal = _refusal(path, model)

    assert f"to_q.{name.replace('__', '.')} beside its 1 pairs; only plain LoRA is fused" in refusal


def test_factors_without_their_scales_are_refused(model: QwenImageTransformer2DModel, tmp_path: Path) -> None:
    eight = torch.zeros(64, 4).to(torch.float8_e4m3fn)

    assert "is torch.float8_e4m3fn" in _refusal(
        _altered(model, tmp_path / "lora.safetensors", lora_up__weight=eight), model
    )


@pytest.mark.parametrize("config", [{"lora_alpha": "much"}, {"alpha_pattern": {"attn.(to_q": 4}}, {"alpha_pattern": 4}])
def test_a_config_that_cannot_be_read_is_refused(
    write: Write, model: QwenImageTransformer2DModel, config: dict[str, object]
) -> None:
    refusal = _refusal(write(NAMINGS["peft under diffusers' prefix"], config), model)

    assert "its metadata 'lora_adapter_metadata' cannot be read" in refusal


def test_one_layer_under_two_names_is_refused(model: QwenImageTransformer2DModel, tmp_path: Path) -> None:
    both = {
        name: value
        for prefix in ("", "diffusion_model.")
        for name, value in lora_files.tensors(model, Naming(prefix=prefix), layers=["img_in"]).items()
    }

    assert "holds 'img_in' twice" in _refusal(lora_files.write(tmp_path / "lora.safetensors", both), model)


def test_the_weights_of_a_model_are_told_from_a_lora(folder: Path, model: QwenImageTransformer2DModel) -> None:
    refusal = _refusal(folder, model)

    assert "is no LoRA: it holds tensors such as 'img_in.bias'" in refusal


def test_a_file_without_tensors_is_refused(model: QwenImageTransformer2DModel, tmp_path: Path) -> None:
    path = tmp_path / "lora.safetensors"
    save_file({}, path)

    assert "is an empty file" in _refusal(path, model)


def test_a_pickle_is_not_read(model: QwenImageTransformer2DModel, tmp_path: Path) -> None:
    path = tmp_path / "lora.pt"
    torch.save(lora_files.tensors(model), path)

    assert "is no safetensors file" in _refusal(path, model)


LAYERS = torch.nn.ModuleDict({name: torch.nn.Linear(3, 5, device="meta") for name in ("to_q", "to_k")})


def _small(rank: int, down: str, up: str, alpha: float | None = None) -> dict[str, Tensor]:
    """Return the tensors of a LoRA for both of `LAYERS`, the second one first."""
    made: dict[str, Tensor] = {}
    for layer in ("to_k", "to_q"):
        made |= {f"{layer}.{down}": torch.ones(rank, 3), f"{layer}.{up}": torch.ones(5, rank)}
        if alpha is not None:
            made[f"{layer}.alpha"] = torch.tensor(alpha)
    return made


# diffusers' `get_alpha_scales` doubles the one and halves the other until they are about equal.
@pytest.mark.parametrize(
    ("alpha", "rank", "down", "up"), [(8, 64, 0.25, 0.5), (1, 64, 0.125, 0.125), (64, 64, 1.0, 1.0), (8, 4, 2.0, 1.0)]
)
def test_alpha_is_shared_out_to_the_factors_as_in_diffusers(
    tmp_path: Path, alpha: float, rank: int, down: float, up: float
) -> None:
    path = lora_files.write(tmp_path / "a.safetensors", _small(rank, "lora_down.weight", "lora_up.weight", alpha))

    pairs = pairs_of(open_checkpoint(path), LAYERS)

    assert pairs["to_q"] == Pair("to_q.lora_down.weight", "to_q.lora_up.weight", rank, down, up, 1.0)
    assert list(pairs) == ["to_q", "to_k"]


@pytest.mark.parametrize(
    ("config", "to_q", "to_k"),
    [
        (None, 1.0, 1.0),
        # peft's own alpha is 8.
        ({}, 2.0, 2.0),
        ({"lora_alpha": 6}, 1.5, 1.5),
        ({"lora_alpha": 6, "use_rslora": True}, 3.0, 3.0),
        ({"lora_alpha": 6, "alpha_pattern": {"to_.": 2, "to_k": 4}}, 0.5, 0.5),
        ({"lora_alpha": 6, "alpha_pattern": {"to_k": 4, "o_q": 2}}, 1.5, 1.0),
    ],
)
def test_the_product_is_scaled_by_pefts_config(
    tmp_path: Path, config: dict[str, object] | None, to_q: float, to_k: float
) -> None:
    path = lora_files.write(tmp_path / "a.safetensors", _small(4, "lora_A.weight", "lora_B.weight"), config)

    pairs = pairs_of(open_checkpoint(path), LAYERS)

    assert {name: pair.scale for name, pair in pairs.items()} == {"to_q": to_q, "to_k": to_k}
