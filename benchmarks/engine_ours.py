"""Measures undercard's own rungs: the engine as a backend opens it, with embeddings given."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.engine_rows import GB, STEPS, Row
from undercard.backends import Rung, Work
from undercard.errors import OutOfMemory
from undercard.hardware.devices import Device
from undercard.models.weights import QUANTISED

if TYPE_CHECKING:
    from benchmarks.engine_inputs import Inputs
    from undercard.backends.qwen.renderer import EngineRenderer
    from undercard.engine.stages.opening import Model, Ready

RUNGS = ("bf16", "fp8", "int8", "nf4", *QUANTISED)
KEYFRAMES = 3


def measure_ours(
    rung_name: str, caps_gb: Sequence[float | None], references: Sequence[int], checkpoint: Path
) -> Iterator[Row]:
    """Measure the backend called *rung_name* under each cap, with as many blocks on the card as it finds room for.

    It is opened once, under the first cap; from there on it keeps the blocks that the planner foresees room for.

    Yields:
        A row for each cap and number of *references*, as soon as it is measured; `s_first_image` in the first alone.
    """
    import torch
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as published

    from benchmarks import engine_meter
    from benchmarks.engine_inputs import inputs_of
    from undercard.backends.qwen import renderer

    inputs = inputs_of(checkpoint)
    # The size that the pipeline brings references to; a dry run's is smaller.
    published.VAE_IMAGE_SIZE = inputs.size[0] * inputs.size[1]
    model = _model(rung_name, checkpoint)
    asked = [(cap_gb, count) for cap_gb in caps_gb for count in references]
    rungs = [_rung(rung_name, cap_gb, Work(inputs.size, count)) for cap_gb, count in asked]
    engine_meter.cap_allocator(caps_gb[0])
    # Without a limit of its own: the caps are this benchmark's.
    with renderer.opened(model, replace(rungs[0], vram_limit=0), lambda _steps: "") as engine:
        for (cap_gb, count), rung in zip(asked, rungs, strict=True):
            try:
                row = _row(engine, rung, inputs, count, cap_gb, checkpoint)
            except (OutOfMemory, torch.OutOfMemoryError) as exc:
                note = str(exc).partition(" GPU ")[0]
                row = Row(rung=rung_name, cap_gb=cap_gb, references=count, out_of_memory=True, note=note)
            yield row


def _model(name: str, checkpoint: Path) -> Model:
    """Return what the backend called *name* opens; its file is written first where it has one, and settings say so."""
    from benchmarks import engine_meter, quantised_weights
    from undercard import backends, settings
    from undercard.backends.qwen.bf16 import QwenBackend
    from undercard.backends.qwen.quantised import QuantisedBackend
    from undercard.engine.stages.opening import Model
    from undercard.models import weights
    from undercard.store import Store

    os.environ["UNDERCARD_MODEL"], os.environ["UNDERCARD_STEPS"] = str(checkpoint), str(STEPS)
    backend, store = backends.backend(name), Store(settings.load().store_root)
    if isinstance(backend, QwenBackend):
        return Model(checkpoint, backend.codec, STEPS, engine_meter.device(), store)
    assert isinstance(backend, QuantisedBackend)
    file = quantised_weights.write(checkpoint, name)
    os.environ[weights.setting(name)] = str(file)
    four_bits = backend.way(machine(None), settings.load()).four_bits
    return Model(checkpoint, "bf16", STEPS, engine_meter.device(), store, file=file, four_bits=four_bits)


def machine(cap_gb: float | None) -> Device:
    """Return this machine with its card as free as *cap_gb* leaves it."""
    from undercard import settings
    from undercard.hardware import devices
    from undercard.hardware.probe import this_device

    whole = this_device(settings.load())
    if whole.gpu is None:
        return whole
    # What this process holds already counts as free.
    gpu = replace(whole.gpu, free_bytes=whole.gpu.total_bytes)
    return whole.alone(gpu if cap_gb is None else devices.with_allocatable(gpu, int(cap_gb * GB)))


def _rung(name: str, cap_gb: float | None, work: Work) -> Rung:
    """Return the rung with the most blocks on the card that the planner has under *cap_gb*."""
    from undercard import backends, settings

    return backends.backend(name).rungs(work, machine(cap_gb), settings.load())[0]


def _row(
    engine: EngineRenderer, rung: Rung, inputs: Inputs, references: int, cap_gb: float | None, checkpoint: Path
) -> Row:
    from benchmarks import engine_errors, engine_meter

    opened = engine.ready is not None
    if engine.ready is not None:
        _settle(engine.ready, rung.resident_blocks, cap_gb)
    engine.resident, engine.vram_limit = rung.resident_blocks, 0 if cap_gb is None else int(cap_gb * GB)
    start = time.perf_counter()
    ready = engine.ready_model()
    # Brings in the blocks that stay, and the kernels of these lengths.
    _keyframe(ready, inputs, references, seed=0)
    first = time.perf_counter() - start
    engine_meter.forget_peaks()
    keyframes = [_timed_keyframe(ready, inputs, references, seed) for seed in range(1, 1 + KEYFRAMES)]
    with _timed_steps(ready) as steps:
        _keyframe(ready, inputs, references, seed=0)
    peaks = engine_meter.peaks()
    pinned_bytes = sum(map(ready.streamer.source.size_bytes, range(ready.streamer.count)))
    return Row(
        rung=rung.backend,
        cap_gb=cap_gb,
        references=references,
        s_per_step=round(statistics.median(steps), 4),
        s_per_keyframe=round(statistics.median(keyframes), 4),
        s_first_image=None if opened else round(first, 2),
        peak_vram_gb=peaks.vram_gb,
        peak_reserved_gb=peaks.reserved_gb,
        peak_host_gb=peaks.host_gb,
        pinned_gb=round(pinned_bytes / GB, 2),
        predicted_vram_gb=round(rung.needs.vram_bytes / GB, 2),
        predicted_s=round(rung.needs.seconds, 3),
        exact=rung.exact,
        error=engine_errors.of(ready, rung.backend, checkpoint),
        note="; ".join((rung.detail, *ready.notes)),
    )


def _settle(ready: Ready, resident: int, cap_gb: float | None) -> None:
    """Leave the card, and take it anew for *resident* blocks under *cap_gb*, whatever came of the last row."""
    import torch

    from benchmarks import engine_meter
    from undercard.engine.streaming.streamer import CudaStreamer

    if isinstance(ready.streamer, CudaStreamer):
        ready.streamer.withdraw()
        ready.streamer.keep_resident(resident)
        torch.cuda.empty_cache()
    engine_meter.cap_allocator(cap_gb)


def _keyframe(ready: Ready, inputs: Inputs, references: int, seed: int) -> None:
    """Make one picture: references through the VAE, the steps, the decode."""
    from undercard.engine.stages import pipeline
    from undercard.engine.text.embeddings import Embeddings

    work = pipeline.Denoising(
        prompt=Embeddings(inputs.embeddings(ready.pipeline.place).cpu(), None),
        references=inputs.references(references),
        seed=seed,
        size=inputs.size,
        steps=STEPS,
    )
    latents = pipeline.denoise(ready.pipeline, work, ready.tables)
    pipeline.decode(ready.pipeline, latents, inputs.size)


def _timed_keyframe(ready: Ready, inputs: Inputs, references: int, seed: int) -> float:
    from benchmarks import engine_meter

    with engine_meter.lap() as lap:
        _keyframe(ready, inputs, references, seed)
    return lap.seconds


@contextmanager
def _timed_steps(ready: Ready) -> Iterator[list[float]]:
    """Note the seconds of every call of the transformer, the card idle before and after."""
    from benchmarks import engine_meter

    transformer = ready.pipeline.transformer
    whole = transformer.forward
    seconds: list[float] = []

    def timed(**arguments: object) -> object:
        with engine_meter.lap() as lap:
            answer = whole(**arguments)
        seconds.append(lap.seconds)
        return answer

    transformer.forward = timed
    try:
        yield seconds
    finally:
        transformer.forward = whole
