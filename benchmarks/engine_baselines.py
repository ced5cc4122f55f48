"""Measures what users of diffusers have today, on the same inputs and under the same caps as undercard's own rungs.

    python -m benchmarks.engine_child MODE --checkpoint DIR --caps 10 --references 1 2 --out rows.jsonl

MODE is `resident` (all on the card), `model-offload`, `group-offload` (block by block, on a stream, pinned) or
`sequential` (accelerate, layer by layer). Embeddings are given: the text encoder is no part of what is measured.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLQwenImage,
    FlowMatchEulerDiscreteScheduler,
    QwenImageEditPlusPipeline,
    QwenImageTransformer2DModel,
)
from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as published

from benchmarks import engine_meter as meter
from benchmarks.engine_inputs import Inputs, inputs_of
from benchmarks.engine_rows import STEPS, TODAY, Row

TIMED_STEPS = {"sequential": 2}
"""Where four steps take half a minute; a keyframe's other steps are reckoned at the median."""
TILED_BELOW_GB = 8.0
"""Decoding 1024 x 1024 px takes 5.8 GB in one piece and 1.7 GB in tiles; offloaded blocks come on top."""
ENOUGH_SECONDS = 10.0
ENOUGH_KEYFRAMES = 3


@dataclass(slots=True)
class Steps:
    """The seconds of each call of a transformer, from hooks that enclose whatever offloading does."""

    seconds: list[float] = field(default_factory=list)
    _started: float = 0.0

    def watch(self, transformer: torch.nn.Module) -> None:
        """Time *transformer* from its next call on."""
        transformer.register_forward_pre_hook(self._before)
        transformer.register_forward_hook(self._after)

    def _before(self, module: torch.nn.Module, arguments: object) -> None:
        meter.synchronize()
        self._started = time.perf_counter()

    def _after(self, module: torch.nn.Module, arguments: object, output: object) -> None:
        meter.synchronize()
        self.seconds.append(time.perf_counter() - self._started)


@dataclass(slots=True)
class Bench:
    """A pipeline that is open, and what every keyframe asks of it."""

    # diffusers' pipelines are untyped.
    pipeline: Any
    steps: Steps
    inputs: Inputs
    timed_steps: int
    warm_for: int = -1
    """How many references the last keyframe had."""

    def keyframe(self, references: int, steps: int | None = None) -> float:
        """Make one picture; return the seconds it took, with the steps that were left out reckoned in.

        Raises:
            torch.OutOfMemoryError: it does not fit under the cap.
        """
        steps = steps or self.timed_steps
        pictures = self.inputs.references(references)
        embeddings = self.inputs.embeddings(meter.device())
        before = len(self.steps.seconds)
        with meter.lap() as lap:
            self.pipeline(
                image=pictures,
                prompt_embeds=embeddings,
                prompt_embeds_mask=torch.ones(embeddings.shape[:2], dtype=torch.long, device=embeddings.device),
                width=self.inputs.size[0],
                height=self.inputs.size[1],
                num_inference_steps=steps,
                true_cfg_scale=1.0,
                generator=torch.Generator().manual_seed(0),
            )
        # The first call of a keyframe also brings in what model offload had taken out.
        usual = statistics.median(self.steps.seconds[before:])
        self.warm_for = references
        return lap.seconds + (STEPS - steps) * usual


def measure_baseline(mode: str, cap_gb: float | None, references: Sequence[int], checkpoint: Path) -> Iterator[Row]:
    """Measure one mode in this process: the checkpoint is opened once, for all the numbers of *references*.

    Args:
        mode: a name of `TODAY`.
        cap_gb: what the allocator is capped at already; decides whether the VAE tiles.
        references: how many reference images, for each row.
        checkpoint: folder in diffusers' layout.

    Yields:
        A row for each number of references, as soon as it is measured.
    """
    note = "" if mode not in TIMED_STEPS else f"timed on {TIMED_STEPS[mode]} of its {STEPS} steps"
    # Most references last: where so many run out of memory, more do too.
    blanks = [Row(rung=mode, cap_gb=cap_gb, references=count, exact=True, note=note) for count in sorted(references)]
    bench: Bench | None = None
    for index, blank in enumerate(blanks):
        try:
            row = blank
            if bench is None:
                with meter.lap() as opening:
                    bench = _open(mode, checkpoint, tiled=cap_gb is not None and cap_gb < TILED_BELOW_GB)
                first_image = opening.seconds + bench.keyframe(blank.references)
                row = blank.model_copy(update={"s_first_image": round(first_image, 2)})
            row = _measure(bench, row)
        except torch.OutOfMemoryError as exc:
            failed = {"out_of_memory": True, "note": str(exc).partition(" GPU ")[0]}
            yield from (rest.model_copy(update=failed) for rest in blanks[index:])
            return
        yield row


def _open(mode: str, checkpoint: Path, *, tiled: bool) -> Bench:
    """Open *checkpoint* and lay it out as *mode* says."""
    device = meter.device()
    inputs = inputs_of(checkpoint)
    # References are brought to this area, which is that of the true sizes.
    published.VAE_IMAGE_SIZE = inputs.size[0] * inputs.size[1]
    options: dict[str, Any] = {"torch_dtype": torch.bfloat16}
    # diffusers' loaders are untyped.
    transformer: Any = QwenImageTransformer2DModel.from_pretrained(checkpoint, subfolder="transformer", **options)
    vae: Any = AutoencoderKLQwenImage.from_pretrained(checkpoint, subfolder="vae", **options)
    scheduler: Any = FlowMatchEulerDiscreteScheduler.from_pretrained(checkpoint, subfolder="scheduler")
    pipeline: Any = QwenImageEditPlusPipeline(
        scheduler=scheduler, vae=vae, text_encoder=None, tokenizer=None, processor=None, transformer=transformer
    )
    pipeline.set_progress_bar_config(disable=True)
    if tiled:
        vae.enable_tiling()
    if mode == "resident":
        pipeline.to(device)
    elif mode == "model-offload":
        pipeline.enable_model_cpu_offload(device=device)
    elif mode == "sequential" and device.type == "cpu":
        raise RuntimeError("sequential offload needs a card")
    elif mode == "sequential":
        pipeline.enable_sequential_cpu_offload(device=device)
    elif mode == "group-offload":
        vae.to(device)
        transformer.enable_group_offload(
            onload_device=device,
            offload_device=torch.device("cpu"),
            offload_type="block_level",
            num_blocks_per_group=1,
            # Only a card has streams.
            use_stream=device.type == "cuda",
            non_blocking=True,
        )
    else:
        raise ValueError(f"{mode!r} is no mode; use one of {', '.join(TODAY)}")
    steps = Steps()
    steps.watch(transformer)
    return Bench(pipeline, steps, inputs, TIMED_STEPS.get(mode, STEPS))


def _measure(bench: Bench, row: Row) -> Row:
    """Return *row* with the figures of a warm pipeline."""
    if bench.warm_for != row.references:
        # One step brings in the kernels of the new lengths.
        bench.keyframe(row.references, steps=1)
    gc.collect()
    meter.forget_peaks()
    bench.steps.seconds.clear()
    walls: list[float] = []
    while len(walls) < ENOUGH_KEYFRAMES and sum(walls) < ENOUGH_SECONDS:
        walls.append(bench.keyframe(row.references))
    peaks = meter.peaks()
    return row.model_copy(
        update={
            "s_per_step": round(statistics.median(bench.steps.seconds), 4),
            "s_per_keyframe": round(statistics.median(walls), 3),
            "peak_vram_gb": peaks.vram_gb,
            "peak_reserved_gb": peaks.reserved_gb,
            "peak_host_gb": peaks.host_gb,
            "pinned_gb": peaks.pinned_gb,
        }
    )
