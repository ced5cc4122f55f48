"""Our formats beside what bitsandbytes 0.50.2 made of the same layer, kept in tests/engine/data (decision 0015)."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from tests.engine.formats.weights import decoded, relative_error
from tests.paths import DATA
from undercard.engine.formats import format_named

LAYER = DATA / "bitsandbytes" / "layer.safetensors"


@pytest.fixture(scope="module")
def layer() -> dict[str, Tensor]:
    """Heavy-tailed weights with a row and a block of zeros, and inputs of which every 32nd channel is an outlier."""
    return load_file(LAYER)


def test_nf4_is_what_bitsandbytes_makes_bit_for_bit(layer: dict[str, Tensor]) -> None:
    weight, nf4 = layer["weight"], format_named("nf4")

    parts = nf4.encode(weight)

    assert torch.equal(parts["codes"], layer["nf4_codes"])
    # It keeps them in float32, twice as long, although they are bf16's.
    assert torch.equal(parts["absmax"].float(), layer["nf4_absmax"])
    assert torch.equal(decoded(nf4, parts, (weight.shape[0], weight.shape[1])), layer["nf4_decoded"])


def test_int8_errs_no_more_than_the_weights_of_bitsandbytes(layer: dict[str, Tensor]) -> None:
    weight, int8 = layer["weight"], format_named("int8")
    theirs = layer["int8_values"].float() * layer["int8_largest"][:, None] / 127

    ours = decoded(int8, int8.encode(weight), (weight.shape[0], weight.shape[1]))

    assert relative_error(ours, weight) <= 1.001 * relative_error(theirs.bfloat16(), weight)


def test_int8_with_activations_as_they_are_errs_less_than_llm_int8(layer: dict[str, Tensor]) -> None:
    weight, given, int8 = layer["weight"], layer["input"], format_named("int8")
    exact = given.float() @ weight.float().T

    ours = given @ decoded(int8, int8.encode(weight), (weight.shape[0], weight.shape[1])).T

    assert relative_error(ours, exact) < relative_error(layer["llm_int8_output"], exact)
