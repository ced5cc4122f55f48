"""Measures undercard's own rungs: the engine as a backend opens it, with embeddings given."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.engine_rows import GB, STEPS, Row

if TYPE_CHECKING:
    from benchmarks.engine_inputs import Inputs
    from undercard.engine.opening import Ready

RUNGS = ("bf16", "fp8", "int8", "nf4")
KEYFRAMES = 3


def measure_ours(rung_name: str, cap_gb: float | None, references: int, checkpoint: Path) -> Row:
    """Measure the backend called *rung_name* under *cap_gb*, with as many blocks on the card as it finds room for.

    Raises:
        OutOfMemory: it does not fit.
    """
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as published

    from benchmarks import engine_meter
    from benchmarks.engine_inputs import inputs_of
    from undercard import backends, devices
    from undercard.backends import Work
    from undercard.engine import renderer
    from undercard.engine.opening import Model
    from undercard.engine_costs import STORAGES, architecture
    from undercard.engine_rungs import rungs_for
    from undercard.qwen import QwenBackend, config_of

    inputs = inputs_of(checkpoint)
    # The size that the pipeline brings references to; a dry run's is smaller.
    published.VAE_IMAGE_SIZE = inputs.size[0] * inputs.size[1]
    backend = backends.backend(rung_name)
    assert isinstance(backend, QwenBackend)
    machine = devices.this_device()
    if cap_gb is not None and machine.gpu is not None:
        machine = machine.alone(devices.with_allocatable(machine.gpu, int(cap_gb * GB)))
    model = architecture(config_of(checkpoint))
    rung = rungs_for(STORAGES[rung_name], rung_name, Work(inputs.size, references), machine, steps=STEPS, model=model)[
        0
    ]
    place = Model(checkpoint, backend.codec, STEPS, engine_meter.device())
    with renderer.opened(place, rung) as engine:
        start = time.perf_counter()
        ready = engine.ready_model()
        _keyframe(ready, inputs, references, seed=0)
        first = time.perf_counter() - start
        engine_meter.forget_peaks()
        keyframes = [_timed_keyframe(ready, inputs, references, seed) for seed in range(1, 1 + KEYFRAMES)]
        steps = _timed_steps(ready, inputs, references)
        peaks = engine_meter.peaks()
    return Row(
        rung=rung_name,
        cap_gb=cap_gb,
        references=references,
        s_per_step=steps,
        s_per_keyframe=round(statistics.median(keyframes), 4),
        s_first_image=round(first, 2),
        peak_vram_gb=peaks.vram_gb,
        peak_reserved_gb=peaks.reserved_gb,
        peak_host_gb=peaks.host_gb,
        predicted_vram_gb=round(rung.needs.vram_bytes / GB, 2),
        predicted_s=round(rung.needs.seconds, 3),
        exact=rung.exact,
        note=rung.detail,
    )


def _keyframe(ready: Ready, inputs: Inputs, references: int, seed: int) -> None:
    """Make one picture: references through the VAE, the steps, the decode."""
    from undercard.engine import pipeline
    from undercard.engine.embeddings import Embeddings

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


def _timed_steps(ready: Ready, inputs: Inputs, references: int) -> float:
    """Return the median seconds of a whole call of the transformer, the card idle before and after."""
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
        for seed in range(2):
            _keyframe(ready, inputs, references, seed)
    finally:
        transformer.forward = whole
    return round(statistics.median(seconds), 4)
