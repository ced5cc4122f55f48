"""Which of a server's files to make clips with: Wan 2.2's pair of transformers, or Wan 2.1's for two given frames."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from undercard.backends.comfy.files import FORMATS, GGUF, LISTS, NONE, PLAIN, WORSE
from undercard.backends.comfy.nodes import Schemas
from undercard.errors import BackendUnavailable

VISION = "CLIPVisionLoader"
PAIR = re.compile(r"wan[-_. ]?2[._]2.*i2v")
"""Wan 2.2 has one transformer for the noisy half of the way and one for the rest; both begin from pictures."""
FIRST_LAST = re.compile(r"wan[-_. ]?2[._]1.*flf")
HIGH, LOW = re.compile(r"(?<![a-z])high([-_ ]?noise)?"), re.compile(r"(?<![a-z])low([-_ ]?noise)?")
TEXT_ENCODER = re.compile(r"umt5[-_ ]?xxl")
AUTOENCODER = re.compile(r"wan[-_. ]?2[._]1.*vae")
"""Both of Wan 2.2's large transformers keep the autoencoder of 2.1; `wan2.2_vae` is that of its small model."""
SIGHT = re.compile(r"clip[-_]?vision[-_]?h")
LIGHTNING = re.compile(r"i2v.*(lightx2v|lightning).*4[-_ ]?step|(lightx2v|lightning).*i2v.*4[-_ ]?step")
PUT = {
    "text encoder": "umt5_xxl_fp8_e4m3fn_scaled.safetensors into models/text_encoders",
    "autoencoder": "wan_2.1_vae.safetensors into models/vae",
    "vision model": "clip_vision_h.safetensors into models/clip_vision",
}


@dataclass(frozen=True, slots=True)
class WanWanted:
    """Files that were asked for by name; empty names are left to choose."""

    unet: str = ""
    """Wan 2.2's transformer for high noise, whose partner has a name to match, or the one of 2.1."""
    lora: str = ""
    """`none` for no LoRA, where the server has one for few steps."""


@dataclass(frozen=True, slots=True)
class WanFiles:
    """What to make clips with, in the server's own names."""

    unet: str
    low: str
    """The partner for low noise; empty for Wan 2.1, which has one transformer."""
    clip: str
    vae: str
    vision: str
    """What looks at the two pictures for Wan 2.1; empty for 2.2, which does without."""
    lora: str = ""
    """For few steps, of the transformer for high noise; empty for none."""
    lora_low: str = ""

    @property
    def detail(self) -> str:
        """What people call it: `Wan 2.2 Q4_K_M, 4 steps`."""
        kind = _format(self.unet).upper()
        steps = ", 4 steps" if self.lora else ""
        return " ".join(part for part in (f"Wan {'2.2' if self.low else '2.1'}", kind) if part) + steps


def listed(schemas: Schemas, kind: str) -> list[str]:
    """Return the files that a loader of *kind* offers; none where the server has no such node."""
    name = "clip_name" if kind == VISION else LISTS[kind]
    wanted = schemas[kind].inputs.get(name) if kind in schemas else None
    return [one for one in (wanted.choices if wanted and wanted.choices else ()) if isinstance(one, str)]


def loader(unet: str) -> str:
    """Return the kind of the node that opens the transformer *unet*."""
    return GGUF if unet.lower().endswith(".gguf") else PLAIN


def choose(schemas: Schemas, wanted: WanWanted) -> WanFiles:
    """Return what to make clips with on a server whose nodes are *schemas*.

    Wan 2.2 comes before 2.1, Q4_K_M before GGUF of more bits, then fp8, then 16 bits.

    Raises:
        BackendUnavailable: something is not there; the message says what, and what to do.
    """
    unets = [*listed(schemas, GGUF), *listed(schemas, PLAIN)]
    unet, low = _transformers(unets, wanted.unet)
    lacking = [] if unet else [_no_transformer(unets, wanted.unet, schemas)]
    clip = _first(listed(schemas, "CLIPLoader"), TEXT_ENCODER, "fp8")
    vae = _first(listed(schemas, "VAELoader"), AUTOENCODER)
    sees = not low
    vision = _first(listed(schemas, VISION), SIGHT) if sees and unet else ""
    for what, found in (("text encoder", clip), ("autoencoder", vae), ("vision model", vision or not sees or not unet)):
        if not found:
            lacking.append(f"the server has no {what} of Wan's; put {PUT[what]}")
    if lacking:
        raise BackendUnavailable("; ".join(lacking))
    lora, lora_low = _loras(listed(schemas, "LoraLoaderModelOnly"), wanted.lora) if low else ("", "")
    return WanFiles(unet, low, clip, vae, vision, lora, lora_low)


def _transformers(unets: Sequence[str], wanted: str) -> tuple[str, str]:
    """Return a pair of Wan 2.2, the high noise first, or Wan 2.1 and nothing; two empty names where there is none."""
    found = [wanted] if wanted else list(unets)
    pairs = [(high, low) for high in found if _is(high, PAIR, HIGH) and (low := _partner(high, unets))]
    singles = [(name, "") for name in found if name in unets and _is(name, FIRST_LAST)]
    order = (*FORMATS, "fp16", "", *WORSE)
    ranked = sorted(pairs, key=lambda pair: (order.index(_format(pair[0])), pair))
    return next(iter([*ranked, *sorted(singles, key=lambda one: (order.index(_format(one[0])), one))]), ("", ""))


def _partner(high: str, unets: Sequence[str]) -> str:
    """Return the transformer for low noise whose name differs from *high* in that alone."""
    if high not in unets:
        return ""
    bare = HIGH.sub("", high.lower())
    return next((name for name in unets if _is(name, PAIR, LOW) and LOW.sub("", name.lower()) == bare), "")


def _loras(loras: Sequence[str], wanted: str) -> tuple[str, str]:
    """Return the LoRAs for few steps of both transformers, or none: one alone would not do."""
    if wanted == NONE:
        return "", ""
    fit = sorted(name for name in loras if (name == wanted if wanted else _is(name, PAIR, LIGHTNING, HIGH)))
    for high in fit:
        bare = HIGH.sub("", high.lower())
        low = next((name for name in loras if LOW.search(name.lower()) and LOW.sub("", name.lower()) == bare), "")
        if low:
            return high, low
    if wanted:
        raise BackendUnavailable(
            f"the server has no {wanted!r} with a partner for low noise; set UNDERCARD_CLIP_LORA to a LoRA for high"
            " noise that it has, or to `none`"
        )
    return "", ""


def _no_transformer(unets: Sequence[str], wanted: str, schemas: Schemas) -> str:
    there = f"it has {', '.join(unets)}" if unets else "it has no transformer at all"
    gguf = "" if GGUF in schemas else "; install the extension ComfyUI-GGUF for GGUF files"
    if wanted:
        return f"the server has no {wanted!r} with what belongs to it ({there}); set UNDERCARD_CLIP_UNET to one it has"
    return (
        f"the server has neither a pair of Wan 2.2 I2V 14B nor Wan 2.1 FLF2V 14B ({there}); put"
        " wan2.2_i2v_high_noise_14B_fp8_scaled.safetensors and its low_noise partner into models/diffusion_models, or"
        f" name one with UNDERCARD_CLIP_UNET{gguf}"
    )


def _is(name: str, *patterns: re.Pattern[str]) -> bool:
    return all(pattern.search(name.lower()) for pattern in patterns)


def _format(name: str) -> str:
    return next((one for one in (*FORMATS, "fp16", *WORSE) if one in name.lower()), "")


def _first(names: Sequence[str], pattern: re.Pattern[str], best: str = "") -> str:
    fit = [name for name in names if pattern.search(name.lower())]
    return min(fit, key=lambda name: (best not in name.lower(), name), default="")
