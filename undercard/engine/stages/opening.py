"""Opening the engine's model: the transformer with its blocks in host memory, its tables and the autoencoder."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from diffusers import AutoencoderKLQwenImage

from undercard.engine.files.checkpoint import open_checkpoint
from undercard.engine.files.nunchaku_file import NunchakuFile
from undercard.engine.files.open_stored import open_stored
from undercard.engine.stages import pipeline, schedule
from undercard.engine.stages.pipeline import StagedPipeline
from undercard.engine.streaming.sources import InMemory, OnDisk, Source
from undercard.engine.streaming.streamer import CudaStreamer, HostStreamer
from undercard.engine.transformer import transformer
from undercard.engine.transformer.four_bit_blocks import four_bit_blocks
from undercard.engine.transformer.four_bit_kernels import KernelsMissing, kernels_on
from undercard.engine.transformer.origin import File, Folder, Origin
from undercard.engine.vae.vae import PictureVae
from undercard.engine.weights import modulation
from undercard.engine.weights.loading import Blocks, closing
from undercard.engine.weights.lora import Lora, open_lora
from undercard.engine.weights.low_rank import is_in
from undercard.store import Store


@dataclass(frozen=True, slots=True)
class Model:
    """What to open, and how."""

    folder: Path
    """A Qwen-Image-Edit in diffusers' layout; of its transformer only the config where there is a `file`."""
    codec: str
    """How its blocks lie in host memory; see codecs.py. A file has its own way."""
    steps: int
    device: torch.device
    store: Store
    """Where its tables, embeddings and latents are kept, and references are found."""
    lora: Path | None = None
    """A file whose low-rank factors are fused into the weights before they are encoded, or added when they are
    decoded (low_rank.py) where the weights come from a file."""
    lora_strength: float = 1.0
    """What the LoRA is multiplied by."""
    picture_positions: bool = True
    """Place a reference's tokens in rows and columns, as the model was trained; False reads a picture as one long
    line, as diffusers 0.42 with transformers 5 does (docs/decisions/0010)."""
    file: Path | None = None
    """Of a transformer that is quantised already; see stored.py."""
    four_bits: bool = False
    """Compute with a nunchaku file as it lies, if the kernels for that work here; decode it otherwise."""
    guidance: float = 1.0
    """diffusers' true_cfg_scale, for weights without Lightning; above 1 the negative prompt is encoded as well."""

    def differs_in_steps_alone(self, other: Model) -> bool:
        """Say whether *other* has the same weights, for another schedule."""
        return replace(self, steps=other.steps) == other

    def encoder_digest(self) -> str:
        """Return what prompt embeddings depend on beside the prompt."""
        digest = open_checkpoint(self.folder / "text_encoder").digest()
        return f"{digest} with picture positions" if self.picture_positions else digest


@dataclass(slots=True)
class Proved:
    """A model whose every file was found to be what it should, before any weight is on the device."""

    model: Model
    skeleton: transformer.StreamedTransformer
    """Without weights."""
    origin: Origin
    lora: Lora | None
    blocks: Blocks
    notes: tuple[str, ...] = ()
    """What went otherwise than asked for, in words."""


@dataclass(slots=True)
class Ready:
    """A transformer whose blocks are in host memory, in a pipeline."""

    pipeline: StagedPipeline
    tables: modulation.Tables
    streamer: CudaStreamer | HostStreamer
    proved: Proved
    """What it was opened from, for the tables of another schedule."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What went otherwise than asked for, in words."""
        return self.proved.notes


def prove(model: Model) -> Proved:
    """Return *model* once the headers of its files are known to fit each other.

    Raises:
        BadCheckpoint: the folder, the file or the LoRA holds something else, or is damaged.
    """
    skeleton = transformer.skeleton(model.folder / "transformer")
    lora = open_lora(model.lora, skeleton, model.lora_strength) if model.lora else None
    notes: list[str] = []
    origin: Origin
    if model.file is None:
        origin = Folder(open_checkpoint(model.folder / "transformer"), model.codec)
    else:
        origin = File(stored := open_stored(model.file))
        # Proved first: sampling the weights of another model would fail in words that help nobody.
        origin.blocks(skeleton, None)
        if lora is not None and is_in(lora, stored):
            notes.append(
                f"{lora.checkpoint.source.name} is in the weights of {model.file.name} and was not added again"
            )
            lora = None
    return Proved(model, skeleton, origin, lora, origin.blocks(skeleton, lora), tuple(notes))


def open_model(
    proved: Proved, resources: ExitStack, free_bytes: Callable[[], int], *, resident: int, from_disk: bool
) -> Ready:
    """Open a model.

    Args:
        proved: what to open; its skeleton is changed in place.
        resources: closes what was opened.
        free_bytes: what may be taken on the device, asked before each picture that passes the autoencoder.
        resident: blocks that stay on the device.
        from_disk: read the blocks from disk at each step; a LoRA cannot be fused into those of a bf16 folder.

    Raises:
        BadCheckpoint: a file is damaged.
        torch.OutOfMemoryError: the device has no room for two blocks.
    """
    proved = _in_four_bits(proved) if proved.model.four_bits else proved
    model, skeleton, lora, blocks = proved.model, proved.skeleton, proved.lora, proved.blocks
    device = model.device
    compiling = transformer.warm_up(skeleton, device)
    proved.origin.load_rest(skeleton, device)
    if lora is not None:
        lora.rest(skeleton)
    table = _table(proved)
    source: Source = OnDisk(blocks, device) if from_disk else _in_memory(proved, resources)
    compiling.result()
    streamer: CudaStreamer | HostStreamer
    make_room = None
    if device.type == "cuda":
        # What loading took is given back before the blocks that stay take their place.
        torch.cuda.empty_cache()
        # One block is decoded at a time: a second in advance gained nothing on an H100 and costs 0.45 GB.
        streamer = CudaStreamer(blocks.layout, source, device, resident=resident, scratches=1)
        make_room = partial(_leave, streamer)
    else:
        streamer = HostStreamer(blocks.layout, source)
    resources.callback(streamer.close)
    tables = transformer.stream(skeleton, table, streamer, device)
    autoencoder = AutoencoderKLQwenImage.from_pretrained(
        model.folder / "vae", torch_dtype=torch.bfloat16, local_files_only=True
    ).to(device)
    vae = PictureVae(autoencoder.eval(), free_bytes if device.type == "cuda" else None, make_room)
    assembled = pipeline.assemble(skeleton, vae, schedule.lightning(), device)
    return Ready(assembled, tables, streamer, proved)


def retime(ready: Ready, steps: int) -> None:
    """Let the transformer of *ready* compute for the schedule of *steps* steps: other tables, the same blocks.

    They are computed in about a second where no run has kept them.

    Raises:
        torch.OutOfMemoryError: the device has no room for one stream of a block.
    """
    ready.proved = replace(ready.proved, model=replace(ready.proved.model, steps=steps))
    if isinstance(ready.streamer, CudaStreamer):
        # What stays is there again with the next pass.
        _leave(ready.streamer)
    transformer.retime(ready.pipeline.transformer, _table(ready.proved))


def _in_four_bits(proved: Proved) -> Proved:
    """Return *proved* with blocks for comfy-kitchen's kernels, or with a note of why they are decoded after all."""
    stored = proved.origin.stored if isinstance(proved.origin, File) else None
    if not isinstance(stored, NunchakuFile) or proved.lora is not None:
        return proved
    try:
        kernels = kernels_on(proved.model.device, stored.rank)
    except KernelsMissing as reason:
        return replace(proved, notes=(*proved.notes, f"decoded to bf16: {reason}"))
    return replace(proved, blocks=four_bit_blocks(stored, proved.blocks.count, kernels))


def _leave(streamer: CudaStreamer) -> None:
    """Leave the card to the autoencoder: a picture in tiles is rounded otherwise than one that fits whole."""
    streamer.withdraw()
    torch.cuda.empty_cache()


def _in_memory(proved: Proved, resources: ExitStack) -> InMemory:
    kept = proved.origin.load(proved.blocks, proved.lora, proved.model.device)
    return InMemory(resources.enter_context(closing(kept)))


def _table(proved: Proved) -> modulation.Modulation:
    """Return the modulation for the schedule, from the store when it was computed before."""
    skeleton, lora, device = proved.skeleton, proved.lora, proved.model.device
    timesteps = schedule.timesteps(proved.model.steps)
    kind = f"cuda {torch.cuda.get_device_name(device)}" if device.type == "cuda" else device.type
    key = modulation.key(
        proved.origin.digest(),
        lora.digest() if lora else "",
        timesteps,
        zero_cond_t=skeleton.zero_cond_t,
        device_kind=kind,
    )
    table = modulation.load(key, proved.model.store)
    if table is None:
        count = len(skeleton.transformer_blocks)
        with proved.origin.modulation(count, device) as weights:
            table = modulation.compute(
                lora.fused(weights) if lora else weights,
                count,
                skeleton.time_text_embed,
                timesteps,
                zero_cond_t=skeleton.zero_cond_t,
                device=device,
            )
        modulation.save(table, key, proved.model.store)
    return table
