from __future__ import annotations

import os
from dataclasses import replace

import pytest

from tests.fakes.cards import GB, H100, RTX_3060, Driver, Process
from undercard.hardware import nvml

UUIDS = (H100.uuid, RTX_3060.uuid)


@pytest.fixture(autouse=True)
def every_card_is_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.parametrize(
    ("variable", "shown"),
    [
        (None, UUIDS),
        ("0", UUIDS[:1]),
        ("1,0", UUIDS[::-1]),
        (" 1 ", UUIDS[1:]),
        (RTX_3060.uuid, UUIDS[1:]),
        ("GPU-bbbb", UUIDS[1:]),
        ("", ()),
        ("-1", ()),
        ("1,-1,0", UUIDS[1:]),
        ("0,7,1", UUIDS[:1]),
        ("GPU-", ()),
        ("0,0", UUIDS[:1]),
        ("MIG-1234", ("MIG-1234",)),
    ],
)
def test_cards_are_shown_as_cuda_shows_them(variable: str | None, shown: tuple[str, ...]) -> None:
    assert nvml.visible(UUIDS, variable) == shown


def test_a_card_is_told_as_the_driver_tells_it() -> None:
    (card,) = nvml.cards(Driver((H100,)))

    assert card == replace(H100, copy_bytes_per_second=0.0, float_rate=2 * 1000 * 1500e6)


def test_cards_are_counted_as_the_environment_orders_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,0")

    cards = nvml.cards(Driver((H100, RTX_3060)))

    assert [(card.index, card.uuid) for card in cards] == [(0, RTX_3060.uuid), (1, H100.uuid)]


def test_a_machine_without_a_driver_has_no_cards() -> None:
    assert nvml.cards(Driver((H100,), silent=frozenset({"nvmlInit"}))) == ()


def test_what_an_old_driver_does_not_tell_is_left_unknown() -> None:
    silent = frozenset({"nvmlDeviceGetNumGpuCores", "nvmlDeviceGetMaxPcieLinkWidth"})

    (card,) = nvml.cards(Driver((H100,), silent=silent))

    assert (card.float_rate, card.pcie_lanes) == (0.0, 0)


def test_a_card_that_is_lost_while_it_is_looked_at_is_none_and_the_driver_is_closed() -> None:
    driver = Driver((H100,), silent=frozenset({"nvmlDeviceGetMemoryInfo"}))

    assert nvml.cards(driver) == ()
    assert driver.opened == 0


def test_who_both_computes_and_draws_is_counted_once() -> None:
    driver = Driver((H100,), computing=[Process(1, 2 * GB)], drawing=[Process(1, 2 * GB)])

    assert [tenant.used_bytes for tenant in nvml.tenants(H100.uuid, driver)] == [2 * GB]


def test_this_process_is_told_from_another_tenant() -> None:
    driver = Driver((H100,), computing=[Process(os.getpid(), GB), Process(1, 3 * GB)])

    assert [(tenant.pid, tenant.ours) for tenant in nvml.tenants(H100.uuid, driver)] == [
        (1, False),
        (os.getpid(), True),
    ]


def test_a_tenant_that_cannot_be_seen_from_here_has_no_name() -> None:
    (tenant,) = nvml.tenants(H100.uuid, Driver((H100,), computing=[Process(2**22 + 1, None)]))

    assert (tenant.name, tenant.used_bytes, tenant.ours) == ("", 0, False)


def test_a_driver_that_names_no_processes_leaves_no_tenants() -> None:
    driver = Driver((H100,), drawing=[Process(1, GB)], silent=frozenset({"nvmlDeviceGetComputeRunningProcesses"}))

    assert [tenant.pid for tenant in nvml.tenants(H100.uuid, driver)] == [1]
