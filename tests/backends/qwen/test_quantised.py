"""The backends with a file of quantised weights, through the door that a run comes in by."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import QwenImageTransformer2DModel
from PIL import Image
from safetensors.torch import load_file, save_file

from tests import here
from tests.backends.conftest import KINDS, Quantise, quantised
from tests.backends.keyframes import request_of, told_of_pictures
from tests.engine.wholes import Case, render_whole
from tests.fakes import lora_files
from undercard import backends
from undercard.backends import Rendered, Rung, Work
from undercard.backends.qwen.costs import HOST_BYTES
from undercard.engine.files.open_stored import open_stored
from undercard.hardware.devices import Device, Gpu
from undercard.models import weights

DEVICE = Device(cores=2, host_bytes=2**35, host_free_bytes=2**35)
CARD = Device(
    cores=2,
    host_bytes=2**35,
    host_free_bytes=2**35,
    gpus=(Gpu(0, "a card", 10 * 2**30, 10 * 2**30, (8, 6), copy_bytes_per_second=24e9),),
)
SQUARE = Work((1024, 1024))
NAMES = tuple(KINDS)


def _render(name: str, case: Case, *, from_disk: bool = False) -> Rendered:
    request = request_of(case)
    rung = dataclasses.replace(backends.fastest(name, Work(request.size), DEVICE, here.settings()), from_disk=from_disk)
    with backends.backend(name).open(DEVICE, rung, here.settings()) as opened:
        opened.encode([request])
        return opened.render(request)


def _pixels(image: Image.Image) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.asarray(image, dtype=float)


@pytest.fixture
def lora(use_file_of: Quantise, tmp_path: Path) -> Callable[[str], Path]:
    """Return what writes a LoRA for the model of a backend."""

    def write(name: str) -> Path:
        model = QwenImageTransformer2DModel.from_config(json.loads(_config(use_file_of(name).folder).read_text()))
        tensors = lora_files.tensors(model, dtype=torch.bfloat16)
        return lora_files.write(tmp_path / "some-lora.safetensors", tensors)

    return write


def _config(folder: Path) -> Path:
    return folder / "transformer" / "config.json"


def _whole(folder: Path, file: Path, tmp_path: Path) -> Path:
    """Write the model in diffusers' layout, with the weights that *file* decodes to, and return its folder."""
    stored = open_stored(file)
    model = QwenImageTransformer2DModel.from_config(json.loads(_config(folder).read_text()))
    model.load_state_dict(
        {name: stored.parameters[name].decoded(parts) for name, parts in stored.read(stored.parameters)}
    )
    whole = tmp_path / "whole"
    shutil.copytree(folder, whole)
    shutil.rmtree(whole / "transformer")
    model.to(torch.bfloat16).save_pretrained(whole / "transformer")
    return whole


@pytest.mark.parametrize("name", ["gguf", "fp8-lightning"])
def test_a_file_gives_the_pixels_of_diffusers_with_the_weights_it_decodes_to(
    name: str, use_file_of: Quantise, qwen_on_the_processor: Path, tmp_path: Path
) -> None:
    model = use_file_of(name)
    case = Case(references=2)

    rendered = _render(name, case)

    folder = _whole(model.folder, model.file, tmp_path)
    for part in ("scheduler", "tokenizer"):
        shutil.copytree(qwen_on_the_processor / part, folder / part)
    shutil.copy(qwen_on_the_processor / "model_index.json", folder)
    assert np.array_equal(_pixels(rendered.image), _pixels(render_whole(told_of_pictures(folder), case)))
    assert rendered.notes == ()


@pytest.mark.parametrize("name", ["gguf", "fp8-lightning"])
def test_a_lora_changes_the_picture_as_it_changes_the_decoded_weights(
    name: str, use_file_of: Quantise, lora: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, case = use_file_of(name), Case()
    plain = _pixels(_render(name, case).image)
    monkeypatch.setenv("UNDERCARD_LORA", str(lora(name)))

    added = _pixels(_render(name, case).image)

    monkeypatch.setenv("UNDERCARD_MODEL", str(_whole(model.folder, model.file, tmp_path)))
    fused = _pixels(_render("bf16", case).image)
    assert np.abs(added - plain).mean() > 10 * np.abs(added - fused).mean()


@pytest.mark.parametrize("name", ["gguf", "fp8-lightning"])
def test_blocks_read_from_disk_at_each_step_give_the_same_pixels(
    name: str, use_file_of: Quantise, lora: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERCARD_LORA", str(lora(name)))

    pictures = [_render(name, Case(), from_disk=disk).image.tobytes() for disk in (False, True)]

    assert pictures[0] == pictures[1]


def test_a_lora_that_is_in_the_file_is_not_added_again_and_that_is_said(
    use_file_of: Quantise, lora: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "fp8-lightning"
    model, path = use_file_of(name), lora(name)
    tensors, factors = load_file(model.file), load_file(path)
    for layer in (key.removesuffix(".alpha") for key in factors if key.endswith(".alpha")):
        scale = tensors.get(f"{layer}.weight_scale", torch.ones(()))
        product = factors[f"{layer}.lora_up.weight"].float() @ factors[f"{layer}.lora_down.weight"].float()
        weight = tensors[f"{layer}.weight"].float() * scale + 1.3 / 4 * product
        scale = weight.abs().amax(1, keepdim=True) / 448
        if f"{layer}.weight_scale" in tensors:
            tensors[f"{layer}.weight_scale"] = scale
            tensors[f"{layer}.weight"] = (weight / scale).to(torch.float8_e4m3fn)
    fused = tmp_path / "fused.safetensors"
    save_file(tensors, fused)
    monkeypatch.setenv("UNDERCARD_FP8_LIGHTNING", str(fused))
    without = _render(name, Case())
    monkeypatch.setenv("UNDERCARD_LORA", str(path))

    rendered = _render(name, Case())

    assert rendered.notes == ("some-lora.safetensors is in the weights of fused.safetensors and was not added again",)
    assert rendered.image.tobytes() == without.image.tobytes()


def test_a_file_that_is_called_lightning_is_given_no_lora(
    use_file_of: Quantise, lora: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = use_file_of("gguf")
    monkeypatch.setenv("UNDERCARD_LORA", str(lora("gguf")))
    plain = shutil.copy(model.file, tmp_path / "edit-2511-Q4_K_M.gguf")
    named = shutil.copy(model.file, tmp_path / "edit-2511-Lightning-4steps-Q4_K_M.gguf")

    monkeypatch.setenv("UNDERCARD_GGUF", str(plain))
    assert weights.lora("gguf", here.settings()) == weights.lora("bf16", here.settings())
    with_lora = _render("gguf", Case()).image.tobytes()
    monkeypatch.setenv("UNDERCARD_GGUF", str(named))
    assert weights.lora("gguf", here.settings()) is None
    assert _render("gguf", Case()).image.tobytes() != with_lora


@pytest.mark.parametrize("name", NAMES)
def test_another_file_asks_for_another_picture(
    name: str, use_file_of: Quantise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = use_file_of(name)
    named = backends.renderer_name(name, here.settings(), exact=False)
    content = bytearray(model.file.read_bytes())
    content[-1] ^= 1
    other = tmp_path / "other"
    other.write_bytes(content)
    copy = shutil.copy(model.file, tmp_path / "copy")

    monkeypatch.setenv(weights.setting(name), str(other))
    assert backends.renderer_name(name, here.settings(), exact=False) != named
    monkeypatch.setenv(weights.setting(name), str(copy))
    assert backends.renderer_name(name, here.settings(), exact=False) == named
    assert named.endswith(f" · {name} 1")


def test_the_weights_in_the_models_folder_do_not_count_beside_a_file(
    use_file_of: Quantise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = use_file_of("gguf")
    named = (
        backends.renderer_name("gguf", here.settings(), exact=False),
        backends.renderer_name("bf16", here.settings(), exact=True),
    )
    folder = shutil.copytree(model.folder, tmp_path / "model")
    save_file({"img_in.weight": torch.ones(2, 2)}, folder / "transformer" / "weights.safetensors")
    monkeypatch.setenv("UNDERCARD_MODEL", str(folder))

    now = (
        backends.renderer_name("gguf", here.settings(), exact=False),
        backends.renderer_name("bf16", here.settings(), exact=True),
    )

    assert now[0] == named[0]
    assert now[1] != named[1]


@pytest.mark.parametrize("name", NAMES)
def test_costs_follow_the_bytes_of_the_file(
    name: str, use_file_of: Quantise, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Of the published model, as long as nobody says otherwise.
    monkeypatch.setenv("UNDERCARD_MODEL", str(tmp_path))
    usual = backends.fastest(name, SQUARE, CARD, here.settings()).needs
    use_file_of(name)
    with_file = backends.fastest(name, SQUARE, CARD, here.settings()).needs

    assert 10e9 < usual.host_bytes < 18e9
    # Two blocks instead of sixty.
    assert HOST_BYTES < with_file.host_bytes < HOST_BYTES + 0.01e9


def test_a_lora_beside_a_file_is_counted(
    use_file_of: Quantise, lora: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    use_file_of("fp8-lightning")
    without = _streamed("fp8-lightning").needs
    monkeypatch.setenv("UNDERCARD_LORA", str(lora("fp8-lightning")))

    needs = _streamed("fp8-lightning").needs

    assert needs.host_bytes > without.host_bytes
    assert needs.seconds > without.seconds


def _streamed(name: str) -> Rung:
    """Return the rung that keeps no block on the card."""
    rungs = backends.backend(name).rungs(SQUARE, CARD, here.settings())
    return next(rung for rung in rungs if not rung.resident_blocks and not rung.from_disk)


def test_a_gguf_file_can_be_read_at_each_step_which_spares_nothing_of_what_the_text_encoder_takes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("UNDERCARD_MODEL", str(tmp_path))

    rungs = backends.backend("gguf").rungs(SQUARE, CARD, here.settings())

    (from_disk,) = (rung for rung in rungs if rung.from_disk)
    assert from_disk.detail.endswith("others read from disk")
    assert from_disk.needs.host_bytes == min(rung.needs.host_bytes for rung in rungs if not rung.from_disk)


@pytest.mark.parametrize("kind", ["q8_0", "comfyui before", "comfyui now", "comfyui in metadata", "plain cast"])
def test_every_layout_renders(
    kind: str, qwen_on_the_processor: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "gguf" if kind == "q8_0" else "fp8-lightning"
    model = quantised(qwen_on_the_processor, tmp_path, kind)
    monkeypatch.setenv("UNDERCARD_MODEL", str(model.folder))
    monkeypatch.setenv(weights.setting(name), str(model.file))

    assert _render(name, Case()).image.size == Case().size
