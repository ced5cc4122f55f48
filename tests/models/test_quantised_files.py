"""What a plan knows of a quantised file before anything is loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGUFWriter
from safetensors.torch import load_file, save_file

from tests.fakes import stored_files
from undercard.engine import formats
from undercard.engine.files.open_stored import open_stored
from undercard.engine.formats import format_named
from undercard.engine.formats.gguf import Ggml
from undercard.engine.transformer import stored_blocks, transformer
from undercard.errors import BadCheckpoint
from undercard.models.architecture import QWEN_IMAGE_EDIT
from undercard.models.quantised_files import GGUF_TYPES, Kind, contents, low_rank_bytes, mismatch

KINDS = {"q4_k_m": Kind.GGUF, "lightx2v": Kind.FP8, "plain cast": Kind.FP8, "svdq": Kind.NUNCHAKU}


@pytest.fixture(scope="module", params=KINDS)
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, Path]:
    """The kind, the file, and the folder of its config."""
    folder = tmp_path_factory.mktemp("quantised")
    return request.param, stored_files.build(folder, request.param), folder


def test_a_file_is_told_by_its_header_with_the_sizes_of_its_model(file: tuple[str, Path, Path]) -> None:
    kind, path, folder = file
    config = json.loads((folder / "config.json").read_text())

    found = contents(path)

    assert found.kind == KINDS[kind]
    assert mismatch(found, config) is None
    assert found.model.width == (128 if kind == "svdq" else stored_files.DIM)


def test_bytes_a_weight_foresee_what_the_engine_keeps_of_the_blocks(file: tuple[str, Path, Path]) -> None:
    _, path, folder = file
    blocks = stored_blocks.block_reader(transformer.skeleton(folder), open_stored(path))
    kept = sum(blocks.codec(number).capacity(blocks.layout) for number in range(blocks.count))
    model = contents(path).model

    foreseen = contents(path).bytes_a_weight * model.blocks * model.block_weights

    # The thirds of a fused projection each get a copy of what they share: 5 % of so small a block, 0.6 % of a true one.
    assert foreseen == pytest.approx(kept, rel=0.06)


def test_telling_needs_no_torch(file: tuple[str, Path, Path]) -> None:
    code = "import sys; from pathlib import Path; from undercard.models.quantised_files import contents;"
    code += f"contents(Path({str(file[1])!r})); sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_the_types_of_ggml_that_pass_are_those_that_the_engine_decodes() -> None:
    found = (format_named(name) for name in formats.names())

    assert {each.type_name for each in found if isinstance(each, Ggml)} == set(GGUF_TYPES)


def test_another_models_sizes_are_told_beside_those_that_are_wanted(file: tuple[str, Path, Path]) -> None:
    said = str(mismatch(contents(file[1]), {}))

    assert f"is another model's: it has 2 blocks of {contents(file[1]).model.width} channels" in said
    assert f"describes {QWEN_IMAGE_EDIT.blocks} blocks of {QWEN_IMAGE_EDIT.width} channels" in said


def test_a_file_of_2511_beside_a_model_of_2509_is_told(tmp_path: Path) -> None:
    path = stored_files.build(tmp_path, "q4_k_m")
    config = json.loads((tmp_path / "config.json").read_text()) | {"zero_cond_t": False}

    assert "is of Edit-2511, and the folder of UNDERCARD_MODEL of an earlier one" in str(
        mismatch(contents(path), config)
    )


def test_a_file_of_2509_beside_a_model_of_2511_is_told_where_its_config_says_so(tmp_path: Path) -> None:
    path = stored_files.build(tmp_path, "svdq")
    config = json.loads((tmp_path / "config.json").read_text()) | {"zero_cond_t": True}

    assert "is of an earlier Edit, and the folder of UNDERCARD_MODEL of Edit-2511" in str(
        mismatch(contents(path), config)
    )


def test_a_file_that_does_not_say_its_release_passes_beside_either(tmp_path: Path) -> None:
    path = stored_files.build(tmp_path, "lightx2v")
    config = json.loads((tmp_path / "config.json").read_text())

    assert contents(path).zero_cond_t is None
    assert mismatch(contents(path), config | {"zero_cond_t": not config["zero_cond_t"]}) is None


def test_another_model_in_the_same_layout_is_named_by_what_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "flux.safetensors"
    save_file({"transformer_blocks.0.attn.to_q.weight": torch.ones(8, 8).to(torch.float8_e4m3fn)}, path)

    with pytest.raises(BadCheckpoint, match=r"flux\.safetensors is another model's: it has no 'img_in\.weight'"):
        contents(path)


def test_a_file_without_blocks_is_another_models(tmp_path: Path) -> None:
    path = tmp_path / "vae.gguf"
    writer = GGUFWriter(path, arch="qwen_image")
    writer.add_tensor("decoder.weight", np.ones((4, 64), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    with pytest.raises(BadCheckpoint, match=r"it has no 'transformer_blocks\.0'"):
        contents(path)


def test_a_file_that_was_replaced_is_read_again(tmp_path: Path) -> None:
    path = stored_files.build(tmp_path, "lightx2v")
    before = contents(path)
    tensors = {name: value for name, value in load_file(path).items() if "transformer_blocks.1." not in name}
    save_file(tensors, path)

    assert (before.model.blocks, contents(path).model.blocks) == (2, 1)


def test_a_file_that_cannot_be_read_is_an_error_with_the_systems_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = stored_files.build(tmp_path, "lightx2v")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)

    with pytest.raises(BadCheckpoint, match=r"a\.safetensors cannot be read: Permission denied; make it readable"):
        contents(path)


def test_a_lora_is_counted_without_what_is_fused_outside_the_blocks(tmp_path: Path) -> None:
    path = tmp_path / "lora.safetensors"
    tensors = {
        "transformer_blocks.0.attn.to_q.lora_down.weight": torch.ones(4, 64),
        "transformer_blocks.0.attn.to_q.lora_up.weight": torch.ones(64, 4),
        "transformer_blocks.0.attn.to_q.alpha": torch.ones(()),
        "transformer_blocks.0.img_mod.1.lora_down.weight": torch.ones(4, 64),
        "img_in.lora_down.weight": torch.ones(4, 64),
    }
    save_file(tensors, path)

    assert low_rank_bytes(path) == 2 * 2 * 4 * 64
    assert low_rank_bytes(tmp_path / "none") == 0
