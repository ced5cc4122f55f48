"""The graphs of Qwen-Image-Edit 2509 and 2511, as ComfyUI's own templates build them."""

from __future__ import annotations

from dataclasses import dataclass

from undercard.backends.comfy.files import Files
from undercard.backends.comfy.nodes import Graph, Node, Values, link

SHIFT = 3.0
"""Gives Lightning's own noise levels, 1, 0.9, 0.75, 0.5 and 0 for four steps; the template's 3.1 does not."""
REFERENCES = 3
"""Pictures that the model takes at most."""
REFERENCE_METHOD = "index_timestep_zero"
"""How 2511 was taught to see its references; 2509 was not."""
TILE, OVERLAP = 512, 64
"""Pixels of a tile that is decoded on its own, and of what it shares with its neighbours: the node's own values."""
KINDS = (
    "UNETLoader",
    "UnetLoaderGGUF",
    "CLIPLoader",
    "VAELoader",
    "ModelSamplingAuraFlow",
    "CFGNorm",
    "LoraLoaderModelOnly",
    "LoadImage",
    "FluxKontextImageScale",
    "TextEncodeQwenImageEditPlus",
    "FluxKontextMultiReferenceLatentMethod",
    "EmptySD3LatentImage",
    "KSampler",
    "VAEDecode",
    "VAEDecodeTiled",
    "SaveImage",
)
"""Every kind of node that these graphs may have."""


@dataclass(frozen=True, slots=True)
class OwnGraph:
    """The graph that is made for a request where the user gave no workflow."""

    files: Files

    @property
    def detail(self) -> str:
        """What people call it."""
        return self.files.detail

    @property
    def references(self) -> int:
        """How many reference images it takes."""
        return REFERENCES

    def built(self, values: Values) -> tuple[Graph, str]:
        """Return the graph that draws *values*, and its node that makes the picture."""
        graph = {**_model(self.files), **_conditioning(self.files, values), **_picture(values)}
        return graph, "save"


def _model(files: Files) -> Graph:
    name: dict[str, object] = {"unet_name": files.unet}
    weights = name if files.loader == "UnetLoaderGGUF" else name | {"weight_dtype": "default"}
    graph = {
        "unet": Node(files.loader, weights),
        "sampling": Node("ModelSamplingAuraFlow", {"model": link("unet"), "shift": SHIFT}),
        "norm": Node("CFGNorm", {"model": link("sampling"), "strength": 1.0}),
    }
    if files.lora:
        lora = {"model": link("norm"), "lora_name": files.lora, "strength_model": 1.0}
        return graph | {"model": Node("LoraLoaderModelOnly", lora)}
    # The sampler takes its model from the node of this name.
    return {"unet": graph["unet"], "sampling": graph["sampling"], "model": graph["norm"]}


def _conditioning(files: Files, values: Values) -> Graph:
    place = "cpu" if values.sparing else "default"
    graph = {
        "clip": Node("CLIPLoader", {"clip_name": files.clip, "type": "qwen_image", "device": place}),
        "vae": Node("VAELoader", {"vae_name": files.vae}),
    }
    pictures = {}
    for number, name in enumerate(values.images[:REFERENCES], start=1):
        graph[f"image{number}"] = Node("LoadImage", {"image": name})
        pictures[f"image{number}"] = link(f"image{number}")
    # The picture that is edited, in one of the sizes that the model knows.
    graph["scaled"] = Node("FluxKontextImageScale", {"image": link("image1")})
    pictures["image1"] = link("scaled")
    for name, prompt in (("positive", values.prompt), ("negative", values.negative_prompt)):
        words = {"clip": link("clip"), "vae": link("vae"), "prompt": prompt, **pictures}
        text = Node("TextEncodeQwenImageEditPlus", words)
        if files.version != "2511":
            graph[name] = text
            continue
        method = {"conditioning": link(f"{name}_text"), "reference_latents_method": REFERENCE_METHOD}
        graph[f"{name}_text"] = text
        graph[name] = Node("FluxKontextMultiReferenceLatentMethod", method)
    return graph


def _picture(values: Values) -> Graph:
    latent = {"width": values.width, "height": values.height, "batch_size": 1}
    sampler = {
        "model": link("model"),
        "positive": link("positive"),
        "negative": link("negative"),
        "latent_image": link("latent"),
        "seed": values.seed,
        "steps": values.steps,
        "cfg": 1.0,
        "sampler_name": "euler",
        "scheduler": "simple",
        # All of it is noise at first, so that an empty latent serves as well as one of the picture that is edited.
        "denoise": 1.0,
    }
    decoded: dict[str, object] = {"samples": link("sampler"), "vae": link("vae")}
    tiles = {"tile_size": TILE, "overlap": OVERLAP, "temporal_size": 64, "temporal_overlap": 8}
    return {
        "latent": Node("EmptySD3LatentImage", latent),
        "sampler": Node("KSampler", sampler),
        "decoded": Node("VAEDecodeTiled", decoded | tiles) if values.in_tiles else Node("VAEDecode", decoded),
        "save": Node("SaveImage", {"images": link("decoded"), "filename_prefix": values.output}),
    }
