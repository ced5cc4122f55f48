from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKLQwenImage, QwenImageTransformer2DModel
from safetensors.torch import load_file
from transformers import AutoTokenizer, Qwen2_5_VLForConditionalGeneration

from benchmarks import engine_models
from benchmarks.engine_weights import write_checkpoint


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("weights")
    write_checkpoint(folder, text_encoder=True, tiny=True)
    return folder


@pytest.mark.parametrize(
    ("model", "folder"), [(QwenImageTransformer2DModel, "transformer"), (AutoencoderKLQwenImage, "vae")]
)
def test_diffusers_finds_every_weight_of(model: type, folder: str, checkpoint: Path) -> None:
    _, found = model.from_pretrained(checkpoint, subfolder=folder, output_loading_info=True)  # type: ignore[attr-defined]

    assert (found["missing_keys"], found["unexpected_keys"], found["mismatched_keys"]) == ([], [], [])


def test_transformers_finds_every_weight_of_the_text_encoder(checkpoint: Path) -> None:
    _, found = Qwen2_5_VLForConditionalGeneration.from_pretrained(checkpoint / "text_encoder", output_loading_info=True)

    assert not found["missing_keys"]
    assert not found["unexpected_keys"]


def test_the_tokenizer_has_the_special_tokens_that_the_text_encoder_expects(checkpoint: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(checkpoint / "tokenizer")
    encoder = Qwen2_5_VLForConditionalGeneration.config_class.from_pretrained(checkpoint / "text_encoder")

    assert tokenizer("<|image_pad|>jab")["input_ids"][0] == encoder.image_token_id
    assert len(tokenizer("<|image_pad|>jab")["input_ids"]) == 4


def test_the_special_tokens_of_a_whole_model_have_their_published_numbers(tmp_path: Path) -> None:
    known = engine_models.write_tokenizer(tmp_path, tiny=False)

    assert (known["<|endoftext|>"], known["<|image_pad|>"], known["<|video_pad|>"]) == (151_643, 151_655, 151_656)


def test_weights_are_spread_as_a_models_are(checkpoint: Path) -> None:
    weights = load_file(checkpoint / "transformer" / "diffusion_pytorch_model.safetensors")

    matrix, gain = weights["transformer_blocks.0.img_mlp.net.0.proj.weight"], weights["txt_norm.weight"]
    assert matrix.dtype == torch.bfloat16
    assert matrix.float().std().item() == pytest.approx(0.02, rel=0.05)
    assert gain.float().mean().item() == pytest.approx(1.0, abs=0.02)


def test_shards_hold_the_same_weights_as_one_file(checkpoint: Path, tmp_path: Path) -> None:
    write_checkpoint(tmp_path, tiny=True, shard_bytes=200_000)

    whole = load_file(checkpoint / "transformer" / "diffusion_pytorch_model.safetensors")
    shards = sorted((tmp_path / "transformer").glob("*-of-*.safetensors"))
    parts = {name: weight for shard in shards for name, weight in load_file(shard).items()}
    assert len(shards) > 2
    assert parts.keys() == whole.keys()
    assert all(torch.equal(parts[name], whole[name]) for name in whole)
    QwenImageTransformer2DModel.from_pretrained(tmp_path, subfolder="transformer")


def test_a_whole_checkpoint_is_left_as_it_is(checkpoint: Path) -> None:
    file = checkpoint / "vae" / "diffusion_pytorch_model.safetensors"
    before = file.stat().st_mtime_ns

    write_checkpoint(checkpoint, text_encoder=True, tiny=True)

    assert file.stat().st_mtime_ns == before
