"""What the engine asks of torch's allocator, on a card that only answers."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from undercard.engine import card

CUDA = torch.device("cuda", 1)
CPU = torch.device("cpu")
GB = 10**9


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, torch.device]]:
    """Return what the allocator is limited to, by turns, on a card of 24 GB."""
    heard: list[tuple[float, torch.device]] = []
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _device: SimpleNamespace(total_memory=24 * GB))
    monkeypatch.setattr(
        torch.cuda, "set_per_process_memory_fraction", lambda share, device: heard.append((share, device))
    )
    return heard


@pytest.mark.parametrize(("most_bytes", "share"), [(6 * GB, 0.25), (24 * GB, 1.0), (80 * GB, 1.0)])
def test_a_limit_in_bytes_becomes_a_share_of_the_card_and_all_of_it_at_most(
    limits: list[tuple[float, torch.device]], most_bytes: int, share: float
) -> None:
    card.limit(CUDA, most_bytes)

    assert limits == [(share, CUDA)]


def test_without_a_limit_or_a_card_nothing_is_limited(limits: list[tuple[float, torch.device]]) -> None:
    card.limit(CUDA, 0)
    card.limit(CPU, 6 * GB)

    assert limits == []


def test_only_a_card_without_a_number_gets_that_of_the_current_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 3)

    assert card.numbered(card.device_at("cuda")) == torch.device("cuda", 3)
    assert card.numbered(card.device_at("cuda:0")) == torch.device("cuda", 0)
    assert card.numbered(card.device_at("cpu")) == CPU


def test_the_peak_is_the_allocators_and_nothing_on_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _device: 7 * GB)

    assert (card.peak_bytes(CUDA), card.peak_bytes(CPU)) == (7 * GB, 0)


def test_forgetting_the_peak_asks_the_card_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", asked.append)

    card.forget_peak(CUDA)
    card.forget_peak(CPU)

    assert asked == [CUDA]
