"""The graphs of Wan 2.2 and 2.1 that make a clip between two pictures, as ComfyUI's own templates build them."""

from __future__ import annotations

from dataclasses import dataclass

from undercard.backends.clips.wan.files import WanFiles, loader
from undercard.backends.comfy.graph import OVERLAP, TILE
from undercard.backends.comfy.nodes import Graph, Node, link

KINDS = (
    "UNETLoader",
    "UnetLoaderGGUF",
    "LoraLoaderModelOnly",
    "ModelSamplingSD3",
    "CLIPLoader",
    "CLIPTextEncode",
    "CLIPVisionLoader",
    "CLIPVisionEncode",
    "VAELoader",
    "LoadImage",
    "WanFirstLastFrameToVideo",
    "KSampler",
    "KSamplerAdvanced",
    "VAEDecode",
    "VAEDecodeTiled",
    "SaveImage",
)
"""Every kind of node that these graphs may have."""
SHIFT, SHIFT_FEW = 8.0, 5.0
"""Of the noise levels, with all steps and with few: the templates' own."""
STEPS, FEW_STEPS = 20, 4
GUIDANCE_21, GUIDANCE_22 = 3.0, 4.0
FRAMES_AT_ONCE, FRAMES_SHARED = 64, 8
"""Frames that are decoded at once in tiles, and that two such stretches share: the node's own values."""


@dataclass(frozen=True, slots=True)
class ClipValues:
    """What a clip puts into a graph."""

    prompt: str
    negative_prompt: str
    seed: int
    width: int
    """Of the canvas, px; multiples of 16."""
    height: int
    frames: int
    """One more than a multiple of four."""
    first: str
    """Name of the uploaded picture that it begins with."""
    last: str
    output: str
    """What the names of its frames begin with."""
    sparing: bool = False
    """Take as little of the card as can be."""


@dataclass(frozen=True, slots=True)
class WanGraph:
    """The graph that is made for a clip where the user gave no workflow."""

    files: WanFiles

    @property
    def detail(self) -> str:
        """What people call it."""
        return self.files.detail

    @property
    def spared(self) -> str:
        """What is done otherwise to take as little of the card as can be."""
        return "text encoded on the processor, decoded in tiles"

    def built(self, values: ClipValues) -> tuple[Graph, str]:
        """Return the graph that makes *values*, and its node that saves the frames."""
        graph = {**_conditioning(self.files, values), **_sampled(self.files, values), **_frames(values)}
        return graph, "save"


def _conditioning(files: WanFiles, values: ClipValues) -> Graph:
    place = "cpu" if values.sparing else "default"
    graph = {
        "clip": Node("CLIPLoader", {"clip_name": files.clip, "type": "wan", "device": place}),
        "vae": Node("VAELoader", {"vae_name": files.vae}),
        "positive": Node("CLIPTextEncode", {"clip": link("clip"), "text": values.prompt}),
        "negative": Node("CLIPTextEncode", {"clip": link("clip"), "text": values.negative_prompt}),
        "first": Node("LoadImage", {"image": values.first}),
        "last": Node("LoadImage", {"image": values.last}),
    }
    inputs: dict[str, object] = {
        "positive": link("positive"),
        "negative": link("negative"),
        "vae": link("vae"),
        "width": values.width,
        "height": values.height,
        "length": values.frames,
        "batch_size": 1,
        "start_image": link("first"),
        "end_image": link("last"),
    }
    if files.vision:
        graph["vision"] = Node("CLIPVisionLoader", {"clip_name": files.vision})
        for end, picture in (("start", "first"), ("end", "last")):
            seen = {"clip_vision": link("vision"), "image": link(picture), "crop": "none"}
            graph[f"{picture}_seen"] = Node("CLIPVisionEncode", seen)
            inputs[f"clip_vision_{end}_image"] = link(f"{picture}_seen")
    return graph | {"between": Node("WanFirstLastFrameToVideo", inputs)}


def _sampled(files: WanFiles, values: ClipValues) -> Graph:
    if files.low:
        return _sampled_by_two(files, values)
    sampler = _sampler("model", GUIDANCE_21, "uni_pc", STEPS)
    sampler |= {"seed": values.seed, "denoise": 1.0, "latent_image": link("between", 2)}
    return {**_model("", files.unet, "", SHIFT), "sampler": Node("KSampler", sampler)}


def _sampled_by_two(files: WanFiles, values: ClipValues) -> Graph:
    steps, guidance, shift = (FEW_STEPS, 1.0, SHIFT_FEW) if files.lora else (STEPS, GUIDANCE_22, SHIFT)
    high = _sampler("high_model", guidance, "euler", steps) | {
        "latent_image": link("between", 2),
        "add_noise": "enable",
        "noise_seed": values.seed,
        "start_at_step": 0,
        "end_at_step": steps // 2,
        "return_with_leftover_noise": "enable",
    }
    low = _sampler("low_model", guidance, "euler", steps) | {
        "latent_image": link("high_sampler"),
        "add_noise": "disable",
        "noise_seed": 0,
        "start_at_step": steps // 2,
        "end_at_step": 10_000,
        "return_with_leftover_noise": "disable",
    }
    return {
        **_model("high_", files.unet, files.lora, shift),
        **_model("low_", files.low, files.lora_low, shift),
        "high_sampler": Node("KSamplerAdvanced", high),
        "sampler": Node("KSamplerAdvanced", low),
    }


def _sampler(model: str, guidance: float, name: str, steps: int) -> dict[str, object]:
    return {
        "model": link(model),
        "positive": link("between", 0),
        "negative": link("between", 1),
        "steps": steps,
        "cfg": guidance,
        "sampler_name": name,
        "scheduler": "simple",
    }


def _model(prefix: str, unet: str, lora: str, shift: float) -> Graph:
    name: dict[str, object] = {"unet_name": unet}
    kind = loader(unet)
    weights = name if kind == "UnetLoaderGGUF" else name | {"weight_dtype": "default"}
    graph = {f"{prefix}unet": Node(kind, weights)}
    source = f"{prefix}unet"
    if lora:
        fused = {"model": link(source), "lora_name": lora, "strength_model": 1.0}
        source = f"{prefix}lora"
        graph[source] = Node("LoraLoaderModelOnly", fused)
    return graph | {f"{prefix}model": Node("ModelSamplingSD3", {"model": link(source), "shift": shift})}


def _frames(values: ClipValues) -> Graph:
    decoded: dict[str, object] = {"samples": link("sampler"), "vae": link("vae")}
    tiles = {
        "tile_size": TILE,
        "overlap": OVERLAP,
        "temporal_size": FRAMES_AT_ONCE,
        "temporal_overlap": FRAMES_SHARED,
    }
    return {
        "decoded": Node("VAEDecodeTiled", decoded | tiles) if values.sparing else Node("VAEDecode", decoded),
        "save": Node("SaveImage", {"images": link("decoded"), "filename_prefix": values.output}),
    }
