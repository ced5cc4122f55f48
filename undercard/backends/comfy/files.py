"""Which of a server's files to render with: the transformer, the text encoder, the autoencoder and the LoRA."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PureWindowsPath

from undercard.backends.comfy.nodes import Schemas
from undercard.errors import BackendUnavailable

PLAIN, GGUF = "UNETLoader", "UnetLoaderGGUF"
"""The nodes that open a transformer; the second comes with the extension ComfyUI-GGUF."""
LISTS = {
    PLAIN: "unet_name",
    GGUF: "unet_name",
    "CLIPLoader": "clip_name",
    "VAELoader": "vae_name",
    "LoraLoaderModelOnly": "lora_name",
}
"""The input of each of these nodes whose choices are the files that the server has."""
VERSIONS = ("2511", "2509")
"""Of Qwen-Image-Edit, the better first."""
FORMATS = ("q4_k_m", "q5_k_m", "q4_k_s", "q5_k_s", "q6_k", "q8_0", "q5_0", "q5_1", "q4_0", "q4_1", "fp8", "bf16")
"""Of a transformer, the first choice first: 13 GB, which a small card streams fast, then those of more bits."""
WORSE = ("q3_k_l", "q3_k_m", "q3_k_s", "q2_k")
"""What is taken only where nothing else is there."""
UNREADABLE = ("lightning", "svdq")
"""In the names of transformers that are taken only where they are asked for: fused Lightning is often in a layout that
ComfyUI reads without its scales, and SVDQuant needs a loader of its own."""
TEXT_ENCODER = re.compile(r"qwen[-_ ]?2[._]5[-_ ]?vl")
AUTOENCODER = re.compile(r"qwen[-_ ]?image.*vae")
LIGHTNING = re.compile(r"lightning.*?(\d)[-_ ]?steps?")
NONE = "none"
FETCHING = (
    "run undercard provision --backend comfyui, with UNDERCARD_COMFYUI_MODELS set to the server's folder models, for "
    "all that is missing"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Files that were asked for by name; empty names are left to choose."""

    unet: str = ""
    clip: str = ""
    vae: str = ""
    lora: str = ""
    """`none` for no LoRA."""
    steps: int = 4


@dataclass(frozen=True, slots=True)
class Files:
    """What to render with, in the server's own names."""

    unet: str
    clip: str
    vae: str
    lora: str
    """Empty for none."""
    version: str
    """Of Qwen-Image-Edit: `2511` or `2509`."""

    @property
    def loader(self) -> str:
        """The kind of the node that opens the transformer."""
        return GGUF if self.unet.lower().endswith(".gguf") else PLAIN

    @property
    def detail(self) -> str:
        """What people call it: `2511 Q4_K_M`."""
        return f"{self.version} {_format(self.unet).upper() or PureWindowsPath(self.unet).stem}"


@dataclass(frozen=True, slots=True)
class Listed:
    """The files that a server has."""

    unets: Sequence[str]
    clips: Sequence[str]
    vaes: Sequence[str]
    loras: Sequence[str]
    missing: Mapping[str, str] = field(default_factory=dict)
    """What keeps a list from being longer, by the ending of the files: the extension for GGUF is not there."""


def listed(schemas: Schemas) -> Listed:
    """Return the files that a server has whose nodes are *schemas*."""

    def names(kind: str) -> list[str]:
        wanted = schemas[kind].inputs.get(LISTS[kind]) if kind in schemas else None
        return [name for name in (wanted.choices if wanted and wanted.choices else ()) if isinstance(name, str)]

    missing = {} if GGUF in schemas else {".gguf": "install the extension ComfyUI-GGUF for GGUF files"}
    return Listed(
        [*names(GGUF), *names(PLAIN)], names("CLIPLoader"), names("VAELoader"), names("LoraLoaderModelOnly"), missing
    )


def choose(has: Listed, wanted: Wanted) -> Files:
    """Return what to render with: what was *wanted*, and for the rest the best of what the server *has*.

    Raises:
        BackendUnavailable: something is not there; the message says what, what is, and what to do.
    """
    lacking: list[str] = []
    unets = _candidates(has, wanted)
    pairs = [(unet, lora) for unet in unets for lora in _loras(has, wanted, unet)]
    if not unets:
        lacking.append(_lacking_unet(has, wanted))
    elif not pairs:
        lacking.append(_lacking_lora(has, wanted, unets[0]))
    clip = _named_or_best(has.clips, wanted.clip, TEXT_ENCODER, first="fp8_scaled")
    if clip is None:
        lacking.append(_lacking("text encoder", has.clips, wanted.clip, "UNDERCARD_COMFYUI_CLIP", "text_encoders"))
    vae = _named_or_best(has.vaes, wanted.vae, AUTOENCODER)
    if vae is None:
        lacking.append(_lacking("autoencoder", has.vaes, wanted.vae, "UNDERCARD_COMFYUI_VAE", "vae"))
    if lacking and not any((wanted.unet, wanted.clip, wanted.vae, wanted.lora)):
        lacking.append(FETCHING)
    if lacking or clip is None or vae is None:
        raise BackendUnavailable("; ".join(lacking))
    unet, lora = pairs[0]
    return Files(unet, clip, vae, lora, _version(unet))


def _candidates(has: Listed, wanted: Wanted) -> list[str]:
    """Return the transformers that may be rendered with, best first."""
    if wanted.unet:
        return [wanted.unet] if wanted.unet in has.unets and _version(wanted.unet) else []
    fit = [name for name in has.unets if _is_edit(name) and not any(word in name.lower() for word in UNREADABLE)]
    order = (*FORMATS, "", *WORSE)
    return sorted(fit, key=lambda name: (VERSIONS.index(_version(name)), order.index(_format(name)), name))


def _loras(has: Listed, wanted: Wanted, unet: str) -> Iterator[str]:
    """Yield the LoRAs that make *unet* draw in few steps; an empty name where it needs none."""
    if wanted.lora == NONE or (not wanted.lora and "lightning" in unet.lower()):
        yield ""
    elif wanted.lora:
        yield from (name for name in has.loras if name == wanted.lora)
    else:
        fit = (name for name in has.loras if _version(name) == _version(unet) and _steps(name) == wanted.steps)
        yield from sorted(fit, key=lambda name: ("bf16" not in name.lower(), name))


def _is_edit(name: str) -> bool:
    return bool(_version(name)) and "qwen" in name.lower() and "edit" in name.lower()


def _version(name: str) -> str:
    return next((version for version in VERSIONS if version in name), "")


def _format(name: str) -> str:
    return next((one for one in (*FORMATS, *WORSE) if one in name.lower()), "")


def _steps(name: str) -> int:
    found = LIGHTNING.search(name.lower())
    return int(found[1]) if found else 0


def _named_or_best(names: Sequence[str], wanted: str, pattern: re.Pattern[str], first: str = "") -> str | None:
    if wanted:
        return wanted if wanted in names else None
    fit = [name for name in names if pattern.search(name.lower())]
    return min(fit, key=lambda name: (first not in name.lower(), name), default=None)


def _lacking_unet(has: Listed, wanted: Wanted) -> str:
    if wanted.unet in has.unets:
        return (
            f"{wanted.unet!r} does not say which Qwen-Image-Edit it is, and 2509 and 2511 need other graphs;"
            " give the file a name with one of these numbers, or set UNDERCARD_COMFYUI_WORKFLOW to a workflow for it"
        )
    what = "Qwen-Image-Edit 2511 or 2509"
    said = _lacking(what, has.unets, wanted.unet, "UNDERCARD_COMFYUI_UNET", "diffusion_models")
    return "; ".join([said, *has.missing.values()])


def _lacking_lora(has: Listed, wanted: Wanted, unet: str) -> str:
    what = f"Lightning LoRA of {wanted.steps} steps for {_version(unet)}"
    said = _lacking(what, has.loras, wanted.lora, "UNDERCARD_COMFYUI_LORA", "loras")
    others = sorted({_steps(name) for name in has.loras if _version(name) == _version(unet)} - {0, wanted.steps})
    return said + "".join(f", or set UNDERCARD_STEPS={steps}" for steps in others if steps in {4, 8})


def _lacking(what: str, names: Sequence[str], wanted: str, setting: str, folder: str) -> str:
    there = f"it has {', '.join(names)}" if names else "it has none at all"
    if wanted:
        return f"the server has no {wanted!r} ({there}); set {setting} to one of them"
    return f"the server has no {what} ({there}); put one into its folder models/{folder}, or name one with {setting}"
