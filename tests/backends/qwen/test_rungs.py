"""Where Qwen-Image-Edit runs: what it lacks is named, and its rungs are of a size with the card."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import here
from tests.backends.requests import DEVICE
from undercard import backends
from undercard.backends import Work
from undercard.hardware.devices import Device, Gpu

CARD = Gpu(0, "a card", 10 * 2**30, 10 * 2**30, (8, 6), copy_bytes_per_second=24e9)
pytestmark = pytest.mark.usefixtures("qwen_on_the_processor")


def test_the_planner_knows_what_guidance_costs(
    qwen_on_the_processor: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    device = Device(cores=2, host_bytes=2**36, host_free_bytes=2**36, gpus=(CARD,))
    work = Work((1024, 1024))
    names = ("bf16", "cpu-offload")
    before = {name: backends.backend(name).rungs(work, device, here.settings())[0].needs for name in names}
    monkeypatch.setenv("UNDERCARD_GUIDANCE", "3")

    after = {name: backends.backend(name).rungs(work, device, here.settings())[0].needs for name in names}

    for name in names:
        assert after[name].seconds > before[name].seconds
        assert after[name].vram_bytes == before[name].vram_bytes


def test_without_weights_the_reason_names_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNDERCARD_MODEL")

    assert "set UNDERCARD_MODEL" in str(backends.backend("bf16").unavailable(DEVICE, here.settings()))


def test_a_folder_that_lacks_a_part_of_the_model_is_named_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "transformer").mkdir()
    monkeypatch.setenv("UNDERCARD_MODEL", str(tmp_path))

    assert "has no folder text_encoder, vae, processor" in str(
        backends.backend("bf16").unavailable(DEVICE, here.settings())
    )


def test_without_a_card_the_reason_names_what_would_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNDERCARD_DEVICE")

    assert "no CUDA card" in str(backends.backend("bf16").unavailable(DEVICE, here.settings()))


def test_a_smaller_card_keeps_fewer_blocks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # Of the published model, not of the tiny one.
    monkeypatch.setenv("UNDERCARD_MODEL", str(tmp_path))
    device = Device(cores=2, host_bytes=2**36, host_free_bytes=2**36, gpus=(CARD,))

    rungs = backends.backend("bf16").rungs(Work((1024, 1024)), device, here.settings())

    assert [rung.label for rung in rungs if not rung.exact] == ["bf16 · 0 of 60 blocks resident, in strips"]
    (from_disk,) = (rung for rung in rungs if rung.from_disk)
    assert from_disk == rungs[-1]
    # What is left is the text encoder's.
    assert from_disk.needs.host_bytes < 16e9 < min(rung.needs.host_bytes for rung in rungs[:-1])
    assert 5 < max(rung.resident_blocks for rung in rungs) < 25
