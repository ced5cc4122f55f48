"""A transformer from a quantised file answers as diffusers' own with the weights that the file decodes to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from diffusers import QwenImageTransformer2DModel
from torch import Tensor

from tests.fakes import stored_files
from tests.fakes.cuda_runtime import Runtime
from undercard.engine.files.open_stored import open_stored
from undercard.engine.files.stored import StoredModel
from undercard.engine.stages.schedule import timesteps
from undercard.engine.streaming.sources import InMemory, OnDisk, Source
from undercard.engine.streaming.streamer import HostStreamer
from undercard.engine.transformer import stored_blocks, transformer
from undercard.engine.weights import modulation
from undercard.engine.weights.loading import load_as_it_lies
from undercard.errors import BadCheckpoint

CPU, CARD = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(scope="module", params=stored_files.KINDS)
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The file, and the folder of its config."""
    folder = tmp_path_factory.mktemp("stored")
    return stored_files.build(folder, request.param), folder


@pytest.fixture
def q4_k_m(tmp_path: Path) -> tuple[Path, Path]:
    return stored_files.build(tmp_path, "q4_k_m"), tmp_path


def _decoded(stored: StoredModel, folder: Path) -> QwenImageTransformer2DModel:
    model = QwenImageTransformer2DModel.from_config(QwenImageTransformer2DModel.load_config(folder))
    weights = {name: stored.parameters[name].decoded(parts) for name, parts in stored.read(stored.parameters)}
    model.load_state_dict(weights)
    return model.to(torch.bfloat16).eval().requires_grad_(False)


def _streamed(
    stored: StoredModel, folder: Path, *, disk: bool
) -> tuple[transformer.StreamedTransformer, modulation.Tables]:
    model = transformer.skeleton(folder)
    blocks = stored_blocks.block_reader(model, stored)
    stored_blocks.load_rest(model, stored, CPU)
    with stored_blocks.modulation_weights(stored, blocks.count, CPU) as weights:
        table = modulation.compute(
            weights, blocks.count, model.time_text_embed, timesteps(2), zero_cond_t=model.zero_cond_t, device=CPU
        )
    source: Source = OnDisk(blocks, CPU, ring=1) if disk else InMemory(load_as_it_lies(blocks, CPU))
    return model, transformer.stream(model, table, HostStreamer(blocks.layout, source), CPU)


def _answers(model: QwenImageTransformer2DModel, tables: modulation.Tables | None = None) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    picture = torch.randn(1, 32, model.config.in_channels, generator=generator).bfloat16()
    text = torch.randn(1, 12, model.config.joint_attention_dim, generator=generator).bfloat16()
    answers = []
    with torch.inference_mode():
        for step, timestep in enumerate(timesteps(2)):
            if tables is not None:
                tables.select(step)
            answers.append(
                model(
                    hidden_states=picture,
                    encoder_hidden_states=text,
                    timestep=torch.tensor([timestep], dtype=torch.bfloat16),
                    img_shapes=[[(1, 4, 4), (1, 4, 4)]],
                    return_dict=False,
                )[0]
            )
    return answers


@pytest.mark.parametrize("disk", [False, True], ids=["memory", "disk"])
def test_a_streamed_file_answers_bit_for_bit_as_diffusers_with_its_decoded_weights(
    file: tuple[Path, Path], disk: bool
) -> None:
    path, folder = file
    stored = open_stored(path)
    model, tables = _streamed(stored, folder, disk=disk)

    answers = _answers(model, tables)

    wanted = _answers(_decoded(stored, folder))
    assert all(torch.equal(*pair) for pair in zip(answers, wanted, strict=True))
    assert answers[0].abs().max() > 0
    model.streamer.close()


def test_blocks_take_in_memory_what_they_take_in_the_file(file: tuple[Path, Path]) -> None:
    path, folder = file
    stored = open_stored(path)

    blocks = stored_blocks.block_reader(transformer.skeleton(folder), stored)

    for number, kept in enumerate(load_as_it_lies(blocks, CPU)):
        names = [name for name in stored.parameters if name.startswith(f"transformer_blocks.{number}.")]
        parts = [parts for name, parts in stored.read(names) if "_mod." not in name]
        stored_bytes = sum(value.nbytes for each in parts for value in each.values())
        # Vectors are rounded to half of GGUF's float32; every part begins at a multiple of 16.
        assert abs(kept.used_bytes - stored_bytes) < 0.02 * stored_bytes


def test_blocks_of_a_mix_differ_and_each_is_decoded_as_its_own(q4_k_m: tuple[Path, Path]) -> None:
    path, folder = q4_k_m

    blocks = stored_blocks.block_reader(transformer.skeleton(folder), open_stored(path))

    first, second = (blocks.codec(number).formats for number in range(2))
    assert (first["attn.to_v.weight"].name, second["attn.to_v.weight"].name) == ("gguf-q6-k", "gguf-q5-k")
    assert first["attn.to_q.weight"].name == second["attn.to_q.weight"].name == "gguf-q4-k"
    assert blocks.codec(0).capacity(blocks.layout) > blocks.codec(1).capacity(blocks.layout)


def test_a_file_that_became_shorter_leaves_no_registered_memory_behind(
    q4_k_m: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, folder = q4_k_m
    runtime = Runtime()
    monkeypatch.setattr(torch.cuda, "cudart", lambda: runtime)
    blocks = stored_blocks.block_reader(transformer.skeleton(folder), open_stored(path))
    with path.open("r+b") as cut:
        cut.truncate(path.stat().st_size // 2)

    with pytest.raises(BadCheckpoint, match=r"a\.gguf became shorter"):
        load_as_it_lies(blocks, CARD)

    assert runtime.most > 0
    assert not runtime.registered


def test_a_file_of_2511_is_refused_beside_the_config_of_2509(q4_k_m: tuple[Path, Path]) -> None:
    path, folder = q4_k_m
    config = folder / "config.json"
    config.write_text(config.read_text().replace('"zero_cond_t": true', '"zero_cond_t": false'))

    with pytest.raises(BadCheckpoint, match=r"a\.gguf is of Edit-2511, and the config lacks zero_cond_t"):
        stored_blocks.block_reader(transformer.skeleton(folder), open_stored(path))


def test_a_file_of_an_earlier_release_is_refused_beside_the_config_of_2511(tmp_path: Path) -> None:
    path = stored_files.build(tmp_path, "svdq")
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"zero_cond_t": True}))

    with pytest.raises(BadCheckpoint, match=r"is of an earlier Edit than 2511, and the config has zero_cond_t"):
        stored_blocks.block_reader(transformer.skeleton(tmp_path), open_stored(path))


def test_a_file_with_more_blocks_than_the_config_is_refused(q4_k_m: tuple[Path, Path]) -> None:
    path, folder = q4_k_m
    model = transformer.skeleton(folder)
    model.transformer_blocks = model.transformer_blocks[:1]

    with pytest.raises(BadCheckpoint, match="more than the 1 blocks"):
        stored_blocks.block_reader(model, open_stored(path))


def test_a_file_of_another_width_is_refused_with_both_shapes(q4_k_m: tuple[Path, Path]) -> None:
    path, folder = q4_k_m
    config = folder / "config.json"
    config.write_text(config.read_text().replace('"num_attention_heads": 4', '"num_attention_heads": 8'))
    model = transformer.skeleton(folder)

    with pytest.raises(BadCheckpoint, match=r"is \(256, 256\), not \(512, 512\)"):
        stored_blocks.block_reader(model, open_stored(path))
    with pytest.raises(BadCheckpoint, match="it is another model's"):
        stored_blocks.load_rest(model, open_stored(path), CPU)


def test_other_weights_have_another_digest(tmp_path: Path) -> None:
    digests = set()
    for kind in stored_files.KINDS:
        folder = tmp_path / kind
        folder.mkdir()
        digests.add(open_stored(stored_files.build(folder, kind)).digest())

    assert len(digests) == len(stored_files.KINDS)
