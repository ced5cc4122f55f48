"""Times the transformer's steps alone, as undercard streams it, and compares its answers with diffusers' own.

    python -m benchmarks.engine_steps --checkpoint DIR --cap-gb 10 --resident 17
    python -m benchmarks.engine_steps --checkpoint DIR --compare

Prints one line of JSON: means of four steps that nothing waits between, and the peak without an autoencoder.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from diffusers import QwenImageTransformer2DModel

from benchmarks import engine_meter
from benchmarks.engine_inputs import step_of
from benchmarks.engine_rows import STEPS
from undercard.engine.files.checkpoint import open_checkpoint
from undercard.engine.stages import schedule
from undercard.engine.streaming.sources import InMemory
from undercard.engine.streaming.streamer import CudaStreamer, HostStreamer
from undercard.engine.transformer import transformer
from undercard.engine.weights import modulation
from undercard.engine.weights.codecs import codec_named
from undercard.engine.weights.loading import load

ROUNDS = 3


def measure(folder: Path, codec_name: str, resident: int, *, compare: bool) -> dict[str, object]:
    """Return seconds a step and peak memory, and with *compare* the largest difference from diffusers' answers."""
    device = engine_meter.device()
    device = torch.device("cuda", torch.cuda.current_device()) if device.type == "cuda" else device
    checkpoint = open_checkpoint(folder / "transformer")
    model = transformer.skeleton(folder / "transformer")
    reader = transformer.block_reader(model, checkpoint)
    transformer.load_rest(model, checkpoint, device)
    timesteps = schedule.timesteps(STEPS)
    with transformer.modulation_weights(checkpoint, reader.count, device) as weights:
        table = modulation.compute(
            weights,
            reader.count,
            model.time_text_embed,
            timesteps,
            zero_cond_t=model.zero_cond_t,
            device=device,
        )
    source = InMemory(load(reader, codec_named(codec_name), device))
    streamer: CudaStreamer | HostStreamer = HostStreamer(reader.layout, source)
    if device.type == "cuda":
        streamer = CudaStreamer(reader.layout, source, device, resident=resident, scratches=1)
    tables = transformer.stream(model, table, streamer, device)
    given = step_of(folder, device)
    asked = given["hidden_states"].shape[1] // 2

    def steps(of: Any, select: Any) -> list[torch.Tensor]:
        answers = []
        for number, timestep in enumerate(timesteps):
            select(number)
            now = torch.tensor([timestep], dtype=torch.bfloat16, device=device)
            answers.append(of(timestep=now, **given)[0][:, :asked])
        return answers

    with torch.inference_mode():
        answers = steps(model, tables.select)
        engine_meter.forget_peaks()
        seconds = []
        for _ in range(ROUNDS):
            with engine_meter.lap() as lap:
                steps(model, tables.select)
            seconds.append(round(lap.seconds / STEPS, 4))
        result: dict[str, object] = {"codec": codec_name, "resident": resident, "s_per_step": seconds}
        result["peak_vram_gb"] = engine_meter.peaks().vram_gb
        streamer.close()
        if compare:
            whole = QwenImageTransformer2DModel.from_pretrained(folder / "transformer", torch_dtype=torch.bfloat16)
            expected = steps(whole.to(device).eval(), lambda _number: None)
            with engine_meter.lap() as lap:
                steps(whole, lambda _number: None)
            result["diffusers_s_per_step"] = round(lap.seconds / STEPS, 4)
            pairs = zip(answers, expected, strict=True)
            result["largest_difference"] = max(float((ours - theirs).abs().max()) for ours, theirs in pairs)
    return result


def main() -> None:
    """Measure what the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, required=True, help="a folder of benchmarks.engine_weights")
    parser.add_argument("--codec", default="packed", help="bf16, packed, or a storage format")
    parser.add_argument("--resident", type=int, default=0, help="blocks that stay on the card")
    parser.add_argument("--cap-gb", type=float, help="what the allocator may hold; the whole card if left out")
    parser.add_argument("--compare", action="store_true", help="load diffusers' model too, which needs 41 GB")
    asked = parser.parse_args()
    engine_meter.cap_allocator(asked.cap_gb)
    print(json.dumps(measure(asked.checkpoint, asked.codec, asked.resident, compare=asked.compare)))


if __name__ == "__main__":
    main()
