from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from benchmarks import comfyui_models, engine_weights
from undercard.engine.files.checkpoint import open_checkpoint


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("comfyui") / "checkpoint"
    # Several files of each part.
    engine_weights.write_checkpoint(folder, text_encoder=True, tiny=True, shard_bytes=400_000)
    return folder


@pytest.fixture(scope="module")
def models(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    comfyui_models.write_models(checkpoint, folder, bf16=True)
    return folder


@pytest.mark.parametrize(
    ("part", "file"),
    [
        ("transformer", f"diffusion_models/{comfyui_models.BF16}"),
        ("text_encoder", f"text_encoders/{comfyui_models.TEXT_ENCODER}"),
    ],
)
def test_files_that_are_joined_hold_every_tensor_of(part: str, file: str, checkpoint: Path, models: Path) -> None:
    source = open_checkpoint(checkpoint / part)
    assert len({entry.path for entry in source.entries.values()}) > 1

    joined = load_file(models / file)

    assert joined.keys() == source.entries.keys()
    assert all(torch.equal(joined[name], source.read(name)) for name in joined)


def test_the_transformer_in_gguf_is_there_under_a_name_that_says_what_it_is(models: Path) -> None:
    file = models / "diffusion_models" / comfyui_models.GGUF

    assert file.read_bytes()[:4] == b"GGUF"


def test_the_autoencoder_has_each_of_its_tensors_under_a_name_of_its_own(checkpoint: Path, models: Path) -> None:
    source = open_checkpoint(checkpoint / "vae")

    written = load_file(models / "vae" / comfyui_models.VAE)

    assert len(written) == len(source.entries)
    for name in source.entries:
        assert torch.equal(written[comfyui_models.wans_name(name)], source.read(name))


@pytest.mark.parametrize(
    ("name", "wans"),
    [
        # As they stand in qwen_image_vae.safetensors.
        ("encoder.conv_in.weight", "encoder.conv1.weight"),
        ("encoder.down_blocks.3.conv_shortcut.bias", "encoder.downsamples.3.shortcut.bias"),
        ("encoder.down_blocks.8.resample.1.weight", "encoder.downsamples.8.resample.1.weight"),
        ("encoder.down_blocks.8.time_conv.weight", "encoder.downsamples.8.time_conv.weight"),
        ("encoder.down_blocks.10.norm2.gamma", "encoder.downsamples.10.residual.3.gamma"),
        ("encoder.mid_block.attentions.0.to_qkv.weight", "encoder.middle.1.to_qkv.weight"),
        ("encoder.norm_out.gamma", "encoder.head.0.gamma"),
        ("quant_conv.weight", "conv1.weight"),
        ("post_quant_conv.bias", "conv2.bias"),
        ("decoder.mid_block.resnets.1.conv1.weight", "decoder.middle.2.residual.2.weight"),
        ("decoder.up_blocks.0.upsamplers.0.time_conv.weight", "decoder.upsamples.3.time_conv.weight"),
        ("decoder.up_blocks.1.resnets.0.conv_shortcut.weight", "decoder.upsamples.4.shortcut.weight"),
        ("decoder.up_blocks.3.resnets.2.conv2.bias", "decoder.upsamples.14.residual.6.bias"),
        ("decoder.conv_out.weight", "decoder.head.2.weight"),
    ],
)
def test_a_tensor_of_the_autoencoder_is_renamed(name: str, wans: str) -> None:
    assert comfyui_models.wans_name(name) == wans


def test_a_name_that_is_no_tensors_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'decoder\.lora\.weight' is no tensor"):
        comfyui_models.wans_name("decoder.lora.weight")
