"""The engine as a renderer: prompts to embeddings, embeddings to latents, latents to a picture."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from diffusers import AutoencoderKLQwenImage
from PIL import Image

from undercard import progress, store
from undercard.backends import Rendered, Rung
from undercard.engine import embeddings, modulation, pipeline, schedule, text_streaming, transformer
from undercard.engine.checkpoint import Checkpoint, open_checkpoint
from undercard.engine.codecs import codec_named
from undercard.engine.embeddings import Wording
from undercard.engine.faults import stage
from undercard.engine.loading import closing, load
from undercard.engine.lora import Lora, open_lora
from undercard.engine.pipeline import Denoising, StagedPipeline
from undercard.engine.sources import InMemory, OnDisk, Source
from undercard.engine.streaming import CudaStreamer, HostStreamer
from undercard.engine.transformer import warm_up
from undercard.engine.vae import PictureVae
from undercard.errors import BackendError
from undercard.requests import RenderRequest


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


@dataclass(slots=True)
class EngineRenderer:
    """Renders on one device; threads take turns.

    The text encoder and the transformer are opened when they are first needed, and never at once: together they would
    need 33 GB of host memory.
    """

    model: Model
    resident: int
    """Blocks that stay on the device."""
    vram_limit: int
    """Bytes on the device that may be taken; 0 for all that is free."""
    from_disk: bool = False
    """Read the blocks of the bf16 checkpoint from disk at each step; a LoRA cannot be fused into them."""
    ready: Ready | None = None
    resources: ExitStack = field(default_factory=ExitStack)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def encode(self, requests: Sequence[RenderRequest]) -> None:
        """Encode and keep every prompt of *requests* that is not kept yet.

        Raises:
            OutOfMemory: in the stage `encode`; what was encoded before it is kept.
            MissingObject: a reference is gone from the store.
        """
        with self.lock:
            self._encode(requests)

    def render(self, request: RenderRequest) -> Rendered:
        """Render *request*; latents that an earlier attempt has left are decoded rather than denoised again.

        Raises:
            OutOfMemory: the device's memory ran out; in `decode`, the latents are kept for the next attempt.
            DeviceFault: the device failed.
            BackendError: the request names no reference.
        """
        with self.lock:
            start = time.monotonic()
            if self.model.device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(self.model.device)
            notes: list[str] = []
            latents = pipeline.load_latents(request.key)
            if latents is None:
                self._encode([request])
                latents = self._denoise(request)
                pipeline.save_latents(latents, request.key)
            else:
                notes.append("decoded latents that an earlier attempt had kept")
            ready = self.ready_model()
            vae: PictureVae = ready.pipeline.vae
            vae.notes.clear()
            progress.tell("decode")
            picture = pipeline.decode(ready.pipeline, latents, request.size)
            pipeline.forget_latents(request.key)
            return Rendered(
                image=picture,
                seconds=time.monotonic() - start,
                peak_vram_bytes=self._peak(),
                peak_host_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                notes=(*notes, *vae.notes),
            )

    def free_bytes(self) -> int:
        """Return what may be taken on the device now, the allocator's own idle memory included."""
        if self.model.device.type != "cuda":
            return 1 << 62
        used = torch.cuda.memory_allocated(self.model.device)
        free, _ = torch.cuda.mem_get_info(self.model.device)
        there = free + torch.cuda.memory_reserved(self.model.device) - used
        return min(there, self.vram_limit - used) if self.vram_limit else there

    def _encode(self, requests: Sequence[RenderRequest]) -> None:
        wordings = [_wording(request) for request in requests]
        progress.tell("encode")
        embeddings.encode_missing(wordings, self.model.encoder_digest(), _picture, self._text_encoder)

    @contextmanager
    def _text_encoder(self) -> Iterator[embeddings.Encode]:
        """Open the text encoder with the blocks of the transformer off the device."""
        if self.ready is not None and isinstance(self.ready.streamer, CudaStreamer):
            self.ready.streamer.keep_resident(0)
        self._clear()
        opened = text_streaming.opened(
            self.model.folder,
            self.model.device,
            self.free_bytes,
            picture_positions=self.model.picture_positions,
        )
        try:
            with ExitStack() as stack:
                with stage("encode"):
                    encode = stack.enter_context(opened)
                yield encode
        finally:
            self._clear()
            if self.ready is not None and isinstance(self.ready.streamer, CudaStreamer):
                self.ready.streamer.keep_resident(self.resident)

    def _denoise(self, request: RenderRequest) -> torch.Tensor:
        ready = self.ready_model()
        prompt = embeddings.load(_wording(request), self.model.encoder_digest())
        assert prompt is not None
        work = Denoising(
            prompt=prompt,
            references=[_picture(digest) for digest in request.references],
            seed=request.seed,
            size=request.size,
            steps=self.model.steps,
        )

        def begin(step: int) -> None:
            progress.tell("denoise", step + 1, self.model.steps)

        return pipeline.denoise(ready.pipeline, work, ready.tables, begin)

    def ready_model(self) -> Ready:
        """Return the transformer in its pipeline, opened on the first call.

        Raises:
            OutOfMemory: in the stage `open`.
        """
        if self.ready is None:
            progress.tell("open")
            with stage("open"):
                self.ready = self._open()
        return self.ready

    def _open(self) -> Ready:
        device, folder = self.model.device, self.model.folder / "transformer"
        checkpoint = open_checkpoint(folder)
        model = transformer.skeleton(folder)
        reader = transformer.block_reader(model, checkpoint)
        lora = open_lora(self.model.lora, model) if self.model.lora else None
        compiling = warm_up(model, device)
        transformer.load_rest(model, checkpoint, device)
        if lora is not None:
            lora.rest(model)
        table = self._table(model, checkpoint, lora)
        source: Source
        if self.from_disk:
            source = OnDisk(reader, device)
        else:
            amend = lora.amend() if lora else None
            kept = load(reader, codec_named(self.model.codec), device, amend)
            source = InMemory(self.resources.enter_context(closing(kept)))
        compiling.result()
        streamer: CudaStreamer | HostStreamer
        if device.type == "cuda":
            # What loading took is given back before the blocks that stay take their place.
            self._clear()
            # One block is decoded at a time: a second in advance gained nothing on an H100 and costs 0.45 GB.
            streamer = CudaStreamer(reader.layout, source, device, resident=self.resident, scratches=1)
        else:
            streamer = HostStreamer(reader.layout, source)
        self.resources.callback(streamer.close)
        tables = transformer.stream(model, table, streamer, device)
        autoencoder = AutoencoderKLQwenImage.from_pretrained(
            self.model.folder / "vae", torch_dtype=torch.bfloat16, local_files_only=True
        ).to(device)
        vae = PictureVae(autoencoder.eval(), self.free_bytes if device.type == "cuda" else None)
        return Ready(pipeline.assemble(model, vae, schedule.lightning(), device), tables, streamer)

    def _table(
        self, model: transformer.StreamedTransformer, checkpoint: Checkpoint, lora: Lora | None
    ) -> modulation.Modulation:
        """Return the modulation for the schedule, from the store when it was computed before."""
        device, timesteps = self.model.device, schedule.timesteps(self.model.steps)
        kind = f"cuda {torch.cuda.get_device_name(device)}" if device.type == "cuda" else device.type
        fused = lora.digest() if lora else ""
        key = modulation.key(checkpoint.digest(), fused, timesteps, zero_cond_t=model.zero_cond_t, device_kind=kind)
        table = modulation.load(key)
        if table is None:
            count = len(model.transformer_blocks)
            with transformer.modulation_weights(checkpoint, count, device) as weights:
                table = modulation.compute(
                    lora.fused(weights) if lora else weights,
                    count,
                    model.time_text_embed,
                    timesteps,
                    zero_cond_t=model.zero_cond_t,
                    device=device,
                )
            modulation.save(table, key)
        return table

    def _peak(self) -> int:
        device = self.model.device
        return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0

    def _clear(self) -> None:
        if self.model.device.type == "cuda":
            torch.cuda.empty_cache()


def _wording(request: RenderRequest) -> Wording:
    if not request.references:
        raise BackendError("Qwen-Image-Edit edits a picture, and the request names none; give it a reference")
    return Wording(request.prompt, request.references)


def _picture(digest: str) -> Image.Image:
    with Image.open(store.find(digest, ".png")) as picture:
        return picture.convert("RGB")


@contextmanager
def opened(model: Model, rung: Rung) -> Iterator[EngineRenderer]:
    """Open the engine as *rung* says; leaving the context frees what it holds."""
    if model.device.type == "cuda" and model.device.index is None:
        # Some of torch takes a device without a number for the current one, and some refuses it.
        model = replace(model, device=torch.device("cuda", torch.cuda.current_device()))
    if model.device.type == "cuda" and rung.vram_limit:
        total = torch.cuda.get_device_properties(model.device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, rung.vram_limit / total), model.device)
    renderer = EngineRenderer(model, rung.resident_blocks, rung.vram_limit, rung.from_disk)
    with renderer.resources:
        yield renderer
