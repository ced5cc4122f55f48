from __future__ import annotations

from pathlib import Path

import pytest
import torch
from accelerate import cpu_offload
from safetensors.torch import save_file

from tests import here
from tests.backends.requests import render, request_of
from tests.engine.wholes import Case
from tests.fakes import lora_files, tiny
from undercard import backends
from undercard.backends import Work
from undercard.backends.vendors import offloaded
from undercard.engine.stages import pipeline
from undercard.engine.stages.pipeline import StagedPipeline
from undercard.errors import BadCheckpoint, OutOfMemory
from undercard.hardware.devices import Device, Gpu

GB = 1_000_000_000
H100 = Gpu(0, "NVIDIA H100", 80 * GB, 80 * GB, (9, 0), copy_bytes_per_second=54.7e9, float_rate=66.9e12)
SQUARE = Work((1024, 1024))


def _layer_by_layer(whole: StagedPipeline, device: torch.device) -> None:
    """As `enable_sequential_cpu_offload` does for a card; it numbers the device, and there is no processor 0."""
    whole.place = device
    for part in whole.components.values():
        if isinstance(part, torch.nn.Module):
            cpu_offload(part, device, offload_buffers=bool(part._parameters))


@pytest.mark.parametrize("case", [Case(), Case(references=2, size=(56, 40)), Case(references=3, steps=8)], ids=str)
@pytest.mark.usefixtures("qwen_on_the_processor")
def test_its_pixels_are_those_of_the_engine(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERCARD_STEPS", str(case.steps))
    request = request_of(case)

    pictures = [render(name, request).image for name in ("cpu-offload", "bf16")]

    assert pictures[0].tobytes() == pictures[1].tobytes()
    assert pictures[0].size == case.size


@pytest.mark.usefixtures("qwen_on_the_processor")
def test_layers_that_come_one_by_one_change_no_pixel(monkeypatch: pytest.MonkeyPatch) -> None:
    request = request_of(Case())
    whole = render("cpu-offload", request).image
    monkeypatch.setattr(offloaded, "place", _layer_by_layer)

    assert render("cpu-offload", request).image.tobytes() == whole.tobytes()


def test_a_lora_is_fused_as_the_engine_fuses_it(
    qwen_on_the_processor: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_of(Case())
    plain = render("cpu-offload", request).image
    save_file(lora_files.tensors(tiny.transformer()), tmp_path / "lora.safetensors")
    monkeypatch.setenv("UNDERCARD_LORA", str(tmp_path / "lora.safetensors"))

    pictures = [render(name, request).image for name in ("cpu-offload", "bf16")]

    assert pictures[0].tobytes() == pictures[1].tobytes() != plain.tobytes()


def test_a_lora_of_another_model_is_refused(
    qwen_on_the_processor: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_file(lora_files.tensors(tiny.transformer(layers=3)), tmp_path / "lora.safetensors")
    monkeypatch.setenv("UNDERCARD_LORA", str(tmp_path / "lora.safetensors"))

    with pytest.raises(BadCheckpoint, match="for another model"):
        render("cpu-offload", request_of(Case()))


@pytest.mark.usefixtures("qwen_on_the_processor")
def test_latents_that_the_engine_could_not_decode_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    request = request_of(Case())
    expected = render("bf16", request).image.tobytes()

    def run_out(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 5.80 GiB.")

    with monkeypatch.context() as broken:
        broken.setattr("undercard.engine.vae.vae.decode", run_out)
        with pytest.raises(OutOfMemory):
            render("bf16", request)
    monkeypatch.setattr(offloaded, "ask", run_out)

    assert render("cpu-offload", request).image.tobytes() == expected
    assert pipeline.load_latents(request.key, here.store()) is None


def test_it_comes_after_every_way_to_run_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNDERCARD_MODEL", raising=False)
    machine = Device(cores=16, host_bytes=128 * GB, host_free_bytes=128 * GB, gpus=(H100,))

    (offload,) = backends.backend("cpu-offload").rungs(SQUARE, machine, here.settings())
    ours = [rung for name in ("bf16", "nf4") for rung in backends.backend(name).rungs(SQUARE, machine, here.settings())]

    assert offload.exact
    assert offload.needs.seconds > max(rung.needs.seconds for rung in ours)


def test_its_needs_are_those_that_were_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNDERCARD_MODEL", raising=False)
    machine = Device(cores=16, host_bytes=128 * GB, host_free_bytes=128 * GB, gpus=(H100,))

    (offload,) = backends.backend("cpu-offload").rungs(SQUARE, machine, here.settings())

    # benchmarks/results/engine.h100.json, whose keyframe has its prompt encoded already: 16.6 GB more pass.
    assert offload.needs.vram_bytes == pytest.approx(4.49 * GB, rel=0.03)
    assert offload.needs.seconds == pytest.approx(31.7 + 3.0, rel=0.03)
    assert offload.needs.host_bytes == pytest.approx(42.9 * GB + 16.6 * GB, rel=0.05)
