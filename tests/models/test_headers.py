"""Headers read without torch, held to what the formats' own libraries read."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from gguf import GGML_QUANT_SIZES, GGUFReader, GGUFWriter
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from tests.fakes import stored_files
from undercard.errors import BadCheckpoint
from undercard.models.gguf_header import GGML_TYPES
from undercard.models.headers import Described, is_gguf, plain_name, safetensors_header
from undercard.models.layouts import read_header


@pytest.fixture(scope="module")
def gguf_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stored_files.build(tmp_path_factory.mktemp("gguf"), "q4_k_m")


@pytest.fixture(scope="module")
def safetensors_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stored_files.build(tmp_path_factory.mktemp("fp8"), "comfyui in metadata")


def test_a_safetensors_header_is_what_its_own_library_reads(safetensors_file: Path) -> None:
    header = read_header(safetensors_file)

    with safe_open(safetensors_file, framework="np") as file:
        expected = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
        types = {name: file.get_slice(name).get_dtype() for name in expected}
        metadata = file.metadata()
    assert {name: stored.shape for name, stored in header.tensors.items()} == expected
    assert {name: stored.dtype for name, stored in header.tensors.items()} == types
    assert header.metadata == metadata


def test_a_gguf_header_is_what_its_own_library_reads(gguf_file: Path) -> None:
    header = read_header(gguf_file)

    expected = {
        tensor.name: (
            tensor.tensor_type.name,
            tuple(int(size) for size in reversed(tensor.shape.tolist())),
            int(tensor.data_offset),
            int(tensor.n_bytes),
        )
        for tensor in GGUFReader(gguf_file).tensors
    }
    found = {name: (each.dtype, each.shape, each.offset, each.size_bytes) for name, each in header.tensors.items()}
    assert found == expected
    assert {kind for kind, *_ in found.values()} >= {"Q4_K", "Q5_K", "Q6_K", "BF16", "F32"}


def test_every_value_of_metadata_reads_as_it_was_written(tmp_path: Path) -> None:
    writer = GGUFWriter(tmp_path / "a.gguf", arch="qwen_image")
    writer.add_string("a.text", "größe")
    writer.add_uint8("a.byte", 200)
    writer.add_int64("a.long", -(2**40))
    writer.add_float32("a.float", 0.5)
    writer.add_bool("a.truth", True)
    writer.add_array("a.list", [1, 2, 3])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    metadata = dict(read_header(tmp_path / "a.gguf").metadata)

    assert metadata.pop("general.architecture") == "qwen_image"
    assert metadata == {
        "a.text": "größe",
        "a.byte": 200,
        "a.long": -(2**40),
        "a.float": 0.5,
        "a.truth": True,
        "a.list": [1, 2, 3],
    }


def test_blocks_are_as_large_as_ggml_has_them() -> None:
    known = {kind.name: sizes for kind, sizes in GGML_QUANT_SIZES.items()}

    assert {name: (weights, size) for name, weights, size in GGML_TYPES.values()} == {
        name: known[name] for name, *_ in GGML_TYPES.values()
    }
    numbers = {int(kind): kind.name for kind in GGML_QUANT_SIZES}
    assert {number: name for number, (name, *_) in GGML_TYPES.items()} == {
        number: numbers[number] for number in GGML_TYPES
    }


@pytest.mark.parametrize("kind", ["gguf_file", "safetensors_file"])
@given(share=st.floats(0, 0.999))
def test_a_file_cut_anywhere_is_refused_by_name(
    kind: str, share: float, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = request.getfixturevalue(kind).read_bytes()
    path = tmp_path_factory.mktemp("cut") / "cut.bin"
    path.write_bytes(content[: int(len(content) * share)])

    with pytest.raises(BadCheckpoint, match=r"cut\.bin"):
        read_header(path)


@pytest.mark.parametrize("kind", ["gguf_file", "safetensors_file"])
@settings(max_examples=60)
@given(places=st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 255)), min_size=1, max_size=20))
def test_a_damaged_header_is_read_or_refused_and_nothing_else(
    kind: str,
    places: list[tuple[int, int]],
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    content = bytearray(request.getfixturevalue(kind).read_bytes())
    for place, value in places:
        content[place] = value
    path = tmp_path_factory.mktemp("damaged") / "damaged.bin"
    path.write_bytes(content)

    try:
        header = read_header(path)
    except BadCheckpoint:
        return
    assert all(stored.offset + stored.size_bytes <= len(content) for stored in header.tensors.values())


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadCheckpoint, match=r"no-such\.gguf cannot be read: No such file"):
        read_header(tmp_path / "no-such.gguf")


def test_neither_torch_nor_gguf_is_needed(gguf_file: Path, safetensors_file: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from undercard.models.layouts import recognise, read_header;"
        f"print(*[recognise(read_header(Path(path))).layout for path in {[str(gguf_file), str(safetensors_file)]!r}]);"
        "print(sorted({'torch', 'gguf', 'safetensors'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)

    assert done.stdout.splitlines() == ["gguf fp8-comfyui", "[]"], done.stderr


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model.", "diffusion_model.", "transformer."])
def test_a_name_goes_without_what_a_tool_put_before_it(prefix: str) -> None:
    assert plain_name(f"{prefix}transformer_blocks.0.attn.to_q.weight") == "transformer_blocks.0.attn.to_q.weight"


def test_gguf_is_told_by_how_a_file_begins_and_not_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"GGUF and more")
    (tmp_path / "b.gguf").write_bytes(b"GGU")

    assert is_gguf(tmp_path / "a.safetensors")
    assert not is_gguf(tmp_path / "b.gguf")
    assert not is_gguf(tmp_path)


def written(path: Path, header: object, body: bytes, length: int | None = None) -> Path:
    """Write a safetensors file by hand: the length of the header, the header, the bytes."""
    said = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(said) if length is None else length) + said + body)
    return path


HALVES = {"dtype": "F16", "shape": [1, 3], "data_offsets": [2, 8]}


def test_a_tensor_is_where_the_header_ends_and_its_offset_begins(tmp_path: Path) -> None:
    # Four bits a number, which no whole byte holds: the offsets alone say how much that is.
    small = {"dtype": "F4", "shape": [2, 2], "data_offsets": [0, 2]}
    path = written(tmp_path / "a.safetensors", {"__metadata__": {"by": "hand"}, "a": HALVES, "b": small}, b"_.abcdef")

    header = safetensors_header(path)

    start = path.stat().st_size - 8
    assert header.tensors == {"a": Described("F16", (1, 3), start + 2, 6), "b": Described("F4", (2, 2), start, 2)}
    assert header.metadata == {"by": "hand"}
    assert (header.read("a"), header.read("a", limit=4), header.read("b", limit=9)) == (b"abcdef", b"abcd", b"_.")


def test_metadata_that_is_null_is_none(tmp_path: Path) -> None:
    path = written(tmp_path / "a.safetensors", {"__metadata__": None, "a": HALVES}, b"_.abcdef")

    assert safetensors_header(path).metadata == {}


@pytest.mark.parametrize(
    ("header", "length", "words"),
    [
        ({}, 3, "has a header that cannot be read: .*; fetch the file again"),
        ([], None, "has a header that cannot be read: .*; fetch the file again"),
        ({}, 10**9, "is no safetensors file: it does not begin with the length of a header"),
        ({"__metadata__": 5}, None, "has a header that cannot be read: .*; fetch the file again"),
        ({"a": {**HALVES, "data_offsets": [0, 8]}}, None, r"bytes 0 to 8 are not \(1, 3\) of F16"),
        ({"a": {**HALVES, "data_offsets": [-6, 0]}}, None, "bytes -6 to 0 are not"),
        ({"a": {**HALVES, "data_offsets": [5, 11]}}, None, r"is cut short: \d+ bytes of \d+; fetch the file again"),
    ],
)
def test_a_header_that_its_file_does_not_bear_out_is_refused(
    tmp_path: Path, header: object, length: int | None, words: str
) -> None:
    path = written(tmp_path / "a.safetensors", header, b"_.abcdef", length)

    with pytest.raises(BadCheckpoint, match=words):
        safetensors_header(path)


def test_a_file_that_became_shorter_than_its_header_said_is_told(tmp_path: Path) -> None:
    path = written(tmp_path / "a.safetensors", {"a": HALVES}, b"_.abcdef")
    header = safetensors_header(path)
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(BadCheckpoint, match=r"a\.safetensors became shorter while it was read; fetch the file again"):
        header.read("a")
