"""What runs measured, remembered in the store, and how it corrects what backends foresee."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from undercard import __version__
from undercard.backends import Needs, Rendered, Rung, Work
from undercard.errors import StoreError
from undercard.hardware.devices import Device
from undercard.store import Store

READ_BYTES = 512_000
"""Of the end of the record: about a thousand pictures, the newest."""
NEWEST = 3
"""Pictures that a correction rests on: the middle of three is not moved by one that met a busy machine."""
LEAST, MOST = 0.25, 4.0
"""Limits of a correction as a factor: beyond them something else is wrong than the estimate."""
LEAST_ELSEWHERE = 0.75
"""The same for memory where another rung or other work was measured: what fits there need not fit here."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One picture that was rendered."""

    backend: str
    detail: str
    gpu: str
    """The card's name; empty on a machine without one."""
    work: Work
    foreseen: Needs
    """Before any correction."""
    found: Needs
    """What it took; 0 for what was not measured."""


def record(rung: Rung, work: Work, device: Device, rendered: Rendered, store: Store, open_seconds: float = 0.0) -> None:
    """Remember what a picture took.

    Leave out the first picture of a process, which warms it up, and those that share their device with another.

    Args:
        rung: as the ladder gave it.
        work: what was rendered.
        device: where; its first card is the one that rendered.
        rendered: the picture and what it took.
        store: where it is remembered.
        open_seconds: from opening to warm; 0 where another picture's record tells.

    Raises:
        StoreError: it cannot be written.
    """
    measurement = Measurement(
        backend=rung.backend,
        detail=rung.detail,
        gpu=_card(device),
        work=work,
        foreseen=rung.predicted or rung.needs,
        found=Needs(rendered.peak_vram_bytes, rendered.peak_host_bytes, rendered.seconds, open_seconds),
    )
    content = {"version": __version__, "at": round(time.time()), **asdict(measurement)}
    path = _path(store)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # One write at the end of the file: lines of several processes follow each other and do not mix.
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(file, json.dumps(content).encode() + b"\n")
        finally:
            os.close(file)
    except OSError as exc:
        raise StoreError(f"cannot write {path}: {exc.strerror}; free space or set UNDERCARD_STORE") from exc


def history(store: Store) -> tuple[Measurement, ...]:
    """Return what this version of undercard measured, oldest first; lines that cannot be read are passed over."""
    try:
        with _path(store).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - READ_BYTES))
            lines = file.read().splitlines()
    except OSError:
        return ()
    found = (_read(line) for line in lines)
    return tuple(measurement for measurement in found if measurement is not None)


def corrected(rung: Rung, work: Work, device: Device, known: Sequence[Measurement]) -> Rung:
    """Return *rung* with its needs corrected by what is nearest to it among *known*; pure.

    Nearest is the same rung doing the same work, then the same backend doing it, then the same backend; always on a
    card of the same name. Seconds are corrected by a factor. Bytes are corrected by a difference: rungs of a backend
    differ by whole blocks, whose size is known, so what is misjudged is the same for all. Its own estimate stays with
    the rung as `predicted`, which is None where nothing was measured.
    """
    needs = rung.needs
    near, same = _nearest(rung, work, _card(device), known)
    if not near:
        return rung
    least = LEAST if same else LEAST_ELSEWHERE
    better = Needs(
        vram_bytes=_bytes(needs, near, lambda one: one.vram_bytes, least),
        host_bytes=_bytes(needs, near, lambda one: one.host_bytes, least),
        seconds=_seconds(needs, near, lambda one: one.seconds),
        open_seconds=_seconds(needs, near, lambda one: one.open_seconds),
    )
    # A rung may take what it is now known to need.
    limit = max(rung.vram_limit, better.vram_bytes) if rung.vram_limit else 0
    return replace(rung, needs=better, predicted=needs, vram_limit=limit)


def _nearest(rung: Rung, work: Work, gpu: str, known: Sequence[Measurement]) -> tuple[list[Measurement], bool]:
    """Return the nearest measurements, newest first, and whether they are of this very rung and work."""
    usable = [one for one in reversed(known) if one.backend == rung.backend and one.gpu == gpu]
    working = [one for one in usable if one.work == work]
    same = [one for one in working if one.detail == rung.detail]
    return same or working or usable, bool(same)


def _seconds(needs: Needs, near: Sequence[Measurement], of: Callable[[Needs], float]) -> float:
    ratios = [of(one.found) / of(one.foreseen) for one in near if of(one.found) > 0 and of(one.foreseen) > 0]
    if not ratios:
        return of(needs)
    return of(needs) * min(MOST, max(LEAST, statistics.median(ratios[:NEWEST])))


def _bytes(needs: Needs, near: Sequence[Measurement], of: Callable[[Needs], int], least: float) -> int:
    differences = [of(one.found) - of(one.foreseen) for one in near if of(one.found) > 0]
    foreseen = of(needs)
    if not differences or not foreseen:
        return foreseen
    # The most of them: a plan that is short by a little fails.
    found = foreseen + max(differences[:NEWEST])
    return int(min(MOST * foreseen, max(least * foreseen, found)))


def _card(device: Device) -> str:
    return device.gpu.name if device.gpu else ""


def _path(store: Store) -> Path:
    return store.root / "measurements.jsonl"


def _read(line: bytes) -> Measurement | None:
    """Return the measurement on *line*, or None for one of another version, a part of one, or something else."""
    try:
        content = json.loads(line)
        # Another version may foresee something else, and be wrong by something else.
        if content["version"] != __version__:
            return None
        work = Work(tuple(content["work"]["size"]), content["work"]["references"])
        foreseen, found = Needs(**content["foreseen"]), Needs(**content["found"])
        return Measurement(content["backend"], content["detail"], content["gpu"], work, foreseen, found)
    except (ValueError, KeyError, TypeError):
        return None
