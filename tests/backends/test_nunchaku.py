"""The backend of nunchaku's files: which cards compute in four bits, and what becomes of the picture either way."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tests import here
from tests.backends.conftest import Quantise
from tests.backends.keyframes import request_of
from tests.engine.wholes import Case
from undercard import backends
from undercard.backends import Rendered, Work
from undercard.backends.qwen import renderer
from undercard.engine.stages.opening import Model
from undercard.hardware.devices import Device, Gpu

SQUARE = Work((1024, 1024))
CPU = torch.device("cpu")


def _card(capability: tuple[int, int]) -> Device:
    gpu = Gpu(0, "a card", 24 * 2**30, 24 * 2**30, capability, copy_bytes_per_second=24e9)
    return Device(cores=2, host_bytes=2**36, host_free_bytes=2**36, gpus=(gpu,))


def _details(capability: tuple[int, int]) -> set[str]:
    """Return what the rungs of a card begin with."""
    return {
        rung.detail.partition(", ")[0]
        for rung in backends.backend("nunchaku").rungs(SQUARE, _card(capability), here.settings())
    }


@pytest.fixture(autouse=True)
def published(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Plan with the sizes of the published model, and a folder that is empty."""
    monkeypatch.setenv("UNDERCARD_MODEL", str(tmp_path))


@pytest.mark.parametrize("capability", [(8, 0), (8, 6), (8, 9), (12, 0)])
def test_a_card_with_int4_in_its_tensor_cores_computes_in_four_bits(capability: tuple[int, int]) -> None:
    assert _details(capability) == {"int4 kernels"}


@pytest.mark.parametrize(("capability", "name"), [((7, 5), "sm_75"), ((9, 0), "sm_90"), ((10, 0), "sm_100")])
def test_another_card_decodes_and_its_rungs_say_why(capability: tuple[int, int], name: str) -> None:
    assert _details(capability) == {f"decoded to bf16 (no fast int4 kernel for {name})"}


def test_without_comfy_kitchen_every_card_decodes(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "comfy_kitchen" else found(name))

    assert _details((8, 6)) == {"decoded to bf16 (comfy-kitchen is not installed)"}


def test_a_lora_is_added_to_decoded_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERCARD_LORA", "/somewhere/lora.safetensors")

    assert _details((8, 6)) == {"decoded to bf16 (a LoRA is added)"}
    monkeypatch.setenv(
        "UNDERCARD_NUNCHAKU", "/somewhere/svdq-int4_r32-qwen-image-edit-2509-lightning-4steps.safetensors"
    )
    assert _details((8, 6)) == {"int4 kernels"}


def test_blocks_in_four_bits_all_stay_on_a_card_that_holds_a_third_of_them_decoded() -> None:
    ours, theirs = (backends.fastest("nunchaku", SQUARE, _card(each), here.settings()) for each in ((8, 6), (9, 0)))

    assert ours.resident_blocks == 60
    assert 30 < theirs.resident_blocks < 50
    assert ours.needs.vram_bytes < 12e9


def _rendered(folder: Path, file: Path, *, four_bits: bool) -> Rendered:
    request = request_of(Case())
    model = Model(folder, "bf16", 4, CPU, here.store(), file=file, four_bits=four_bits)
    rung = backends.fastest("nunchaku", Work(request.size), Device(cores=2, host_bytes=2**35), here.settings())
    with renderer.opened(model, dataclasses.replace(rung, vram_limit=0), lambda _: "") as engine:
        return engine.render(request)


def test_four_bits_give_nearly_the_picture_of_the_decoded_weights(use_file_of: Quantise) -> None:
    model = use_file_of("nunchaku")

    decoded, ours = (_rendered(model.folder, model.file, four_bits=way) for way in (False, True))

    difference = np.abs(np.asarray(ours.image, dtype=float) - np.asarray(decoded.image, dtype=float)).mean()
    assert 0 < difference < 6
    assert ours.notes == decoded.notes == ()


def test_kernels_that_do_not_work_are_done_without_and_that_is_said(
    use_file_of: Quantise, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = use_file_of("nunchaku")
    decoded = _rendered(model.folder, model.file, four_bits=False)
    monkeypatch.setattr("undercard.engine.transformer.four_bit_kernels.PACKAGE", "comfy_kitchen_that_is_not_there")

    ours = _rendered(model.folder, model.file, four_bits=True)

    assert ours.image.tobytes() == decoded.image.tobytes()
    assert ours.notes == ("decoded to bf16: comfy-kitchen is not installed",)


def _rewritten(file: Path, path: Path, **changes: object) -> Path:
    """Write *file* with other facts about its quantisation."""
    with safe_open(file, framework="pt") as opened:
        metadata = dict(opened.metadata())
    quantised = json.loads(metadata["quantization_config"])
    quantised["weight"] |= changes.pop("weight", {})
    metadata["quantization_config"] = json.dumps(quantised | changes)
    save_file(load_file(file), path, metadata)
    return path


@pytest.mark.parametrize("capability", [(8, 6), (12, 0)])
def test_an_fp4_file_is_refused_by_name_on_any_card(
    use_file_of: Quantise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int]
) -> None:
    fp4 = {"dtype": "fp4_e2m1_all", "group_size": 16}
    path = _rewritten(use_file_of("nunchaku").file, tmp_path / "svdq-fp4_r32.safetensors", weight=fp4)
    monkeypatch.setenv("UNDERCARD_NUNCHAKU", str(path))

    said = str(backends.backend("nunchaku").unavailable(_card(capability), here.settings()))

    assert "svdq-fp4_r32.safetensors holds fp4_e2m1_all (NVFP4)" in said
    assert "fetch the int4 file" in said


@pytest.mark.parametrize(
    ("rank", "said"), [(24, "has rank 24; nunchaku's ranks are multiples of 16"), (32, "of rank 16, and the metadata")]
)
def test_a_rank_that_cannot_be_is_refused(
    use_file_of: Quantise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rank: int, said: str
) -> None:
    path = _rewritten(use_file_of("nunchaku").file, tmp_path / "a.safetensors", rank=rank)
    monkeypatch.setenv("UNDERCARD_NUNCHAKU", str(path))

    assert said in str(backends.backend("nunchaku").unavailable(_card((8, 6)), here.settings()))
