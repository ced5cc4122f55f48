"""A fake server that has Wan's files, and what is asked of it."""

from __future__ import annotations

import io
from contextlib import AbstractContextManager

import numpy as np
from PIL import Image

from tests import here
from tests.fakes.comfyui.validation import Json
from undercard.backends.clips import ClipRenderer, ClipRequest, clip_backend, renderer_name
from undercard.backends.comfy.client import ServerGone
from undercard.domain.requests import Size
from undercard.film.base.pixels import Pixels

SIZE = (64, 36)
PAIR = ["wan2.2_i2v_high_noise_14B_fp8_scaled.safetensors", "wan2.2_i2v_low_noise_14B_fp8_scaled.safetensors"]
SINGLE = "wan2.1_flf2v_720p_14B_fp8_e4m3fn.safetensors"
QUANTISED = ["Wan2.2-I2V-A14B-HighNoise-Q4_K_M.gguf", "Wan2.2-I2V-A14B-LowNoise-Q4_K_M.gguf"]
LORAS = [
    "wan2.2_i2v_lightx2v_4steps_lora_v1_high_noise.safetensors",
    "wan2.2_i2v_lightx2v_4steps_lora_v1_low_noise.safetensors",
]
TEXT_ENCODER, AUTOENCODER = "umt5_xxl_fp8_e4m3fn_scaled.safetensors", "wan_2.1_vae.safetensors"
VISION = "clip_vision_h.safetensors"
REST = {
    ("CLIPLoader", "clip_name"): [TEXT_ENCODER],
    ("VAELoader", "vae_name"): [AUTOENCODER],
    ("CLIPVisionLoader", "clip_name"): [VISION],
}


def give(
    info: Json, unets: list[str] | None = None, loras: list[str] | None = None, ggufs: list[str] | None = None
) -> None:
    """Add Wan's files, of a pair unless told, to what the nodes of *info* offer."""
    files = {("UNETLoader", "unet_name"): PAIR if unets is None else unets, **REST}
    files |= {("LoraLoaderModelOnly", "lora_name"): loras or [], ("UnetLoaderGGUF", "unet_name"): ggufs or []}
    for (kind, key), names in files.items():
        listed = info[kind]["input"]["required"][key]
        listed[0] = [*listed[0], *names]


def picture(level: int, size: Size = SIZE) -> str:
    """Store a picture of one grey and return its digest."""
    content = io.BytesIO()
    Image.new("RGB", size, (level, level, level)).save(content, "PNG")
    return here.store().put_bytes(content.getvalue(), ".png").sha256


def request(
    prompt: str = "a jab", *, first: str = "", last: str = "", seed: int = 1, size: Size = SIZE, frames: int = 9
) -> ClipRequest:
    """Return a request for a clip from dark to bright on the server that the settings name."""
    ends = first or picture(40, size), last or picture(200, size)
    return ClipRequest(*ends, prompt, "blur", seed, size, frames, renderer_name("comfyui", here.settings()))


def opened() -> AbstractContextManager[ClipRenderer]:
    """Open the server as a maker of clips."""
    return clip_backend("comfyui").open(here.settings())


def pixels(frame: bytes) -> Pixels:
    """Return the pixels of a frame's file."""
    with Image.open(io.BytesIO(frame)) as image:
        return np.asarray(image)


def gone(*_: object) -> None:
    """Stand in for a client's question to a server that is away."""
    raise ServerGone("gone")
