"""The files that the benchmark writes are what the engine reads: the true layouts, of the checkpoint's own weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from gguf import GGUFReader
from gguf.constants import GGMLQuantizationType
from gguf.quants import dequantize

from benchmarks import decode, engine_weights, kquants, quantised_weights
from tests.engine.formats.weights import gaussian, relative_error
from undercard.engine import formats
from undercard.engine.files.checkpoint import open_checkpoint
from undercard.engine.files.open_stored import open_stored
from undercard.engine.transformer import stored_blocks, transformer
from undercard.models.file_marks import ZERO_COND_T
from undercard.models.quantised_files import Kind, contents

KINDS = {"gguf": Kind.GGUF, "fp8-lightning": Kind.FP8, "nunchaku": Kind.NUNCHAKU}
ERRORS = {"gguf": 0.08, "fp8-lightning": 0.03, "nunchaku": 0.13}
"""Of matrices; vectors are bf16 or better."""
LIFTED = 0.12
"""Of the biases of nunchaku's modulations: some hold a 1 besides, and lose as many bits of the rest."""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("weights") / "checkpoint"
    engine_weights.write_checkpoint(folder, tiny=True)
    return folder


@pytest.mark.parametrize("backend", KINDS)
def test_a_file_holds_the_weights_of_the_checkpoint(backend: str, checkpoint: Path) -> None:
    path = quantised_weights.write(checkpoint, backend)

    stored, source = open_stored(path), open_checkpoint(checkpoint / "transformer")
    assert contents(path).kind == KINDS[backend]
    assert set(stored.parameters) == set(source.entries)
    assert stored_blocks.block_reader(transformer.skeleton(checkpoint / "transformer"), stored).count == 2
    for name, parts in stored.read(stored.parameters):
        found, expected = stored.parameters[name].decoded(parts), source.read(name)
        allowed = ERRORS[backend] if expected.ndim == 2 else LIFTED if name.endswith("_mod.1.bias") else 0.02
        assert relative_error(found, expected) <= allowed, name


def test_the_mix_keeps_some_layers_in_more_bits(checkpoint: Path) -> None:
    stored = open_stored(quantised_weights.write(checkpoint, "gguf"))

    kinds = {stored.parameters[f"transformer_blocks.{number}.attn.to_v.weight"].format for number in range(2)}
    assert "gguf-q6-k" in kinds
    assert stored.parameters["transformer_blocks.0.attn.to_q.weight"].format == "gguf-q4-k"
    assert stored.parameters["img_in.weight"].format == "gguf-bf16"


def test_the_mark_of_2511_has_no_elements_as_comfyui_wants_it(checkpoint: Path) -> None:
    tensors = {tensor.name: tensor for tensor in GGUFReader(quantised_weights.write(checkpoint, "gguf")).tensors}

    assert tuple(tensors[ZERO_COND_T].shape) == (0,)


def test_a_file_that_is_there_is_left_as_it_is(checkpoint: Path) -> None:
    path = quantised_weights.write(checkpoint, "fp8-lightning")
    before = path.stat().st_mtime_ns

    assert quantised_weights.write(checkpoint, "fp8-lightning") == path
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize(("type_name", "error"), [("Q4_K", 0.08), ("Q6_K", 0.02)])
def test_gguf_py_reads_what_is_encoded_on_a_card(type_name: str, error: float) -> None:
    weight = gaussian((64, 512))
    weight[3] = 0

    blocks = kquants.encode(type_name, weight)

    found = torch.from_numpy(dequantize(blocks.numpy(), GGMLQuantizationType[type_name]))
    assert relative_error(found, weight.float()) < error
    assert not found[3].any()


def test_every_format_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "ROUNDS", 1)

    rows = decode.measure(256, rank=4)

    assert set(rows) == {*formats.names(), "a LoRA of rank 4"}
    assert all(row["ms"] > 0 for row in rows.values())
    assert rows["gguf-q4-k"]["mb"] == pytest.approx(24 * 256**2 * 144 / 256 / 1e6, abs=0.1)
