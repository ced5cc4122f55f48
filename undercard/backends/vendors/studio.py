"""DiffSynth-Studio's pipeline of Qwen-Image-Edit, with its weights in fp8 and as many on the card as a limit allows.

DiffSynth casts weights to e4m3 without scales, biases and norms too, and brings each layer to the card when it is
called. Nothing is fetched: it is given paths, and asks for nothing where it has them. What of DiffSynth 2.1.12 does not
go with transformers 5 is mended here. Only the tiny models of the tests were ever run through it, on the processor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffsynth import configs
from diffsynth.core import ModelConfig
from diffsynth.diffusion import FlowMatchScheduler
from diffsynth.pipelines.qwen_image import QwenImagePipeline
from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as edit_plus
from PIL import Image
from torch import Tensor
from transformers.models.qwen2_5_vl import modeling_qwen2_5_vl as qwen2_5_vl

from undercard.backends.qwen import bf16
from undercard.backends.vendors.calling import tell_of_pictures
from undercard.backends.vendors.renderer import Draw
from undercard.domain import progress
from undercard.domain.canvas import canvas
from undercard.domain.requests import RenderRequest
from undercard.engine.files.checkpoint import Checkpoint, open_checkpoint
from undercard.engine.stages.pictures import references
from undercard.engine.text import encoder
from undercard.engine.transformer import transformer
from undercard.engine.weights.lora import Lora, open_lora
from undercard.errors import BadCheckpoint
from undercard.store import Store

GIB = 1024**3
"""DiffSynth's limits are in units of it."""
WEIGHTS = torch.float8_e4m3fn
ENCODER = "diffsynth.models.qwen_image_text_encoder.QwenImageTextEncoder"
RENAMED = {"Qwen2_5_VisionRotaryEmbedding": "Qwen2_5_VLVisionRotaryEmbedding", "Qwen2RMSNorm": "Qwen2_5_VLRMSNorm"}
"""Layers of Qwen2.5-VL, as DiffSynth knows them and as transformers 5 calls them."""


@dataclass(frozen=True, slots=True)
class Studio:
    """What to open, and how."""

    folder: Path
    """A Qwen-Image-Edit in diffusers' layout."""
    steps: int
    store: Store
    kept_bytes: int
    """Of the transformer's weights, what may stay on the card from one step to the next."""
    lora: Path | None = None
    """Fused into the transformer's weights in bf16, before they are cast to fp8."""
    lora_strength: float = 1.0
    """What the LoRA is multiplied by."""

    def load(self, device: torch.device, resources: ExitStack) -> Draw:
        """Open the pipeline for *device*.

        Raises:
            BadCheckpoint: DiffSynth does not know the checkpoint, or the LoRA is another model's.
        """
        _mend(resources)
        lora = self._weights(device)
        # On the processor it counts no free memory, and keeps nothing apart.
        limit = _taken_bytes(device) + self.kept_bytes if device.type == "cuda" else None
        try:
            pipe: Any = QwenImagePipeline.from_pretrained(
                torch_dtype=torch.bfloat16,
                device=str(device),
                model_configs=[
                    ModelConfig(**self._files("transformer"), **_lying(WEIGHTS, device), state_dict=lora),
                    ModelConfig(**self._files("text_encoder"), **_lying(WEIGHTS, device)),
                    # Few, and the picture shows each of them.
                    ModelConfig(**self._files("vae"), **_lying(torch.bfloat16, device)),
                ],
                # A prompt that comes with pictures goes through the processor alone.
                tokenizer_config=None,
                processor_config=None,
                vram_limit=None if limit is None else limit / GIB,
            )
        except ValueError as exc:
            # It knows models by a digest of their tensors' names and shapes, and has no type of its own for this.
            raise BadCheckpoint(f"{self.folder} is no Qwen-Image-Edit that DiffSynth knows: {exc}") from exc
        if lora is not None:
            lora.require_all()
        pipe.processor = encoder.open_processor(self.folder)
        pipe.scheduler = FlowMatchScheduler("Qwen-Image-Lightning")
        tell_of_pictures(pipe.text_encoder, pipe.processor.image_token_id)
        zero_cond_t = bool(bf16.config_of(self.folder).get("zero_cond_t"))
        return lambda request: self._draw(pipe, request, zero_cond_t=zero_cond_t)

    def _files(self, part: str) -> dict[str, list[str] | bool]:
        files = sorted((self.folder / part).glob("*.safetensors"))
        return {"path": [str(path) for path in files], "skip_download": True}

    def _weights(self, device: torch.device) -> Fused | None:
        if self.lora is None:
            return None
        folder = self.folder / "transformer"
        lora = open_lora(self.lora, transformer.skeleton(folder), self.lora_strength)
        return Fused(open_checkpoint(folder), lora, device)

    def _draw(self, pipe: Any, request: RenderRequest, *, zero_cond_t: bool) -> Image.Image:
        width, height = canvas(request.size)
        steps = request.steps or self.steps
        progress.tell("encode")
        picture: Image.Image = pipe(
            prompt=request.prompt,
            # Lightning is distilled to do without guidance.
            cfg_scale=1.0,
            edit_image=[_resized(picture) for picture in references(request, self.store)],
            edit_image_auto_resize=False,
            width=width,
            height=height,
            seed=request.seed,
            rand_device="cpu",
            num_inference_steps=steps,
            zero_cond_t=zero_cond_t,
            progress_bar_cmd=lambda timesteps: _told(timesteps, steps),
        )
        return picture


@dataclass
class Fused(Mapping[str, Tensor]):
    """The transformer's weights with a LoRA in them, in fp8: one at a time is read, fused in bf16 and cast."""

    checkpoint: Checkpoint
    lora: Lora
    device: torch.device
    """Where the products of the LoRA are computed."""
    fused: set[str] = field(default_factory=set)

    def __getitem__(self, name: str) -> Tensor:
        value = self.checkpoint.read(name).to(torch.bfloat16)
        layer, _, leaf = name.rpartition(".")
        if leaf == "weight" and layer in self.lora.pairs:
            self.lora.fuse_layer(layer, value, self.device)
            self.fused.add(layer)
        return value.to(WEIGHTS)

    def __iter__(self) -> Iterator[str]:
        return iter(self.checkpoint.entries)

    def __len__(self) -> int:
        return len(self.checkpoint.entries)

    def require_all(self) -> None:
        """Make sure that every layer that the LoRA changes has passed.

        Raises:
            BadCheckpoint: one has not.
        """
        if left := self.lora.pairs.keys() - self.fused:
            raise BadCheckpoint(f"{len(left)} layers of {self.lora} are not in the model, such as {min(left)}")


def _told(timesteps: Iterable[Tensor], steps: int) -> Iterator[Tensor]:
    for step, timestep in enumerate(timesteps):
        progress.tell("denoise", step + 1, steps)
        yield timestep
    progress.tell("decode")


def _resized(picture: Image.Image) -> Image.Image:
    """Return a reference at the size at which the autoencoder looks at it, as diffusers' pipeline does."""
    width, height = edit_plus.calculate_dimensions(edit_plus.VAE_IMAGE_SIZE, picture.width / picture.height)
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def _lying(dtype: torch.dtype, device: torch.device) -> dict[str, object]:
    """Return DiffSynth's settings for weights that lie in *dtype*, off the card and on it, and compute in bf16."""
    lying: dict[str, object] = {}
    for state, place in (("offload", "cpu"), ("onload", "cpu"), ("preparing", str(device))):
        lying |= {f"{state}_device": place, f"{state}_dtype": dtype}
    return {**lying, "computation_device": str(device), "computation_dtype": torch.bfloat16}


def _taken_bytes(device: torch.device) -> int:
    """Return what is taken of the card, by whomever: DiffSynth's limit is one of the card and not of a process."""
    free, total = torch.cuda.mem_get_info(device)
    return total - free


def _mend(resources: ExitStack) -> None:
    """Mend what of DiffSynth 2.1.12 does not go with transformers 5, or with a machine without a card."""
    layers: dict[str, str] = configs.VRAM_MANAGEMENT_MODULE_MAPS[ENCODER]
    prefix = f"{qwen2_5_vl.__name__}."
    for old, new in RENAMED.items():
        if prefix + old in layers and not hasattr(qwen2_5_vl, old):
            layers[prefix + new] = layers.pop(prefix + old)
    if not hasattr(torch.cpu, "empty_cache"):
        # It is called on whatever device there is.
        nothing: Callable[[], None] = lambda: None  # noqa: E731  # shorter than what it stands in for
        torch.cpu.empty_cache = nothing  # type: ignore[attr-defined]
        resources.callback(delattr, torch.cpu, "empty_cache")
