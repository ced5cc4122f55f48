"""The ways to run the Qwen-Image-Edit engine on a card: how many blocks of which format stay on it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from undercard.backends import Needs, Rung, Work
from undercard.backends.qwen.costs import FRAGMENT_BYTES, Costs, Storage
from undercard.hardware import card_speed, devices
from undercard.hardware.devices import Device, Gpu
from undercard.models.architecture import QWEN_IMAGE_EDIT, Architecture

STRIPS_SAVE_BYTES = 100_000_000
"""How much less than whole pictures strips are given, at least."""
SLACK = 1.25
"""What a rung may take over the least it can do with: a cap that is too tight would fail by itself."""


def rungs_for(
    storage: Storage,
    backend: str,
    work: Work,
    device: Device,
    *,
    steps: int = 4,
    model: Architecture = QWEN_IMAGE_EDIT,
    passes: int = 1,
) -> tuple[Rung, ...]:
    """Return the ways to run the engine on the first card of *device*, fastest first.

    As many resident blocks as fit, half of those, and none; and none with pictures in strips, which is there even when
    it does not fit and whose pixels are not exact, since cuDNN rounds a strip otherwise than a whole picture. Without a
    card one way, on the processor.
    """
    costs = Costs(storage, work, steps, model, passes=passes)
    gpu = device.gpu
    if gpu is None:
        return (_on_the_processor(costs, backend, device),)
    limit = devices.allocatable_bytes(gpu)
    most = _most_resident(costs, limit)
    rungs = [_rung(costs, backend, gpu, most, limit)]
    for count in {most // 2, 0} - {most}:
        # What it steps down to when memory was short must be content with less.
        enough = max(_slack(costs, count), costs.whole_alone_bytes if storage.exact else 0)
        rungs.append(_rung(costs, backend, gpu, count, min(limit, enough)))
    if all(rung.exact for rung in rungs):
        # It must need less than the exact ones, or nothing would step down to it.
        least = min(rung.needs.vram_bytes for rung in rungs) - STRIPS_SAVE_BYTES
        rungs.append(_rung(costs, backend, gpu, 0, min(limit, _slack(costs, 0), least)))
    return fastest_first(rungs)


def _slack(costs: Costs, resident: int) -> int:
    return int(SLACK * costs.least_vram_bytes(resident)) + devices.RESERVE_BYTES


def rung_from_disk(
    storage: Storage,
    backend: str,
    work: Work,
    device: Device,
    *,
    steps: int,
    model: Architecture,
    passes: int = 1,
) -> tuple[Rung, ...]:
    """Return the way for a machine whose host memory cannot hold the blocks: read as they lie on disk, at each step.

    None without a card, where computing takes far longer than any disk, and swapping is the system's business.
    """
    gpu = device.gpu
    if gpu is None:
        return ()
    costs = Costs(storage, work, steps, model, from_disk=True, passes=passes)
    limit = devices.allocatable_bytes(gpu)
    most = min(_most_resident(costs, limit), model.blocks)
    rung = _rung(costs, backend, gpu, most, limit)
    return (replace(rung, detail=f"{rung.detail}, others read from disk", from_disk=True),)


def fastest_first(rungs: Iterable[Rung]) -> tuple[Rung, ...]:
    """Return *rungs* of one backend in the order in which they are tried."""
    return tuple(sorted(rungs, key=_speed_then_size))


def _speed_then_size(rung: Rung) -> tuple[int, int]:
    # Where a hundredth of the time is all that differs, the rung with more on the card has more ways down.
    return round(math.log(rung.needs.seconds) / 0.01), -rung.needs.vram_bytes


def _most_resident(costs: Costs, limit: int) -> int:
    """Return how many blocks may stay: room for whole pictures comes first, as tiles round otherwise.

    A block less costs next to nothing: it passes while the others compute.
    """
    # Where the autoencoder takes the blocks' place, the memory between them is cut anew with every picture: fp8 within
    # 0.24 GB of a cap of 3 GB took 0.46 s a step on an H100 instead of 0.31.
    for needed, fragments in ((costs.whole_vram_bytes, 1), (costs.least_vram_bytes, 2)):
        for count in range(costs.model.blocks, -1, -1):
            if needed(count) <= limit - fragments * FRAGMENT_BYTES:
                return count
    return 0


def _rung(costs: Costs, backend: str, gpu: Gpu, resident: int, limit: int) -> Rung:
    """Return the rung with that many *resident* blocks, which may take *limit* on the card, or what it must."""
    needs = Needs(
        vram_bytes=costs.vram_bytes(resident, limit),
        host_bytes=costs.host_bytes(),
        seconds=costs.seconds(resident, gpu, limit),
        open_seconds=costs.open_seconds(),
    )
    exact = costs.storage.exact and limit >= costs.whole_alone_bytes
    strips = ", in strips" if costs.storage.exact and not exact else ""
    return Rung(
        backend=backend,
        exact=exact,
        needs=needs,
        detail=f"{resident} of {costs.model.blocks} blocks resident{strips}",
        vram_limit=max(limit, needs.vram_bytes),
        resident_blocks=resident,
    )


def _on_the_processor(costs: Costs, backend: str, device: Device) -> Rung:
    host_bytes = costs.activation_bytes + costs.host_bytes()
    seconds = costs.asked * costs.step_operations / (card_speed.CPU_CORE_RATE * max(device.cores, 1))
    needs = Needs(vram_bytes=0, host_bytes=host_bytes, seconds=seconds, open_seconds=costs.open_seconds())
    return Rung(backend, exact=costs.storage.exact, needs=needs, detail="on the processor")
