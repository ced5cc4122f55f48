"""The layouts of 8-bit float files, and the proof by which one is told from another: the header, and a few samples.

Three tools write scaled files, and a plain cast has no scales at all:

    ComfyUI, before      <layer>.scale_weight, one number; a tensor `scaled_fp8` marks the file
    ComfyUI, now         <layer>.weight_scale, one number; <layer>.comfy_quant (JSON) or metadata names the format
    LightX2V             <layer>.weight_scale, one a row; nothing marks the file

What is not one of these is refused: read without its scales, a model renders noise.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping

import numpy as np

from undercard.errors import BadCheckpoint
from undercard.models.headers import Described, Header, plain_name

MARKER = "scaled_fp8"
BEFORE, NOW = ".scale_weight", ".weight_scale"
BESIDES = (BEFORE, NOW, ".scale_input", ".input_scale", ".comfy_quant")
"""Ends of names that are no parameters; scales of activations serve kernels that quantise those too."""
FORMAT, DTYPE, OTHER_DTYPE = "float8_e4m3fn", "F8_E4M3", "F8_E5M2"
"""What is decoded, as ComfyUI and as safetensors call it, and the type that is not."""
SAMPLE_LAYERS, SAMPLE_BYTES = 3, 4096
SCALED_MEDIAN = 0x48
"""Magnitude 4.0 in e4m3. Scaled values spread up to 448, so half of them exceed it; trained weights are far below 1."""


def scales_of(header: Header) -> dict[str, str]:
    """Return diffusers' name of each scaled weight with the file's name of its scale; none for a plain cast.

    Raises:
        BadCheckpoint: the file holds no 8-bit floats, or others than e4m3fn; a weight has no scale beside some that
            have; or nothing proves what the scales mean.
    """
    stored = {plain_name(name): name for name in header.tensors}
    declared = dict(_declared(header))
    for layer, found in declared.items():
        if found != FORMAT:
            raise BadCheckpoint(f"{header.path}: {layer!r} is stored as {found}; only {FORMAT} is decoded")
    weights = {name: header.tensors[there] for name, there in stored.items() if not is_beside(name)}
    scales = {name: there for name in weights if (there := _scale_of(name, stored)) is not None}
    _check_dtypes(header, weights, scales, promised=bool(scales) or MARKER in stored)
    for name, there in scales.items():
        _prove(header, name, weights[name], there, marked=MARKER in stored, declared=declared)
    if not scales:
        _prove_plain(header, weights, stored)
    return scales


def is_beside(name: str) -> bool:
    """Say whether the tensor called *name* serves another one."""
    return name == MARKER or name.endswith(BESIDES)


def _scale_of(name: str, stored: Mapping[str, str]) -> str | None:
    layer = name.removesuffix(".weight")
    return next((stored[layer + end] for end in (BEFORE, NOW) if layer != name and layer + end in stored), None)


def _declared(header: Header) -> Iterator[tuple[str, str]]:
    """Yield layers, by diffusers' names, and the formats that the file says they have."""
    try:
        layers = json.loads(str(header.metadata.get("_quantization_metadata", "{}"))).get("layers", {})
        yield from ((plain_name(layer), str(facts["format"])) for layer, facts in layers.items())
        for name in header.tensors:
            if name.endswith(".comfy_quant"):
                facts = json.loads(header.read(name))
                yield plain_name(name).removesuffix(".comfy_quant"), str(facts["format"])
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise BadCheckpoint(f"{header.path} describes its layers in a way that cannot be read: {exc}") from exc


def _check_dtypes(
    header: Header, weights: Mapping[str, Described], scales: Mapping[str, str], *, promised: bool
) -> None:
    """Raise unless every weight with a scale is e4m3fn and, where scales are *promised*, every such weight has one."""
    for name, place in weights.items():
        eight_bits = place.dtype == DTYPE
        if place.dtype == OTHER_DTYPE or (name in scales and not eight_bits):
            raise BadCheckpoint(f"{header.path}: {name!r} is stored as {place.dtype}; only {FORMAT} is decoded")
        if eight_bits and promised and name not in scales:
            raise BadCheckpoint(f"{header.path}: {name!r} has no scale, unlike others; use another conversion")
    if DTYPE not in {place.dtype for place in weights.values()}:
        raise BadCheckpoint(f"{header.path} holds no {FORMAT}; open it as what it is")


def _prove(
    header: Header, name: str, weight: Described, scale: str, *, marked: bool, declared: Mapping[str, str]
) -> None:
    """Raise unless the header proves what the number or numbers called *scale* mean."""
    shape, rows = header.tensors[scale].shape, weight.shape[0]
    one_number = math.prod(shape) == 1
    if not one_number and shape not in {(rows,), (rows, 1)}:
        raise BadCheckpoint(
            f"{header.path}: {scale!r} is {shape}, which fits no layer of {rows} rows; "
            "a scale is one number or one a row"
        )
    if not one_number or name.removesuffix(".weight") in declared or (marked and scale.endswith(BEFORE)):
        return
    raise BadCheckpoint(
        f"{header.path}: {scale!r} is one number, and nothing in the file says which tool wrote it: no tensor "
        f"{MARKER!r}, no comfy_quant, no _quantization_metadata; fetch the published file"
    )


def _prove_plain(header: Header, weights: Mapping[str, Described], stored: Mapping[str, str]) -> None:
    """Raise where weights without scales are spread as only scaled ones are: their scales were lost."""
    matrices = [name for name, place in weights.items() if place.dtype == DTYPE and len(place.shape) > 1]
    for name in matrices[:SAMPLE_LAYERS]:
        magnitudes = np.frombuffer(header.read(stored[name], SAMPLE_BYTES), np.uint8) & 0x7F
        if np.median(magnitudes) > SCALED_MEDIAN:
            raise BadCheckpoint(
                f"{header.path}: {name!r} has no scale, and values that only make sense with one; "
                "use another conversion"
            )
