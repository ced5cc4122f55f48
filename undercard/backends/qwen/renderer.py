"""The engine as a renderer: prompts to embeddings, embeddings to latents, latents to a picture."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

import torch

from undercard.backends import Rendered, Rung
from undercard.domain import progress
from undercard.domain.requests import RenderRequest
from undercard.engine import card
from undercard.engine.faults import stage
from undercard.engine.stages import pictures, pipeline
from undercard.engine.stages.opening import Model, Proved, Ready, open_model, prove, retime
from undercard.engine.stages.pipeline import Denoising
from undercard.engine.streaming.streamer import CudaStreamer
from undercard.engine.text import embeddings, streamed
from undercard.engine.text.embeddings import Wording
from undercard.engine.vae.vae import PictureVae
from undercard.engine.weights.codecs import codec_named
from undercard.hardware.host_memory import peak_host_bytes


@dataclass(slots=True)
class EngineRenderer:
    """Renders on one device; threads take turns.

    The text encoder and the transformer are opened when they are first needed, and never at once: together they would
    need 33 GB of host memory.
    """

    model: Model
    """What is rendered with as a rule."""
    resident: int
    """Blocks that stay on the device."""
    vram_limit: int
    """Bytes on the device that may be taken; 0 for all that is free."""
    recipe: Callable[[int], str]
    """What a request for exact pixels calls the renderer of the model, by its steps; see `backends.HasRecipe`."""
    from_disk: bool = False
    """Read the blocks from disk at each step; a LoRA cannot be fused into those of a bf16 folder."""
    exact: bool = False
    """Rather run out of memory than cut a picture into strips, which rounds it otherwise."""
    proved: Proved | None = None
    """What the model was found to be; opening it uses that up."""
    others: Mapping[int, Model] = field(default_factory=dict)
    """By their steps: what requests take that ask for other steps."""
    ready: Ready | None = None
    opened: Model | None = None
    """Which one is ready."""
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
            card.forget_peak(self.model.device)
            notes: list[str] = []
            latents = self._left_behind(request)
            if latents is None:
                self._encode([request])
                latents = self._denoise(request)
                pipeline.save_latents(latents, _denoised(request), self.model.store)
            else:
                notes.append("decoded latents that an earlier attempt had kept")
            # The autoencoder is the same, whichever of the models is open.
            ready = self.ready or self.ready_model()
            vae: PictureVae = ready.pipeline.vae
            vae.notes.clear()
            vae.whole_first = request.whole
            progress.tell("decode")
            picture = pipeline.decode(ready.pipeline, latents, request.size)
            if not vae.tiled:
                # Where tiles turn out to show, the same latents are decoded whole.
                pipeline.forget_latents(_denoised(request), self.model.store)
            return Rendered(
                image=picture,
                seconds=time.monotonic() - start,
                peak_vram_bytes=card.peak_bytes(self.model.device),
                peak_host_bytes=peak_host_bytes(),
                notes=(*notes, *ready.notes, *vae.notes),
                tiled=vae.tiled,
            )

    def _left_behind(self, request: RenderRequest) -> torch.Tensor | None:
        """Return the latents of an earlier attempt: at this request, or at the exact one that this stands in for."""
        latents = pipeline.load_latents(_denoised(request), self.model.store)
        exact_weights = self.model.file is None and codec_named(self.model.codec).exact
        if latents is None and not self.exact and exact_weights:
            exact = replace(request, renderer=self.recipe(request.steps))
            return pipeline.load_latents(_denoised(exact), self.model.store)
        return latents

    def free_bytes(self) -> int:
        """Return what may be taken on the device now, the allocator's own idle memory included."""
        if self.model.device.type != "cuda":
            return 1 << 62
        used = torch.cuda.memory_allocated(self.model.device)
        free, _ = torch.cuda.mem_get_info(self.model.device)
        there = free + torch.cuda.memory_reserved(self.model.device) - used
        return min(there, self.vram_limit - used) if self.vram_limit else there

    def _encode(self, requests: Sequence[RenderRequest]) -> None:
        wordings = [wording for request in requests for wording in self._wordings(request)]
        progress.tell("encode")
        store = self.model.store
        picture = partial(pictures.stored, store=store)
        embeddings.encode_missing(wordings, self.model.encoder_digest(), store, picture, self._text_encoder)

    @contextmanager
    def _text_encoder(self) -> Iterator[embeddings.Encode]:
        """Open the text encoder with the blocks of the transformer off the device."""
        if self.ready is not None and isinstance(self.ready.streamer, CudaStreamer):
            self.ready.streamer.keep_resident(0)
        self._clear()
        opened = streamed.opened(
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

    def _wordings(self, request: RenderRequest) -> tuple[Wording, ...]:
        """Return what is read for *request*: its prompt, and where there is guidance the negative one as well."""
        pictures.require_reference(request)
        told = (request.prompt, pictures.negative_prompt(request))
        return tuple(Wording(words, request.references) for words in told[: 1 + (self.model.guidance > 1.0)])

    def _denoise(self, request: RenderRequest) -> torch.Tensor:
        model = self.others.get(request.steps, self.model)
        ready = self.ready_model(model)
        digest = self.model.encoder_digest()
        prompt, *negative = (embeddings.load(wording, digest, self.model.store) for wording in self._wordings(request))
        assert prompt is not None
        work = Denoising(
            prompt=prompt,
            references=pictures.references(request, self.model.store),
            seed=request.seed,
            size=request.size,
            steps=model.steps,
            negative=negative[0] if negative else None,
            guidance=model.guidance,
        )

        def begin(step: int) -> None:
            progress.tell("denoise", step + 1, model.steps)

        return pipeline.denoise(ready.pipeline, work, ready.tables, begin)

    def ready_model(self, model: Model | None = None) -> Ready:
        """Return the transformer of *model*, of the usual one by default, in its pipeline.

        Opened on the first call, and again for other weights; another schedule of the same takes other tables.

        Raises:
            OutOfMemory: in the stage `open`.
            BadCheckpoint: its files are not what they should be.
        """
        model = model or self.model
        if self.opened is not None and not self.opened.differs_in_steps_alone(model):
            self._close()
        if self.ready is None:
            self.ready = self._open(model)
        elif self.opened != model:
            progress.tell("open")
            with stage("open"):
                retime(self.ready, model.steps)
        self.opened = model
        return self.ready

    def _open(self, model: Model) -> Ready:
        progress.tell("open")
        proved = self.proved if self.proved is not None and self.proved.model == model else prove(model)
        self.proved = None
        with stage("open"):
            ready = open_model(
                proved, self.resources, self.free_bytes, resident=self.resident, from_disk=self.from_disk
            )
            ready.pipeline.vae.whole_only = self.exact
        return ready

    def _close(self) -> None:
        """Let go of the model that is open: there is not the memory for two."""
        self.ready, self.opened = None, None
        self.resources.close()
        # Layers hold each other in circles.
        gc.collect()
        self._clear()

    def _clear(self) -> None:
        if self.model.device.type == "cuda":
            torch.cuda.empty_cache()


def _denoised(request: RenderRequest) -> str:
    """Return the key of the latents of *request*, which are the same however they are decoded."""
    return replace(request, whole=False).key


@contextmanager
def opened(
    model: Model, rung: Rung, recipe: Callable[[int], str], others: Sequence[Model] = ()
) -> Iterator[EngineRenderer]:
    """Open the engine as *rung* says; leaving the context frees what it holds.

    Args:
        model: what is rendered with as a rule.
        rung: how it is run.
        recipe: what a request for exact pixels calls the renderer of *model*, by its steps.
        others: what is rendered with in other steps, each opened in place of the other when a request asks for it.

    Raises:
        BadCheckpoint: the model's files are not what they should be; nothing was loaded.
    """
    # Whatever is wrong with the weights is said before anything is on the card.
    proved = prove(model)
    model = replace(model, device=card.numbered(model.device))
    card.limit(model.device, rung.vram_limit)
    proved = replace(proved, model=model)
    by_steps = {other.steps: replace(other, device=model.device) for other in others}
    renderer = EngineRenderer(
        model, rung.resident_blocks, rung.vram_limit, recipe, rung.from_disk, rung.exact, proved, by_steps
    )
    with renderer.resources:
        yield renderer
