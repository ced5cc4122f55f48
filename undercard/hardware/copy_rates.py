"""How fast bytes get from pinned host memory to each card: measured once by a child process, then remembered."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from undercard import settings
from undercard.hardware.devices import Gpu, child_variables
from undercard.store import Store, write_atomically

COMMAND = (sys.executable, "-m", "undercard.engine.copy_speed")
WAIT_SECONDS = 90.0
"""Loading torch from a cold disk takes most of it."""
NEEDED_BYTES = 1_000_000_000
"""Free on the card: a context and one buffer."""


def with_remembered(gpus: tuple[Gpu, ...], store: Store) -> tuple[Gpu, ...]:
    """Return *gpus* with the rates that were measured on this machine; a card without a record is unchanged."""
    if not gpus:
        return gpus
    rates = _remembered(store)
    return tuple(replace(gpu, copy_bytes_per_second=rates.get(gpu.uuid, gpu.copy_bytes_per_second)) for gpu in gpus)


def measure(gpu: Gpu, store: Store, command: Sequence[str] = COMMAND) -> Gpu:
    """Measure the rate of *gpu* in a child process and remember it.

    Args:
        gpu: the card.
        store: where its rate is remembered.
        command: prints bytes a second for the first card that it sees.

    Returns:
        The card with its rate, or unchanged where that cannot be measured now: no torch, or no memory free.

    Raises:
        StoreError: the rate cannot be remembered.
    """
    if gpu.free_bytes < NEEDED_BYTES:
        return gpu
    environment = settings.child_environment(child_variables(gpu))
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=WAIT_SECONDS, check=True
        )
        rate = float(done.stdout)
    # Only a plan rests on it, and a plan can do with what the link promises.
    except (OSError, subprocess.SubprocessError, ValueError):
        return gpu
    # Two processes that measure at once write the same but for noise; the last one stands.
    write_atomically(_record(store), json.dumps(_remembered(store) | {gpu.uuid: rate}, indent=1).encode())
    return replace(gpu, copy_bytes_per_second=rate)


def _record(store: Store) -> Path:
    return store.root / "devices.json"


def _remembered(store: Store) -> dict[str, float]:
    try:
        content = json.loads(_record(store).read_bytes())
        return {str(uuid): float(rate) for uuid, rate in content.items()}
    # Nothing was measured yet, or somebody wrote into the file; it is measured again.
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
