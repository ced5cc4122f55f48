"""What the driver tells of a real card, against what torch finds there."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests import here
from undercard.backends import Work
from undercard.backends.qwen.costs import STORAGES
from undercard.backends.qwen.rungs import rungs_for
from undercard.hardware import card_speed, copy_rates, devices
from undercard.hardware.devices import Gpu
from undercard.hardware.probe import this_device
from undercard.planning import rungs

pytestmark = pytest.mark.gpu


@pytest.fixture
def gpu() -> Gpu:
    found = this_device(here.settings()).gpu
    assert found is not None
    return found


def test_the_card_is_the_one_that_torch_has_first(gpu: Gpu) -> None:
    properties = torch.cuda.get_device_properties(0)

    assert gpu.name == properties.name
    assert gpu.capability == (properties.major, properties.minor)
    assert gpu.uuid.removeprefix("GPU-") == str(properties.uuid)


def test_what_is_free_is_what_torch_finds_free() -> None:
    # A context takes its share before anything can be asked through it.
    torch.ones(1, device="cuda")
    told = this_device(here.settings()).gpu
    free, total = torch.cuda.mem_get_info(0)

    assert told is not None
    assert told.total_bytes == pytest.approx(total, rel=0.02)
    assert told.free_bytes == pytest.approx(free, abs=1e9)


def test_the_driver_tells_how_fast_the_card_computes(gpu: Gpu) -> None:
    assert gpu.float_rate > 5e12
    if gpu.name.startswith("NVIDIA H100 80GB"):
        assert card_speed.tensor_rate(gpu) == pytest.approx(989e12, rel=0.05)


def test_copying_is_measured_once_and_remembered(gpu: Gpu) -> None:
    measured = copy_rates.measure(replace(gpu, copy_bytes_per_second=0.0), here.store())

    again = this_device(here.settings()).gpu
    assert again is not None
    assert measured.copy_bytes_per_second > 2e9
    assert again.copy_bytes_per_second == measured.copy_bytes_per_second
    # What the link promises is what is planned with until then.
    assert measured.copy_bytes_per_second == pytest.approx(
        devices.copy_rate(replace(gpu, copy_bytes_per_second=0.0)), rel=0.5
    )


def test_the_smallest_exact_rung_fits_an_empty_card(gpu: Gpu) -> None:
    device = devices.Device(cores=1, host_bytes=0, gpus=(gpu,))
    smallest = rungs_for(STORAGES["bf16"], "bf16", Work((1024, 1024)), device)[-1]

    assert smallest.resident_blocks == 0
    assert rungs.misfit(smallest, device) is None
