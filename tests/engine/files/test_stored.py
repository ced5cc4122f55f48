from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGUFWriter
from safetensors.torch import save_file

from tests.paths import DATA
from undercard.engine.files.fp8_file import Fp8File
from undercard.engine.files.gguf_file import GgufFile
from undercard.engine.files.nunchaku_file import NunchakuFile
from undercard.engine.files.open_stored import open_stored
from undercard.engine.files.stored import Parameter, StoredModel
from undercard.errors import BadCheckpoint

NUNCHAKU = DATA / "nunchaku" / "svdq-int4_r16-tiny-qwen-image-edit.safetensors"


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    # The name says otherwise: only the header counts.
    path = tmp_path / "a.safetensors"
    writer = GGUFWriter(path, arch="qwen_image")
    writer.add_tensor("img_in.weight", np.ones((4, 64), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture
def fp8(tmp_path: Path) -> Path:
    path = tmp_path / "b.safetensors"
    save_file({"img_in.weight": torch.ones(4, 64).to(torch.float8_e4m3fn)}, path)
    return path


@pytest.fixture(params=["gguf", "fp8", "nunchaku"])
def model(request: pytest.FixtureRequest) -> StoredModel:
    path: Path = NUNCHAKU if request.param == "nunchaku" else request.getfixturevalue(request.param)
    return open_stored(path)


def test_a_file_is_told_by_its_header(gguf: Path, fp8: Path) -> None:
    assert isinstance(open_stored(gguf), GgufFile)
    assert isinstance(open_stored(fp8), Fp8File)
    assert isinstance(open_stored(NUNCHAKU), NunchakuFile)


def test_every_parameter_is_read_in_its_shape_once(model: StoredModel) -> None:
    shapes = {name: each.shape for name, each in model.parameters.items()}
    found = [(name, model.parameters[name].decoded(parts)) for name, parts in model.read(model.parameters)]
    assert len(found) == len(shapes)
    assert {name: tuple(value.shape) for name, value in found} == shapes


def test_a_parameter_that_the_file_lacks_is_named(model: StoredModel) -> None:
    with pytest.raises(BadCheckpoint, match=r"lacks the tensor 'txt_in\.gate'"):
        list(model.read(["txt_in.gate"]))


def test_a_file_of_plain_weights_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plain.safetensors"
    save_file({"img_in.weight": torch.ones(4, 64)}, path)
    with pytest.raises(BadCheckpoint, match=r"plain\.safetensors holds no float8_e4m3fn; open it as what it is"):
        open_stored(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadCheckpoint, match="holds no safetensors file"):
        open_stored(tmp_path / "none")


@pytest.mark.parametrize(("shape", "matrix"), [((5,), (1, 5)), ((3, 5), (3, 5)), ((2, 3, 5), (6, 5))])
def test_a_parameter_of_any_dimensions_is_stored_as_a_matrix(shape: tuple[int, ...], matrix: tuple[int, int]) -> None:
    assert Parameter("bf16", shape).matrix == matrix
