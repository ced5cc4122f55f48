"""Renders keyframes as a run does, through sessions: prompts encoded, latents denoised, pictures decoded.

    python -m benchmarks.engine_film --checkpoint DIR --cap-gb 3 --size 1080x1920
    python -m benchmarks.engine_film --checkpoint DIR --cap-gb 10 --cards

The checkpoint is one of benchmarks.engine_weights with `--text-encoder`. The first picture opens the model, after every
prompt was encoded, and is left out of the figures. With `--cards` the same is rendered on the first card alone and then
on all of them at once.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.engine_rows import GB
from undercard import backends, settings
from undercard.backends import Rendered, Work
from undercard.domain.progress import Stage
from undercard.domain.requests import RenderRequest, Size
from undercard.domain.staging import Look, PlacedFighter, Staging
from undercard.domain.timecode import parse_size
from undercard.hardware import devices
from undercard.hardware.devices import Device
from undercard.hardware.probe import this_device
from undercard.previz import cameras, poses
from undercard.production.sessions.session import Session, alone_on
from undercard.store import Store

REFERENCE = (1024, 1024)


class Timed:
    """A session, and when its stages began."""

    def __init__(self, device: Device, backend: str, size: Size, cap_gb: float | None) -> None:
        if cap_gb is not None and device.gpu is not None:
            device = device.alone(devices.with_allocatable(device.gpu, int(cap_gb * GB)))
        self.rung = backends.fastest(backend, Work(size), device, settings.load())
        self.marks: list[tuple[Stage, float]] = []
        self.session = Session(self.rung, device, settings.load(), listen=self._note)

    def _note(self, stage: Stage) -> None:
        self.marks.append((stage, time.perf_counter()))

    def render(self, request: RenderRequest) -> tuple[Rendered, dict[str, float]]:
        """Render *request* and return it with the seconds of each stage."""
        self.marks.clear()
        rendered = self.session.render(request)
        ends = [*(at for _, at in self.marks[1:]), time.perf_counter()]
        stages: dict[str, float] = {}
        for (stage, began), ended in zip(self.marks, ends, strict=True):
            stages[stage.name] = stages.get(stage.name, 0.0) + ended - began
        return rendered, stages


def measure(found: Timed, requests: Iterator[RenderRequest], keyframes: int) -> dict[str, object]:
    """Render *keyframes* and return what one takes, stage by stage."""
    results = [found.render(next(requests)) for _ in range(keyframes)]
    return {
        "rung": found.rung.label,
        "s_per_keyframe": round(statistics.median(rendered.seconds for rendered, _ in results), 3),
        "stages": {
            name: round(statistics.median(stages.get(name, 0.0) for _, stages in results), 3)
            for name in dict.fromkeys(name for _, stages in results for name in stages)
        },
        "peak_vram_gb": round(max(rendered.peak_vram_bytes for rendered, _ in results) / GB, 2),
        "peak_host_gb": round(max(rendered.peak_host_bytes for rendered, _ in results) / GB, 2),
        "predicted_vram_gb": round(found.rung.needs.vram_bytes / GB, 2),
        "predicted_s": round(found.rung.needs.seconds, 3),
        "notes": sorted({note for rendered, _ in results for note in rendered.notes}),
    }


def measure_cards(cards: Sequence[Timed], requests: Iterator[RenderRequest], keyframes: int) -> dict[str, object]:
    """Render on the first card alone, then on all at once, and return how many times as fast that is."""
    alone = _together(cards[:1], requests, keyframes)
    together = _together(cards, requests, keyframes)
    return {
        "cards": len(cards),
        "s_alone": round(alone, 2),
        "s_together": round(together, 2),
        "times_as_fast": round(len(cards) * alone / together, 3),
    }


def _together(cards: Sequence[Timed], requests: Iterator[RenderRequest], keyframes: int) -> float:
    work = [[next(requests) for _ in range(keyframes)] for _ in cards]
    threads = [
        threading.Thread(target=lambda card=card, mine=mine: [card.render(request) for request in mine])
        for card, mine in zip(cards, work, strict=True)
    ]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - start


def requests_of(size: Size, reference: Size, count: int) -> Iterator[RenderRequest]:
    """Yield *count* requests with a prompt of their own each, and one picture of noise as their reference."""
    pixels = np.random.default_rng(0).integers(0, 256, (*reference[::-1], 3), np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG", compress_level=0)
    digest = Store(settings.load().store_root).put_bytes(content.getvalue(), ".png").sha256
    look = Look(skin="#8d5a3c", trunks="#b01820", gloves="#b01820", boots="#202024", hair="#1a1210")
    fighter = PlacedFighter("red", "red", look, "orthodox", poses.pose("guard"), (0.0, 0.0), 0.0)
    staging = Staging(camera=cameras.camera("wide", [fighter]), fighters=(fighter,), light="stage")
    for number in range(count):
        prompt = f"take {number}: a boxer in red trunks throws a jab under the lights of a full arena"
        yield RenderRequest(prompt, "", number, size, staging, "", references=(digest,))


def main() -> None:
    """Measure what the command line says and print it as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, required=True, help="a folder of engine_weights, text encoder too")
    parser.add_argument("--backend", default="bf16")
    parser.add_argument("--cap-gb", type=float, help="what each card's allocator may hold; all of it if left out")
    parser.add_argument("--size", default="1024x1024")
    parser.add_argument("--reference", default="x".join(map(str, REFERENCE)), help="size of the reference")
    parser.add_argument("--keyframes", type=int, default=3)
    parser.add_argument("--cards", action="store_true", help="compare one card with all of them")
    given = parser.parse_args()
    size = parse_size(given.size)
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(UNDERCARD_MODEL=str(given.checkpoint.resolve()), UNDERCARD_STORE=folder)
        device = this_device(settings.load())
        if not device.gpus:
            os.environ["UNDERCARD_DEVICE"] = "cpu"
        found = [Timed(alone_on(device, gpu), given.backend, size, given.cap_gb) for gpu in device.gpus or (None,)]
        film = list(requests_of(size, parse_size(given.reference), len(found) * (1 + 2 * given.keyframes)))
        requests = iter(film)
        # Every prompt is encoded before the first picture, and where all cards find it, as in a run.
        found[0].session.encode(film)
        try:
            for card in found if given.cards else found[:1]:
                _, stages = card.render(next(requests))
                first = {name: round(seconds, 2) for name, seconds in stages.items()}
                print(json.dumps({"first": first, "rung": card.rung.label}), flush=True)
            result = measure_cards(found, requests, given.keyframes) if given.cards else None
            print(json.dumps(result or measure(found[0], requests, given.keyframes)))
        finally:
            for card in found:
                card.session.close()


if __name__ == "__main__":
    main()
