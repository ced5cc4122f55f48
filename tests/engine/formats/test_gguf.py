from __future__ import annotations

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType
from gguf.quants import dequantize

from tests.engine.formats.weights import any_blocks, decoded, gaussian, parts_of
from undercard.engine import formats
from undercard.engine.formats import format_named
from undercard.engine.formats.gguf import Ggml

NAMES = [name for name in formats.names() if name.startswith("gguf-")]
SHAPE = (24, 768)


def _type(name: str) -> Ggml:
    found = format_named(name)
    assert isinstance(found, Ggml)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_blocks_decode_to_the_bits_that_gguf_py_gives(name: str) -> None:
    parts = parts_of(gaussian(SHAPE), name)
    wanted = dequantize(parts["blocks"].numpy(), GGMLQuantizationType[_type(name).type_name])
    assert torch.equal(decoded(_type(name), parts, SHAPE), torch.from_numpy(np.array(wanted)).bfloat16())


@pytest.mark.parametrize("name", [name for name in NAMES if "-q" in name])
def test_any_bytes_decode_to_the_bits_that_gguf_py_gives(name: str) -> None:
    parts = any_blocks(SHAPE, _type(name))
    wanted = dequantize(parts["blocks"].numpy(), GGMLQuantizationType[_type(name).type_name])
    assert torch.equal(decoded(_type(name), parts, SHAPE), torch.from_numpy(np.array(wanted)).bfloat16())


@pytest.mark.parametrize("name", NAMES)
def test_blocks_are_as_long_as_ggml_says(name: str) -> None:
    from gguf.constants import GGML_QUANT_SIZES

    found = _type(name)
    assert (found.block_weights, found.block_bytes) == GGML_QUANT_SIZES[GGMLQuantizationType[found.type_name]]
