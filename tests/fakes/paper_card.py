"""A card that is a file: tests fill it with tenants, and the hungry backends run out of it for real."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from undercard.hardware.devices import Device, Gpu
from undercard.settings import Settings
from undercard.store import write_atomically

GB = 1_000_000_000


def alive(name: str) -> bool:
    """Say whether the process that `held-PID` speaks of still runs."""
    pid = int(name.removeprefix("held-"))
    return psutil.pid_exists(pid) and bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)


@dataclass(frozen=True, slots=True)
class FakeCard:
    """The card of a store."""

    store: Path
    total: float = 24.0
    count: int = 1
    """How many of them there are; a tenant is on each."""

    def fill(self, tenant: float) -> None:
        """Let another process hold *tenant* GB."""
        write_atomically(self.store / "card.json", json.dumps({"total": self.total, "tenant": tenant}).encode())

    def squeeze(self, *caps: float) -> None:
        """Let the card hold less than it tells of: GB until the first take is made, until the second, and so on."""
        content = {"total": self.total, "tenant": 0.0, "caps": caps}
        write_atomically(self.store / "card.json", json.dumps(content).encode())

    def look(self, _settings: Settings | None = None) -> Device:
        """Return a machine with the card as it is now."""
        path = self.store / "card.json"
        tenant = json.loads(path.read_text())["tenant"] if path.is_file() else 0.0
        free = int((self.total - tenant) * GB)
        gpus = tuple(
            Gpu(
                index=index,
                name="a card of paper",
                total_bytes=int(self.total * GB),
                free_bytes=max(0, free - self._held(f"GPU-paper-{index}")),
                capability=(8, 6),
                uuid=f"GPU-paper-{index}",
            )
            for index in range(self.count)
        )
        return Device(cores=2, host_bytes=64 * GB, host_free_bytes=64 * GB, gpus=gpus)

    def _held(self, uuid: str) -> int:
        """Return what children of ours hold on the card *uuid*; a process that is gone holds nothing."""
        notes = (file.read_text().split() for file in self.store.glob("held-*") if alive(file.name))
        return sum(int(note[1]) for note in notes if len(note) == 2 and note[0] == uuid)

    @property
    def events(self) -> Sequence[str]:
        """What the children did, in order."""
        path = self.store / "events.txt"
        return path.read_text().splitlines() if path.is_file() else []
