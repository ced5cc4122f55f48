"""Opening the engine's model: the transformer with its blocks in host memory, its tables and the autoencoder."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from diffusers import AutoencoderKLQwenImage

from undercard.engine import modulation, pipeline, schedule, transformer
from undercard.engine.checkpoint import Checkpoint, open_checkpoint
from undercard.engine.codecs import codec_named
from undercard.engine.loading import BlockReader, closing, load
from undercard.engine.lora import Lora, open_lora
from undercard.engine.pipeline import StagedPipeline
from undercard.engine.sources import InMemory, OnDisk, Source
from undercard.engine.streaming import CudaStreamer, HostStreamer
from undercard.engine.vae import PictureVae


@dataclass(frozen=True, slots=True)
class Model:
    """What to open, and how."""

    folder: Path
    """A Qwen-Image-Edit in diffusers' layout."""
    codec: str
    """How its blocks lie in host memory; see codecs.py."""
    steps: int
    device: torch.device
    lora: Path | None = None
    """A file whose low-rank factors are fused into the weights before they are encoded."""
    lora_strength: float = 1.0
    """What they are multiplied by."""
    picture_positions: bool = True
    """Place a reference's tokens in rows and columns, as the model was trained; False reads a picture as one long
    line, as diffusers 0.42 with transformers 5 does (docs/decisions/0010)."""

    def encoder_digest(self) -> str:
        """Return what prompt embeddings depend on beside the prompt."""
        digest = open_checkpoint(self.folder / "text_encoder").digest()
        return f"{digest} with picture positions" if self.picture_positions else digest


@dataclass(slots=True)
class Ready:
    """A transformer whose blocks are in host memory, in a pipeline."""

    pipeline: StagedPipeline
    tables: modulation.Tables
    streamer: CudaStreamer | HostStreamer


def open_model(
    model: Model, resources: ExitStack, free_bytes: Callable[[], int], *, resident: int, from_disk: bool
) -> Ready:
    """Open *model*.

    Args:
        model: what to open.
        resources: closes what was opened.
        free_bytes: what may be taken on the device, asked before each picture that passes the autoencoder.
        resident: blocks that stay on the device.
        from_disk: read the blocks of the bf16 checkpoint from disk at each step; a LoRA cannot be fused into them.

    Raises:
        BadCheckpoint: the folder or the LoRA holds something else, or is damaged.
        torch.OutOfMemoryError: the device has no room for two blocks.
    """
    device, folder = model.device, model.folder / "transformer"
    checkpoint = open_checkpoint(folder)
    skeleton = transformer.skeleton(folder)
    reader = transformer.block_reader(skeleton, checkpoint)
    lora = open_lora(model.lora, skeleton) if model.lora else None
    compiling = transformer.warm_up(skeleton, device)
    transformer.load_rest(skeleton, checkpoint, device)
    if lora is not None:
        lora.rest(skeleton, model.lora_strength)
    table = _table(model, skeleton, checkpoint, lora)
    source: Source = OnDisk(reader, device) if from_disk else _in_memory(model, reader, lora, resources)
    compiling.result()
    streamer: CudaStreamer | HostStreamer
    make_room = None
    if device.type == "cuda":
        # What loading took is given back before the blocks that stay take their place.
        torch.cuda.empty_cache()
        # One block is decoded at a time: a second in advance gained nothing on an H100 and costs 0.45 GB.
        streamer = CudaStreamer(reader.layout, source, device, resident=resident, scratches=1)
        make_room = partial(_leave, streamer)
    else:
        streamer = HostStreamer(reader.layout, source)
    resources.callback(streamer.close)
    tables = transformer.stream(skeleton, table, streamer, device)
    autoencoder = AutoencoderKLQwenImage.from_pretrained(
        model.folder / "vae", torch_dtype=torch.bfloat16, local_files_only=True
    ).to(device)
    vae = PictureVae(autoencoder.eval(), free_bytes if device.type == "cuda" else None, make_room)
    return Ready(pipeline.assemble(skeleton, vae, schedule.lightning(), device), tables, streamer)


def _leave(streamer: CudaStreamer) -> None:
    """Leave the card to the autoencoder: a picture in tiles is rounded otherwise than one that fits whole."""
    streamer.withdraw()
    torch.cuda.empty_cache()


def _in_memory(model: Model, reader: BlockReader, lora: Lora | None, resources: ExitStack) -> InMemory:
    kept = load(reader, codec_named(model.codec), model.device, lora.amend(model.lora_strength) if lora else None)
    return InMemory(resources.enter_context(closing(kept)))


def _table(
    model: Model, skeleton: transformer.StreamedTransformer, checkpoint: Checkpoint, lora: Lora | None
) -> modulation.Modulation:
    """Return the modulation for the schedule, from the store when it was computed before."""
    device, timesteps = model.device, schedule.timesteps(model.steps)
    kind = f"cuda {torch.cuda.get_device_name(device)}" if device.type == "cuda" else device.type
    key = modulation.key(
        checkpoint.digest(),
        lora.digest(model.lora_strength) if lora else "",
        timesteps,
        zero_cond_t=skeleton.zero_cond_t,
        device_kind=kind,
    )
    table = modulation.load(key)
    if table is None:
        count = len(skeleton.transformer_blocks)
        with transformer.modulation_weights(checkpoint, count, device) as weights:
            table = modulation.compute(
                lora.fused(weights, model.lora_strength) if lora else weights,
                count,
                skeleton.time_text_embed,
                timesteps,
                zero_cond_t=skeleton.zero_cond_t,
                device=device,
            )
        modulation.save(table, key)
    return table
