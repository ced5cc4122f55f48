"""Measures keyframes through one backend in this process, and appends the row to a file, one JSON object a line.

    python -m benchmarks.backends_child NAME --checkpoint DIR --caps 10 --references 1 --out rows.jsonl

benchmarks.backends starts one for each backend. The seconds of a step are those between what the backend tells of its
progress, from the second step on: before the first, some encode the prompt and the references.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import torch
from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as published
from PIL.Image import Image

from benchmarks import comfyui_models, engine_errors, quantised_weights
from benchmarks import engine_meter as meter
from benchmarks.comfyui_server import Server, watched
from benchmarks.engine_child import asked
from benchmarks.engine_film import requests_of
from benchmarks.engine_inputs import inputs_of
from benchmarks.engine_meter import Peaks
from benchmarks.engine_ours import machine
from benchmarks.engine_rows import GB, STEPS, Row
from undercard import backends, settings
from undercard.backends import Renderer, Rung, Work
from undercard.backends.qwen.renderer import EngineRenderer
from undercard.domain import progress
from undercard.domain.progress import Stage
from undercard.domain.requests import RenderRequest
from undercard.errors import OutOfMemory
from undercard.hardware.devices import Device
from undercard.models import weights
from undercard.models.catalogue import COMFYUI
from undercard.models.weights import QUANTISED

KEYFRAMES = 3
"""Warm ones, at the most."""
SLOW_SECONDS = 20.0
"""A keyframe that takes so long is rendered once: what warms up is lost in it."""


@dataclass(slots=True)
class Marks:
    """When a backend told what."""

    told: list[tuple[Stage, float]] = field(default_factory=list)

    def hear(self, stage: Stage) -> None:
        """Note *stage*, the device idle."""
        meter.synchronize()
        self.told.append((stage, time.perf_counter()))

    def steps(self) -> list[float]:
        """Return the seconds of each step from the second on."""
        seconds: dict[int, float] = {}
        for (stage, began), (_, ended) in pairwise(self.told):
            # A server counts the steps that are done, and so tells of the last one twice.
            if stage.name == "denoise" and stage.step > 1:
                seconds.setdefault(stage.step, ended - began)
        return list(seconds.values())


@dataclass(slots=True)
class Bench:
    """An open backend, and what it took so far."""

    renderer: Renderer
    server: Server | None
    """Whose memory is looked at in place of this process's."""
    steps: list[float] = field(default_factory=list)
    peaks: list[Peaks] = field(default_factory=list)
    notes: set[str] = field(default_factory=set)

    def encode(self, requests: Sequence[RenderRequest]) -> None:
        """Announce *requests*; where their prompts are encoded now, a note says how long that took."""
        with meter.lap() as lap:
            self.renderer.encode(requests)
        if lap.seconds > 1.0:
            self.notes.add(f"{len(requests)} prompts encoded before in {lap.seconds:.1f} s")
        self._look()

    def keyframe(self, request: RenderRequest) -> tuple[Image, float]:
        """Return the picture of *request* and the seconds it took."""
        marks = Marks()
        with progress.listening(marks.hear), meter.lap() as lap:
            rendered = self.renderer.render(request)
        self.steps += marks.steps()
        self.notes.update(rendered.notes)
        self._look()
        return rendered.image, lap.seconds

    def most(self) -> Peaks:
        """Return the peaks from the opening on."""
        vram, reserved, pinned = (
            max((value for peaks in self.peaks if (value := getattr(peaks, name)) is not None), default=None)
            for name in ("vram_gb", "reserved_gb", "pinned_gb")
        )
        return Peaks(vram, reserved, max(peaks.host_gb for peaks in self.peaks), pinned)

    def _look(self) -> None:
        # Before every picture a renderer forgets the peaks of the one before.
        self.peaks.append(self.server.peaks() if self.server else meter.peaks())


def measure(name: str, cap_gb: float | None, references: int, checkpoint: Path) -> Row:
    """Return what keyframes through the backend called *name* take, or why there are none.

    Args:
        name: of a backend.
        cap_gb: what torch's allocator may hold in this process; a server has its own.
        references: how many pictures a request names.
        checkpoint: folder of benchmarks.engine_weights, with a text encoder.

    Raises:
        UndercardError: it cannot render, for another reason than memory.
    """
    inputs = inputs_of(checkpoint)
    # The size that references are brought to; a dry run's is smaller.
    published.VAE_IMAGE_SIZE = inputs.size[0] * inputs.size[1]
    render_with(checkpoint, name)
    if name != COMFYUI:
        # Beside a server this process stays off the card, where its context would take some of what that is to have.
        meter.cap_allocator(cap_gb)
    device, found = machine(cap_gb), backends.backend(name)
    row = Row(rung=name, cap_gb=cap_gb, references=references, exact=found.exact)
    if reason := found.unavailable(device, settings.load()):
        return row.model_copy(update={"note": str(reason)})
    rung = found.rungs(Work(inputs.size, references), device, settings.load())[0]
    if cap_gb is not None:
        # Some plan for more where less does not do; here they are to run out.
        rung = replace(rung, vram_limit=int(cap_gb * GB))
    requests = list(requests_of(inputs.size, inputs.size, 1 + KEYFRAMES))
    try:
        with server_of(name) as server:
            return _measured(row, rung, requests, server, checkpoint)
    except (OutOfMemory, torch.OutOfMemoryError) as exc:
        return row.model_copy(update={"out_of_memory": True, "note": str(exc).partition(" GPU ")[0]})


def render_with(checkpoint: Path, name: str) -> None:
    """Let the settings of this process name *checkpoint*, and what was made of it for the backend called *name*."""
    os.environ.update(UNDERCARD_MODEL=str(checkpoint), UNDERCARD_STEPS=str(STEPS), UNDERCARD_LORA="none")
    os.environ["UNDERCARD_COMFYUI_LORA"] = "none"
    if name in QUANTISED:
        os.environ[weights.setting(name)] = str(quantised_weights.file_of(checkpoint, name))


@contextmanager
def server_of(name: str) -> Iterator[Server | None]:
    """Watch the server that the backend called *name* renders with; None where it renders in this process."""
    if name != COMFYUI:
        yield None
        return
    with watched(str(settings.load().comfyui)) as server:
        yield server


def _measured(row: Row, rung: Rung, requests: Sequence[RenderRequest], server: Server | None, checkpoint: Path) -> Row:
    backend = backends.backend(row.rung)
    device = machine(row.cap_gb)
    meter.forget_peaks()
    with ExitStack() as stack:
        with meter.lap() as opening:
            bench = Bench(stack.enter_context(backend.open(device, rung, settings.load())), server)
        bench.encode(requests)
        first, first_seconds = bench.keyframe(requests[0])
        slow = first_seconds > SLOW_SECONDS
        if slow:
            bench.notes.add("one keyframe, the first")
        else:
            bench.steps.clear()
        walls = [first_seconds] if slow else [bench.keyframe(request)[1] for request in requests[1:]]
        ready = bench.renderer.ready if isinstance(bench.renderer, EngineRenderer) else None
        error = engine_errors.of(ready, row.rung, checkpoint) if ready is not None else None
        peaks = bench.most()
    if server is None:
        picture_error = engine_errors.of_picture(first, row.rung, checkpoint)
    else:
        bench.notes.add(f"ComfyUI {server.version}, its picture against its own in bf16")
        picture_error = _against_its_own(first, requests[0], rung, device)
    return row.model_copy(
        update={
            "s_per_step": round(statistics.median(bench.steps), 4) if bench.steps else None,
            "s_per_keyframe": round(statistics.median(walls), 3),
            "s_first_image": round(opening.seconds + first_seconds, 2),
            "peak_vram_gb": peaks.vram_gb,
            "peak_reserved_gb": peaks.reserved_gb,
            "peak_host_gb": peaks.host_gb,
            "pinned_gb": peaks.pinned_gb,
            "predicted_vram_gb": round(rung.needs.vram_bytes / GB, 2),
            "predicted_s": round(rung.needs.seconds, 3),
            # What is said to be exact must be so.
            "exact": row.exact and not picture_error,
            "error": error,
            "picture_error": picture_error,
            "note": "; ".join(filter(None, (rung.detail, *sorted(bench.notes)))),
        }
    )


def _against_its_own(picture: Image, request: RenderRequest, rung: Rung, device: Device) -> float | None:
    """Return the error of a server's *picture* against what it draws in bf16: it has its own noise and tokens.

    None where it has no such file, or not the memory for it.
    """
    os.environ["UNDERCARD_COMFYUI_UNET"] = comfyui_models.BF16
    backend = backends.backend(rung.backend)
    if backend.unavailable(device, settings.load()):
        return None
    try:
        with backend.open(device, rung, settings.load()) as renderer:
            return engine_errors.between(picture, renderer.render(request).image)
    except OutOfMemory:
        return None


def main() -> None:
    """Measure what the command line says."""
    given = asked(__doc__ or "")
    with given.out.open("a", encoding="utf-8") as file:
        for cap_gb in given.caps:
            for references in given.references:
                file.write(measure(given.name, cap_gb, references, given.checkpoint).model_dump_json() + "\n")
                file.flush()


if __name__ == "__main__":
    main()
