"""A LoRA that joins a quantised file's blocks when they are decoded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import QwenImageTransformer2DModel
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.engine.formats.weights import relative_error
from tests.fakes import lora_files, stored_files
from undercard.engine.files.open_stored import open_stored
from undercard.engine.files.stored import StoredModel
from undercard.engine.streaming.sources import InMemory, OnDisk, Source
from undercard.engine.streaming.streamer import HostStreamer
from undercard.engine.transformer import stored_blocks, transformer
from undercard.engine.weights.loading import load_as_it_lies
from undercard.engine.weights.lora import Lora, open_lora
from undercard.engine.weights.low_rank import WithLora, is_in

CPU = torch.device("cpu")
KINDS = ("q4_k_m", "lightx2v", "svdq")
Make = Callable[..., Lora]


@pytest.fixture(scope="module", params=KINDS)
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[StoredModel, Path]:
    """The file, and the folder of its config."""
    folder = tmp_path_factory.mktemp("stored")
    return open_stored(stored_files.build(folder, request.param)), folder


@pytest.fixture
def make(file: tuple[StoredModel, Path], tmp_path: Path) -> Make:
    model = QwenImageTransformer2DModel.from_config(QwenImageTransformer2DModel.load_config(file[1]))

    def made(**options: object) -> Lora:
        path = lora_files.write(tmp_path / "lora.safetensors", lora_files.tensors(model, **options))  # type: ignore[arg-type]
        return open_lora(path, transformer.skeleton(file[1]))

    return made


def _layers(stored: StoredModel, folder: Path, lora: Lora | None, *, disk: bool = False) -> dict[str, Tensor]:
    """Return the matrices of every block as a streamer gives them."""
    reader = stored_blocks.block_reader(transformer.skeleton(folder), stored)
    blocks = WithLora(reader, lora) if lora else reader
    source: Source = OnDisk(blocks, CPU, ring=1) if disk else InMemory(load_as_it_lies(blocks, CPU))
    streamer = HostStreamer(blocks.layout, source)
    found = {}
    for number in range(streamer.count):
        with streamer.using(number) as buffer:
            for place in blocks.layout.places:
                found[f"transformer_blocks.{number}.{place.name}"] = blocks.layout.view(buffer, place.name).clone()
    streamer.close()
    return found


def _factors(lora: Lora, layer: str) -> tuple[Tensor, Tensor]:
    tensors = load_file(lora.checkpoint.source)
    return tensors[f"{layer}.lora_down.weight"], tensors[f"{layer}.lora_up.weight"]


@pytest.mark.parametrize("disk", [False, True], ids=["memory", "disk"])
def test_every_matrix_is_what_was_decoded_and_the_loras_product(
    file: tuple[StoredModel, Path], make: Make, disk: bool
) -> None:
    lora = make(dtype=torch.bfloat16)

    plain, changed = _layers(*file, None), _layers(*file, lora, disk=disk)

    matrices = [name for name, value in plain.items() if value.ndim == 2]
    for name in matrices:
        down, up = _factors(lora, name.removesuffix(".weight"))
        # Alpha 1.3 at rank 4.
        expected = plain[name].double() + 1.3 / 4 * up.double() @ down.double()
        assert relative_error(changed[name], expected) < 0.003, name
        assert relative_error(plain[name], expected) > 0.03, name
    assert len(matrices) == 2 * 12


def test_what_the_lora_leaves_alone_keeps_its_bits(file: tuple[StoredModel, Path], make: Make) -> None:
    layer = "transformer_blocks.1.attn.to_k"
    lora = make(layers=[layer])

    plain, changed = _layers(*file, None), _layers(*file, lora)

    assert [name for name, value in plain.items() if not torch.equal(value, changed[name])] == [f"{layer}.weight"]


def test_peft_s_scale_counts_too(file: tuple[StoredModel, Path], tmp_path: Path) -> None:
    layer = "transformer_blocks.0.attn.to_out.0"
    model = QwenImageTransformer2DModel.from_config(QwenImageTransformer2DModel.load_config(file[1]))
    tensors = lora_files.tensors(model, lora_files.NAMINGS["peft"], layers=[layer], dtype=torch.bfloat16)
    path = lora_files.write(tmp_path / "peft.safetensors", tensors, {"lora_alpha": 3, "r": 4})
    lora = open_lora(path, transformer.skeleton(file[1]))

    changed = _layers(*file, lora)[f"{layer}.weight"]

    product = tensors[f"{layer}.lora_B.weight"].double() @ tensors[f"{layer}.lora_A.weight"].double()
    assert relative_error(changed, _layers(*file, None)[f"{layer}.weight"].double() + 3 / 4 * product) < 0.003


def test_a_lora_that_the_file_has_not_in_it_is_told_from_one_that_it_has(
    file: tuple[StoredModel, Path], make: Make, tmp_path: Path
) -> None:
    lora = make()
    stored, folder = file
    weights = {name: stored.parameters[name].decoded(parts) for name, parts in stored.read(stored.parameters)}
    for layer in lora.pairs:
        down, up = _factors(lora, layer)
        weights[f"{layer}.weight"] = (weights[f"{layer}.weight"].float() + 1.3 / 4 * up @ down).bfloat16()

    fused = open_stored(_as_fp8(tmp_path / "fused.safetensors", weights))

    assert not is_in(lora, stored)
    assert is_in(lora, fused)
    assert stored_blocks.block_reader(transformer.skeleton(folder), fused).count == 2


def _as_fp8(path: Path, weights: dict[str, Tensor]) -> Path:
    tensors = {}
    for name, value in weights.items():
        tensors[name] = value
        if value.ndim == 2 and name.startswith("transformer_blocks."):
            scale = value.abs().amax(1, keepdim=True).float() / 448
            tensors[name] = (value.float() / scale).to(torch.float8_e4m3fn)
            tensors[f"{name.removesuffix('.weight')}.weight_scale"] = scale
    save_file({name: value.contiguous() for name, value in tensors.items()}, path)
    return path
