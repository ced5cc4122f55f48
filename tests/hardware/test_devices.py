from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests import here
from tests.fakes.cards import GB, H100, RTX_3060, Driver, machine
from undercard.hardware import copy_rates, devices, nvml
from undercard.hardware.probe import this_device

ASKS_WHICH_CARD = (
    sys.executable,
    "-c",
    f"import os; print(25e9 if os.environ['CUDA_VISIBLE_DEVICES'] == '{H100.uuid}' else 0)",
)


@pytest.fixture
def two_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvml, "_library", lambda: Driver((H100, RTX_3060)))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_this_machine_has_cores_and_memory() -> None:
    device = this_device(here.settings())

    assert device.cores == len(os.sched_getaffinity(0))
    assert 0 < device.host_free_bytes <= device.host_bytes


@pytest.mark.usefixtures("two_cards")
@pytest.mark.parametrize(("choice", "names"), [("auto", 2), ("cuda:1", 1), ("cpu", 0), ("cuda:5", 0)])
def test_the_setting_chooses_among_the_cards(monkeypatch: pytest.MonkeyPatch, choice: str, names: int) -> None:
    monkeypatch.setenv("UNDERCARD_DEVICE", choice)

    assert len(this_device(here.settings()).gpus) == names


@pytest.mark.usefixtures("two_cards")
def test_a_limit_makes_every_card_as_small_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERCARD_VRAM_LIMIT", "10GB")

    assert [gpu.total_bytes for gpu in this_device(here.settings()).gpus] == [10 * GB, 10 * GB]


def test_what_others_hold_of_a_card_they_hold_of_a_small_one() -> None:
    held = replace(H100, free_bytes=H100.total_bytes - 4 * GB)

    assert devices.shrunk(held, 10 * GB).free_bytes == 6 * GB
    assert devices.shrunk(held, 3 * GB).free_bytes == 0


def test_a_limit_above_the_card_changes_nothing() -> None:
    assert devices.shrunk(RTX_3060, 100 * GB) == RTX_3060


def test_a_process_may_take_what_is_free_less_its_context_and_a_reserve() -> None:
    assert devices.allocatable_bytes(replace(RTX_3060, free_bytes=10 * GB)) == 9 * GB
    # Of a small card more is reserved than its twentieth.
    assert devices.allocatable_bytes(replace(RTX_3060, free_bytes=3 * GB)) == 2.2 * GB


def test_a_card_that_others_fill_leaves_nothing_rather_than_less() -> None:
    assert devices.allocatable_bytes(replace(RTX_3060, free_bytes=GB // 2)) == 0


@pytest.mark.parametrize("cap", [3 * GB, 10 * GB, 70 * GB])
def test_a_card_can_be_planned_for_as_under_a_cap(cap: int) -> None:
    assert devices.allocatable_bytes(devices.with_allocatable(H100, cap)) == pytest.approx(cap, abs=1)


@pytest.mark.parametrize(
    ("generation", "lanes", "rate"),
    [(4, 16, 24e9), (4, 8, 12e9), (3, 16, 12e9), (5, 16, 54e9), (0, 0, 24e9), (9, 16, 1e11)],
)
def test_a_rate_that_was_not_measured_is_that_of_the_link(generation: int, lanes: int, rate: float) -> None:
    gpu = replace(RTX_3060, pcie_generation=generation, pcie_lanes=lanes)

    assert devices.copy_rate(gpu) == rate


def test_a_measured_rate_is_taken_before_that_of_the_link() -> None:
    assert devices.copy_rate(replace(RTX_3060, copy_bytes_per_second=9e9)) == 9e9


def test_a_device_can_be_narrowed_to_one_of_its_cards() -> None:
    device = machine(H100, RTX_3060)

    assert (device.gpu, device.alone(RTX_3060).gpu, machine().gpu) == (H100, RTX_3060, None)


def test_a_rate_is_measured_on_that_card_alone_and_remembered() -> None:
    copy_rates.measure(H100, here.store(), ASKS_WHICH_CARD)

    (card,) = copy_rates.with_remembered((replace(H100, copy_bytes_per_second=0.0),), here.store())
    assert card.copy_bytes_per_second == 25e9


def test_a_rate_that_cannot_be_measured_leaves_the_card_as_it_was() -> None:
    for code in ("raise SystemExit(1)", "print('fast')"):
        assert copy_rates.measure(RTX_3060, here.store(), [sys.executable, "-c", code]) == RTX_3060
    assert copy_rates.measure(RTX_3060, here.store(), ["no-such-program"]) == RTX_3060


def test_a_card_without_room_is_not_measured() -> None:
    full = replace(H100, free_bytes=GB // 2)

    assert copy_rates.measure(full, here.store(), ASKS_WHICH_CARD) == full


def test_a_record_of_rates_that_somebody_wrote_into_is_as_good_as_none(store: Path) -> None:
    store.mkdir()
    for content in ("[1, 2]", "{", '{"GPU": "fast"}'):
        (store / "devices.json").write_text(content)
        assert copy_rates.with_remembered((RTX_3060,), here.store()) == (RTX_3060,)
