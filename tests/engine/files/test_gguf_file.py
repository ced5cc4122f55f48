from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, GGUFWriter
from gguf.quants import quantize
from torch import Tensor

from tests.engine.formats.kquants import ENCODERS
from tests.engine.formats.weights import gaussian, relative_error
from undercard.engine.files.gguf_file import GgufFile, open_gguf
from undercard.engine.files.stored import Parameter
from undercard.errors import BadCheckpoint

WEIGHT = gaussian((8, 512))
BIAS = gaussian((1, 8))[0]
Add = Callable[[GGUFWriter], None]


def _write(path: Path, *additions: Add, architecture: str = "qwen_image") -> Path:
    writer = GGUFWriter(path, arch=architecture)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    for add in additions:
        add(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _weight(name: str, kind: str) -> Add:
    wide = WEIGHT.float().numpy()
    encoder = ENCODERS.get(f"gguf-{kind.lower().replace('_', '-')}")
    blocks = encoder(wide) if encoder else quantize(wide, GGMLQuantizationType[kind])
    return lambda writer: writer.add_tensor(name, blocks, raw_dtype=GGMLQuantizationType[kind])


def _bias(name: str) -> Add:
    return lambda writer: writer.add_tensor(name, BIAS.float().numpy())


def _marker(name: str) -> Add:
    return lambda writer: writer.add_tensor(name, np.zeros(1, np.float32))


@pytest.mark.parametrize(
    "kind", ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"]
)
def test_a_tensor_is_described_and_read_as_it_was_written(tmp_path: Path, kind: str) -> None:
    file = open_gguf(_write(tmp_path / "a.gguf", _weight("img_in.weight", kind), _bias("img_in.bias")))
    assert file.parameters == {
        "img_in.weight": Parameter(f"gguf-{kind.lower().replace('_', '-')}", (8, 512)),
        "img_in.bias": Parameter("gguf-f32", (8,)),
    }
    weight, bias = _read(file, "img_in.weight", "img_in.bias")
    assert relative_error(weight, WEIGHT) < {"Q2_K": 0.34, "Q3_K": 0.19}.get(kind, 0.09)
    assert torch.equal(bias, BIAS)


def _read(file: GgufFile, *names: str) -> list[Tensor]:
    return [file.parameters[name].decoded(parts) for name, parts in file.read(names)]


def test_an_entry_is_where_the_blocks_lie_in_the_file(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.gguf", _bias("txt_in.bias"), _weight("img_in.weight", "Q4_K"))
    entry = open_gguf(path).entries["img_in.weight"]
    blocks = path.read_bytes()[entry.offset : entry.offset + entry.size_bytes]
    assert entry.shape == (8, 288)
    assert blocks == ENCODERS["gguf-q4-k"](WEIGHT.float().numpy()).tobytes()


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model.", "diffusion_model.", "transformer."])
def test_names_are_those_of_diffusers(tmp_path: Path, prefix: str) -> None:
    path = _write(tmp_path / "a.gguf", _bias(f"{prefix}transformer_blocks.0.attn.to_q.bias"))
    assert list(open_gguf(path).parameters) == ["transformer_blocks.0.attn.to_q.bias"]


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model."])
def test_the_marker_of_edit_2511_is_no_tensor_but_a_property(tmp_path: Path, prefix: str) -> None:
    marked = open_gguf(_write(tmp_path / "a.gguf", _bias("img_in.bias"), _marker(f"{prefix}__index_timestep_zero__")))
    assert marked.zero_cond_t
    assert list(marked.parameters) == ["img_in.bias"]
    assert not open_gguf(_write(tmp_path / "b.gguf", _bias("img_in.bias"))).zero_cond_t


@pytest.mark.parametrize(
    ("title", "found"), [("Qwen Image Edit 2511", True), ("Qwen Image Edit 2509", False), ("Qwen Image Edit", None)]
)
def test_the_release_is_told_by_the_name_in_the_metadata(tmp_path: Path, title: str, found: bool | None) -> None:
    path = _write(
        tmp_path / "a.gguf", _bias("img_in.bias"), lambda writer: writer.add_string("general.basename", title)
    )
    assert open_gguf(path).zero_cond_t is found


def test_another_architecture_is_named(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.gguf", _bias("img_in.bias"), architecture="flux")
    with pytest.raises(BadCheckpoint, match=r"a\.gguf holds the architecture 'flux'; only 'qwen_image'"):
        open_gguf(path)


def test_a_type_without_a_format_is_named_with_its_tensor(tmp_path: Path) -> None:
    blocks = np.zeros((8, 2 * 136), np.uint8)
    path = _write(
        tmp_path / "a.gguf",
        lambda writer: writer.add_tensor("img_in.weight", blocks, raw_dtype=GGMLQuantizationType.IQ4_XS),
    )
    with pytest.raises(BadCheckpoint, match=r"'img_in\.weight' is stored as IQ4_XS; only F32, .* are decoded"):
        open_gguf(path)


def test_a_reshaped_tensor_is_refused(tmp_path: Path) -> None:
    key = "comfy.gguf.orig_shape.img_in.weight"
    path = _write(tmp_path / "a.gguf", _bias("img_in.bias"), lambda writer: writer.add_array(key, [4, 2]))
    with pytest.raises(BadCheckpoint, match=r"'img_in\.weight' in another shape"):
        open_gguf(path)


def test_a_tensor_that_the_file_lacks_is_named(tmp_path: Path) -> None:
    file = open_gguf(_write(tmp_path / "a.gguf", _bias("img_in.bias")))
    with pytest.raises(BadCheckpoint, match=r"lacks the tensor 'img_in\.weight'"):
        list(file.read(["img_in.weight"]))


@pytest.mark.parametrize(
    ("cut", "said"),
    [(cut, "no whole GGUF file") for cut in (0, 3, 20, 60)] + [(-1, "cut short")],
)
def test_a_file_cut_short_is_refused(tmp_path: Path, cut: int, said: str) -> None:
    whole = _write(tmp_path / "a.gguf", _bias("img_in.bias"), _weight("img_in.weight", "Q8_0")).read_bytes()
    path = tmp_path / "short.gguf"
    path.write_bytes(whole[:cut] if cut >= 0 else whole[: len(whole) // 2])
    with pytest.raises(BadCheckpoint, match=rf"short\.gguf is {said}"):
        open_gguf(path)


@pytest.mark.parametrize("word", [b"general.architecture", b"qwen_image", b"img_in.weight"])
def test_a_name_that_is_no_text_is_refused(tmp_path: Path, word: bytes) -> None:
    path = _write(tmp_path / "a.gguf", _weight("img_in.weight", "Q8_0"))
    path.write_bytes(path.read_bytes().replace(word, b"\xff" + word[1:]))
    with pytest.raises(BadCheckpoint, match=r"a\.gguf is no whole GGUF file"):
        open_gguf(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadCheckpoint, match=r"none\.gguf cannot be read: No such file"):
        open_gguf(tmp_path / "none.gguf")


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(b'{"this": "is json"}' * 100)
    with pytest.raises(BadCheckpoint, match=r"a\.gguf is no whole GGUF file \(it does not begin with GGUF\)"):
        open_gguf(path)
