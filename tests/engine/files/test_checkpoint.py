from __future__ import annotations

import struct
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from undercard.engine.files.checkpoint import open_checkpoint
from undercard.errors import BadCheckpoint


def _written(path: Path, scale: float = 1.0) -> Path:
    tensors = {"a.weight": torch.arange(12, dtype=torch.bfloat16).view(3, 4) * scale, "b": torch.ones(5)}
    save_file(tensors, path, metadata={"format": "pt"})
    return path


def test_every_tensor_of_every_shard_reads_as_safetensors_itself_reads_it(checkpoint_2511: Path) -> None:
    folder = checkpoint_2511 / "transformer"

    checkpoint = open_checkpoint(folder)

    expected = {name: value for shard in folder.glob("*.safetensors") for name, value in load_file(shard).items()}
    assert len(list(folder.glob("*.safetensors"))) > 1
    assert checkpoint.entries.keys() == expected.keys()
    assert all(torch.equal(checkpoint.read(name), value) for name, value in expected.items())


def test_the_digest_tells_other_weights_of_the_same_shapes(tmp_path: Path) -> None:
    one, same, other = (
        _written(tmp_path / "1.safetensors"),
        _written(tmp_path / "2.safetensors"),
        tmp_path / "3.safetensors",
    )
    _written(other, scale=2)

    assert open_checkpoint(one).digest() == open_checkpoint(same).digest()
    assert open_checkpoint(one).digest() != open_checkpoint(other).digest()


def test_a_file_that_was_cut_short_is_named_with_what_is_missing(tmp_path: Path) -> None:
    whole = _written(tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[:-1])

    with pytest.raises(
        BadCheckpoint, match=rf"model\.safetensors is cut short: {len(whole) - 1} bytes of {len(whole)}"
    ):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize("content", [b"", b"GGUF", b"PK\x03\x04" + bytes(100), struct.pack("<Q", 10) + b"not JSON{}"])
def test_what_is_no_safetensors_file_is_refused_before_anything_is_read(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)

    with pytest.raises(BadCheckpoint, match=r"model\.safetensors"):
        open_checkpoint(path)


def test_an_empty_folder_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(BadCheckpoint, match="give a file, or the folder of its shards"):
        open_checkpoint(tmp_path)


def test_two_shards_that_hold_the_same_tensor_are_an_error(tmp_path: Path) -> None:
    _written(tmp_path / "1.safetensors")
    _written(tmp_path / "2.safetensors")

    with pytest.raises(BadCheckpoint, match=r"holds 'a.weight' twice"):
        open_checkpoint(tmp_path)


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadCheckpoint, match=r"lacks the tensor .c."):
        open_checkpoint(_written(tmp_path / "model.safetensors")).read("c")
