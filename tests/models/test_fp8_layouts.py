"""Which numbers of an 8-bit file are scales of which weights, from headers of a few bytes.

What the engine reads by them, and what it refuses: tests/engine/files/test_fp8_file.py.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from undercard.errors import BadCheckpoint
from undercard.models.fp8_layouts import is_beside, scales_of
from undercard.models.headers import Described, Header

ROWS, COLUMNS = 8, 4
SMALL, LARGE = 0x30, 0x78
"""0.5 and 256 in e4m3: what trained weights are, and what only scaled ones are."""
QUANT = b'{"format": "float8_e4m3fn"}'


class Written:
    """A file whose tensors are added one by one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.content = b""
        self.tensors: dict[str, Described] = {}

    def add(self, name: str, shape: tuple[int, ...], dtype: str = "F32", content: bytes = b"") -> None:
        self.tensors[name] = Described(dtype, shape, len(self.content), len(content))
        self.content += content

    def weight(self, name: str, byte: int = SMALL) -> None:
        self.add(name, (ROWS, COLUMNS), "F8_E4M3", bytes([byte]) * ROWS * COLUMNS)

    def header(self, layers: dict[str, object] | None = None) -> Header:
        self.path.write_bytes(self.content)
        metadata = {} if layers is None else {"_quantization_metadata": json.dumps({"layers": layers})}
        return Header(self.path, self.tensors, metadata)


@pytest.fixture
def file(tmp_path: Path) -> Written:
    return Written(tmp_path / "a.safetensors")


@pytest.mark.parametrize("shape", [(ROWS,), (ROWS, 1)])
def test_one_scale_a_row_needs_no_other_proof(file: Written, shape: tuple[int, ...]) -> None:
    file.weight("transformer.img_in.weight", LARGE)
    file.add("transformer.img_in.weight_scale", shape)
    file.add("transformer.img_in.bias", (ROWS,), "BF16")

    assert scales_of(file.header()) == {"img_in.weight": "transformer.img_in.weight_scale"}


def test_one_scale_a_layer_is_proved_for_each_layer_by_itself(file: Written) -> None:
    for layer in ("img_in", "txt_in"):
        file.weight(f"{layer}.weight", LARGE)
        file.add(f"{layer}.weight_scale", ())
    file.add("img_in.comfy_quant", (len(QUANT),), "U8", QUANT)

    with pytest.raises(BadCheckpoint, match=r"'txt_in\.weight_scale' is one number, and nothing in the file says"):
        scales_of(file.header())
    declared: dict[str, object] = {"diffusion_model.txt_in": {"format": "float8_e4m3fn"}}
    assert scales_of(file.header(declared)) == {
        "img_in.weight": "img_in.weight_scale",
        "txt_in.weight": "txt_in.weight_scale",
    }


def test_the_marker_proves_only_the_scales_of_its_own_tool(file: Written) -> None:
    file.add("scaled_fp8", (0,), "F8_E4M3")
    file.weight("img_in.weight", LARGE)
    file.add("img_in.scale_weight", (1,))
    assert scales_of(file.header()) == {"img_in.weight": "img_in.scale_weight"}

    file.weight("txt_in.weight", LARGE)
    file.add("txt_in.weight_scale", (1,))
    with pytest.raises(BadCheckpoint, match=r"'txt_in\.weight_scale' is one number"):
        scales_of(file.header())


@pytest.mark.parametrize("byte", [SMALL, SMALL | 0x80, 0x48])
def test_values_up_to_four_of_either_sign_are_a_plain_cast(file: Written, byte: int) -> None:
    file.weight("img_in.weight", byte)

    assert scales_of(file.header()) == {}


def test_values_beyond_four_have_lost_their_scales_unless_they_are_of_a_vector(file: Written) -> None:
    file.weight("img_in.weight")
    file.add("img_in.bias", (4,), "F8_E4M3", bytes([LARGE]) * 4)
    assert scales_of(file.header()) == {}

    file.weight("txt_in.weight", 0x49 | 0x80)
    with pytest.raises(BadCheckpoint, match=r"'txt_in\.weight' has no scale, and values that only make sense with one"):
        scales_of(file.header())


def test_what_serves_another_tensor_is_no_parameter() -> None:
    names = ("scaled_fp8", "a.scale_weight", "a.weight_scale", "a.scale_input", "a.input_scale", "a.comfy_quant")

    assert [name for name in (*names, "a.weight", "a.bias", "a.scaled_fp8") if is_beside(name)] == list(names)
