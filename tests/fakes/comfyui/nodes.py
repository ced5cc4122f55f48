"""The nodes of the fake server: each does to small pictures what its name says, and models are but their names."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

FAULT = re.compile(r"fault: (\w+) at (\w+)( once)?")
BAR = 4
"""Pixels of the bar that goes through a clip."""
KONTEXT = [(672, 1568), (832, 1248), (1024, 1024), (1248, 832), (1392, 752), (1568, 672)]
"""Some of the sizes that FluxKontextImageScale takes the nearest of."""


class NodeError(Exception):
    """What a node raises, under the name of another type."""

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        super().__init__(message)


@dataclass(frozen=True)
class Latent:
    """Noise that became something: what it would decode to."""

    size: tuple[int, int]
    seed: int = 0
    picture: Image.Image | None = None
    ends: tuple[Image.Image, Image.Image] | None = None
    """Of a clip."""
    length: int = 1


@dataclass
class Execution:
    """What nodes need to know of the job that they belong to."""

    folder: Path
    signature: str
    """Of the node that is executed: everything that decides what it gives."""
    progress: Callable[[int, int], None]
    pause: Callable[[], None]
    """Wait for as long as a step takes."""


def raise_fault(kind: str) -> None:
    """Raise what a real server was seen to report."""
    match kind:
        case "oom":
            message = "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 7.79 GiB"
            raise NodeError(
                "torch.OutOfMemoryError", f"{message}\n\nThis error means you ran out of memory on your GPU."
            )
        case "driver":
            raise NodeError("RuntimeError", "CUDA error: out of memory\nCUDA kernel errors might be reported later")
        case "host":
            raise NodeError("RuntimeError", "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
        case "card":
            raise NodeError("torch.AcceleratorError", "CUDA error: an illegal memory access was encountered")
        case _:
            raise NodeError("ValueError", "the value has no meaning")


def run(kind: str, inputs: dict[str, Any], execution: Execution) -> tuple[Any, ...]:
    """Return what a node of *kind* gives for *inputs*."""
    return NODES[kind](inputs, execution)


def _load_image(inputs: dict[str, Any], execution: Execution) -> tuple[Any, ...]:
    with Image.open(execution.folder / "input" / inputs["image"]) as picture:
        return picture.convert("RGB"), None


def _kontext(inputs: dict[str, Any], execution: Execution) -> tuple[Any, ...]:
    picture = inputs["image"]
    ratio = picture.width / picture.height
    # A tenth of the real sizes: what the model would see of it does not matter here.
    width, height = min(KONTEXT, key=lambda size: abs(size[0] / size[1] - ratio))
    return (picture.resize((width // 10, height // 10)),)


def _encode(inputs: dict[str, Any], execution: Execution) -> tuple[Any, ...]:
    pictures = [inputs[name] for name in ("image1", "image2", "image3") if name in inputs]
    return ({"prompt": inputs["prompt"], "pictures": pictures},)


def _sample(inputs: dict[str, Any], execution: Execution) -> tuple[Any, ...]:
    first, last = inputs.get("start_at_step", 0), min(inputs.get("end_at_step", 10_000), inputs["steps"])
    for step in range(first, last):
        execution.pause()
        execution.progress(step - first + 1, last - first)
    seed = int(hashlib.sha256(execution.signature.encode()).hexdigest()[:16], 16)
    pictures = inputs["positive"]["pictures"]
    picture = pictures[0] if pictures else inputs["latent_image"].picture
    return (replace(inputs["latent_image"], seed=seed, picture=picture),)


def _between(inputs: dict[str, Any], execution: Execution) -> tuple[Any, ...]:
    size = (inputs["width"], inputs["height"])
    ends = tuple(inputs[name].resize(size) for name in ("start_image", "end_image"))
    latent = Latent(size, ends=(ends[0], ends[1]), length=(inputs["length"] - 1) // 4 * 4 + 1)
    return inputs["positive"], inputs["negative"], latent


def _decode(inputs: dict[str, Any], execution: Execution) -> tuple[Any, ...]:
    latent: Latent = inputs["samples"]
    if latent.ends is not None:
        return (_clip(latent),)
    base = (latent.picture or Image.new("RGB", latent.size, "gray")).resize(latent.size)
    grain = np.random.default_rng(latent.seed).integers(-4, 5, (latent.size[1], latent.size[0], 3))
    return (Image.fromarray(np.clip(np.asarray(base, dtype=int) + grain, 0, 255).astype(np.uint8)),)


def _clip(latent: Latent) -> list[Image.Image]:
    """Return frames that pass from the one picture into the other, with a white bar that goes from left to right."""
    frames = []
    assert latent.ends is not None
    for index in range(latent.length):
        share = index / (latent.length - 1)
        frame = Image.blend(*latent.ends, share)
        left = round(share * (latent.size[0] - BAR))
        # The model keeps to its two pictures: neither has a bar.
        if 0 < index < latent.length - 1:
            frame.paste("white", (left, 0, left + BAR, latent.size[1]))
        frames.append(frame)
    return frames


def _scale(inputs: dict[str, Any], execution: Execution) -> tuple[Any, ...]:
    return (inputs["image"].resize((inputs["width"], inputs["height"])),)


def _empty(inputs: dict[str, Any], execution: Execution) -> tuple[Any, ...]:
    color = inputs["color"]
    rgb = (color >> 16, color >> 8 & 255, color & 255)
    return (Image.new("RGB", (inputs["width"], inputs["height"]), rgb),)


def _blend(inputs: dict[str, Any], execution: Execution) -> tuple[Any, ...]:
    first = inputs["image1"]
    return (Image.blend(first, inputs["image2"].resize(first.size), inputs["blend_factor"]),)


def _save(folder: str, prefix: str) -> Callable[[dict[str, Any], Execution], tuple[Any, ...]]:
    def save(inputs: dict[str, Any], execution: Execution) -> tuple[Any, ...]:
        path = execution.folder / folder / inputs.get("filename_prefix", prefix)
        path.parent.mkdir(parents=True, exist_ok=True)
        number = 1 + len(list(path.parent.glob(f"{path.name}_*_.png")))
        where = path.parent.relative_to(execution.folder / folder)
        subfolder = "" if where == Path() else where.as_posix()
        images = inputs["images"] if isinstance(inputs["images"], list) else [inputs["images"]]
        names = [f"{path.name}_{number + index:05}_.png" for index in range(len(images))]
        for name, image in zip(names, images, strict=True):
            image.save(path.with_name(name))
        return ({"images": [{"filename": name, "subfolder": subfolder, "type": folder} for name in names]},)

    return save


def _name(*names: str) -> Callable[[dict[str, Any], Execution], tuple[Any, ...]]:
    """Return a node that gives what is under *names*: a model is what it was made of."""
    return lambda inputs, execution: (tuple(str(inputs[name]) for name in names),)


NODES: dict[str, Callable[[dict[str, Any], Execution], tuple[Any, ...]]] = {
    "UNETLoader": _name("unet_name"),
    "UnetLoaderGGUF": _name("unet_name"),
    "CLIPLoader": _name("clip_name"),
    "VAELoader": _name("vae_name"),
    "ModelSamplingAuraFlow": _name("model", "shift"),
    "CFGNorm": _name("model", "strength"),
    "LoraLoaderModelOnly": _name("model", "lora_name", "strength_model"),
    "CLIPVisionLoader": _name("clip_name"),
    "ModelSamplingSD3": _name("model", "shift"),
    "CLIPTextEncode": lambda inputs, execution: ({"prompt": inputs["text"], "pictures": []},),
    "CLIPVisionEncode": _name("clip_vision"),
    "WanFirstLastFrameToVideo": _between,
    "KSamplerAdvanced": _sample,
    "LoadImage": _load_image,
    "FluxKontextImageScale": _kontext,
    "TextEncodeQwenImageEditPlus": _encode,
    "FluxKontextMultiReferenceLatentMethod": lambda inputs, execution: (inputs["conditioning"],),
    "EmptySD3LatentImage": lambda inputs, execution: (Latent((inputs["width"], inputs["height"])),),
    "VAEEncode": lambda inputs, execution: (Latent(inputs["pixels"].size),),
    "KSampler": _sample,
    "VAEDecode": _decode,
    "VAEDecodeTiled": _decode,
    "EmptyImage": _empty,
    "ImageScale": _scale,
    "ImageBlend": _blend,
    "PrimitiveString": lambda inputs, execution: (inputs["value"],),
    "StringConcatenate": lambda inputs, execution: (
        inputs["delimiter"].join((inputs["string_a"], inputs["string_b"])),
    ),
    "SaveImage": _save("output", "ComfyUI"),
    "PreviewImage": _save("temp", "preview"),
}
