from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import QwenImageTransformer2DModel
from torch import Tensor

from undercard.engine.files.checkpoint import open_checkpoint
from undercard.engine.stages.schedule import timesteps
from undercard.engine.streaming.sources import InMemory
from undercard.engine.streaming.streamer import HostStreamer
from undercard.engine.transformer import transformer
from undercard.engine.weights import modulation
from undercard.engine.weights.blocks import Layout
from undercard.engine.weights.codecs import Codec, codec_named
from undercard.engine.weights.loading import load
from undercard.errors import BadCheckpoint

CPU = torch.device("cpu")
CODECS = ("bf16", "packed", "fp8", "int8", "nf4", "gguf-q8-0")
LOSSES = {"fp8": 0.05, "int8": 0.02, "nf4": 0.15, "gguf-q8-0": 0.01}
"""Largest relative L2 of the model's answer; two blocks of width 64, so that errors do not add up."""


def _inputs(joint: int, side: int = 4, text: int = 12) -> dict[str, object]:
    generator = torch.Generator().manual_seed(0)
    return {
        "hidden_states": torch.randn(1, 2 * side * side, 64, generator=generator).to(torch.bfloat16),
        "encoder_hidden_states": torch.randn(1, text, joint, generator=generator).to(torch.bfloat16),
        "encoder_hidden_states_mask": None,
        "img_shapes": [[(1, side, side), (1, side, side)]],
        "return_dict": False,
    }


def _streamed(folder: Path, codec: Codec) -> tuple[QwenImageTransformer2DModel, modulation.Tables]:
    checkpoint = open_checkpoint(folder)
    model = transformer.skeleton(folder)
    reader = transformer.block_reader(model, checkpoint)
    transformer.load_rest(model, checkpoint, CPU)
    count = len(reader.blocks)
    with transformer.modulation_weights(checkpoint, count, CPU) as weights:
        table = modulation.compute(
            weights, count, model.time_text_embed, timesteps(4), zero_cond_t=model.zero_cond_t, device=CPU
        )
    streamer = HostStreamer(reader.layout, InMemory(load(reader, codec, CPU)))
    return model, transformer.stream(model, table, streamer, CPU)


def _answers(model: QwenImageTransformer2DModel, tables: modulation.Tables | None = None) -> list[Tensor]:
    answers = []
    with torch.inference_mode():
        for step, timestep in enumerate(timesteps(4)):
            if tables is not None:
                tables.select(step)
            now = torch.tensor([timestep], dtype=torch.bfloat16)
            answers.append(model(timestep=now, **_inputs(model.config.joint_attention_dim))[0])
    return answers


@pytest.fixture(params=["2509", "2511"])
def folder(request: pytest.FixtureRequest) -> Path:
    checkpoint: Path = request.getfixturevalue(f"checkpoint_{request.param}")
    return checkpoint / "transformer"


@pytest.fixture
def expected(folder: Path) -> list[Tensor]:
    return _answers(QwenImageTransformer2DModel.from_pretrained(folder, dtype=torch.bfloat16).eval())


@pytest.mark.parametrize("codec", ["bf16", "packed"])
def test_a_streamed_transformer_answers_bit_for_bit_as_diffusers_own(
    folder: Path, expected: list[Tensor], codec: str
) -> None:
    model, tables = _streamed(folder, codec_named(codec))

    answers = _answers(model, tables)

    assert all(torch.equal(answer, wanted) for answer, wanted in zip(answers, expected, strict=True))


@pytest.mark.parametrize("codec", LOSSES)
def test_a_storage_format_moves_the_answer_by_no_more_than_it_says(
    folder: Path, expected: list[Tensor], codec: str
) -> None:
    model, tables = _streamed(folder, codec_named(codec))

    loss = max(
        float((answer - wanted).float().norm() / wanted.float().norm())
        for answer, wanted in zip(_answers(model, tables), expected, strict=True)
    )

    assert 0 < loss < LOSSES[codec]


def test_packed_blocks_take_three_quarters_of_the_bytes(folder: Path) -> None:
    model = transformer.skeleton(folder)
    reader = transformer.block_reader(model, open_checkpoint(folder))

    plain, packed = (
        sum(block.used_bytes for block in load(reader, codec_named(codec), CPU)) for codec in ("bf16", "packed")
    )

    assert packed < 0.78 * plain


def test_what_is_fused_into_a_block_is_there_before_it_is_encoded(folder: Path) -> None:
    reader = transformer.block_reader(transformer.skeleton(folder), open_checkpoint(folder))
    codec = codec_named("packed")

    def number_the_queries(block: int, layout: Layout, raw: Tensor) -> None:
        layout.view(raw, "attn.to_q.weight")[:] = block

    streamer = HostStreamer(reader.layout, InMemory(load(reader, codec, CPU, amend=number_the_queries)))

    with streamer.using(1) as buffer:
        assert (reader.layout.view(buffer, "attn.to_q.weight") == 1).all()


def test_a_checkpoint_with_more_blocks_than_its_config_is_refused(folder: Path) -> None:
    model = transformer.skeleton(folder)
    model.transformer_blocks = model.transformer_blocks[:1]

    with pytest.raises(BadCheckpoint, match="more than the 1 blocks"):
        transformer.block_reader(model, open_checkpoint(folder))


def test_a_checkpoint_of_another_width_is_refused_with_both_shapes(folder: Path) -> None:
    checkpoint = open_checkpoint(folder)
    name = "transformer_blocks.0.attn.to_q.weight"
    altered = replace(checkpoint, entries={**checkpoint.entries, name: replace(checkpoint[name], shape=(1, 64))})

    with pytest.raises(BadCheckpoint, match=r"to_q.weight is \(1, 64\), not \(64, 64\)"):
        transformer.block_reader(transformer.skeleton(folder), altered)


def test_a_folder_of_another_model_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"_class_name": "FluxTransformer2DModel"}')

    with pytest.raises(BadCheckpoint, match="describes 'FluxTransformer2DModel'"):
        transformer.skeleton(tmp_path)
