"""Tensors that are kept between runs: all of them as they were, or none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from undercard.engine.files import tensor_files
from undercard.errors import StoreError

FACTS = {"request": "a jab"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Write two tensors and return their file."""
    written = tmp_path / "kept" / "a.safetensors"
    tensors = {"rows": torch.arange(6.0).view(2, 3), "one": torch.tensor(7, dtype=torch.int64)}
    tensor_files.write(written, tensors, FACTS)
    return written


def test_tensors_of_every_type_and_order_come_back_as_they_were(tmp_path: Path) -> None:
    tensors = {
        "half": torch.tensor([1.5, float("nan"), -0.0]).bfloat16(),
        "turned": torch.arange(6, dtype=torch.int32).view(2, 3).T,
        "with a gradient": torch.ones(2, requires_grad=True),
        "empty": torch.zeros(0, 4),
    }
    tensor_files.write(tmp_path / "a.safetensors", tensors, FACTS)

    found = tensor_files.read(tmp_path / "a.safetensors", FACTS)

    assert found is not None
    assert found.keys() == tensors.keys()
    torch.testing.assert_close(
        found, {name: value.detach() for name, value in tensors.items()}, rtol=0, atol=0, equal_nan=True
    )


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def alter_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def alter_a_name(path: Path) -> None:
    content = path.read_bytes()
    # As long as before, so that the header still fits.
    path.write_bytes(content.replace(b'"rows"', b'"rowz"'))


def forget_the_digest(path: Path) -> None:
    save_file({name: value.clone() for name, value in load_file(path).items()}, path, FACTS)


@pytest.mark.parametrize("damage", [Path.unlink, cut, alter_a_byte, alter_a_name, forget_the_digest])
def test_what_is_absent_or_damaged_is_made_again(path: Path, damage: Callable[[Path], None]) -> None:
    assert tensor_files.read(path, FACTS) is not None

    damage(path)

    assert tensor_files.read(path, FACTS) is None


@pytest.mark.parametrize("facts", [{"request": "a cross"}, {}, {**FACTS, "steps": "4"}])
def test_what_is_said_of_other_tensors_is_made_again(path: Path, facts: dict[str, str]) -> None:
    assert tensor_files.read(path, facts) is None


def test_a_place_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "kept").touch()

    with pytest.raises(StoreError, match=r"cannot write .*a\.safetensors"):
        tensor_files.write(tmp_path / "kept" / "a.safetensors", {}, FACTS)


def test_what_was_read_stays_as_it_is_whatever_becomes_of_the_file(path: Path) -> None:
    found = tensor_files.read(path, FACTS)
    assert found is not None

    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))

    assert found["rows"].tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
