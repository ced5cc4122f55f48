from __future__ import annotations

import pytest
import torch

from tests.engine.formats.weights import decoded, gaussian
from undercard.engine.formats import format_named
from undercard.engine.formats.fp8 import row_scale
from undercard.errors import BadCheckpoint

SHAPE = (48, 320)


@pytest.mark.parametrize("name", ["fp8", "int8"])
def test_each_row_keeps_its_greatest_magnitude(name: str) -> None:
    weight = gaussian(SHAPE)
    found = decoded(format_named(name), format_named(name).encode(weight), SHAPE)
    assert torch.equal(found.abs().amax(dim=1), weight.abs().amax(dim=1))


def test_int8_errs_by_half_a_step_at_most() -> None:
    weight = gaussian(SHAPE)
    parts = format_named("int8").encode(weight)
    steps = (parts["values"].float() - weight.float() / parts["scale"][:, None]).abs()
    assert steps.max() <= 0.5 + 1e-4


def test_a_layer_with_one_scale_decodes_by_repeating_it() -> None:
    weight = gaussian(SHAPE).float()
    scale = weight.abs().max() / 448
    values = (weight / scale).to(torch.float8_e4m3fn)
    found = decoded(format_named("fp8"), {"values": values, "scale": row_scale(scale, SHAPE[0])}, SHAPE)
    assert torch.equal(found, (values.float() * scale).bfloat16())


@pytest.mark.parametrize("shape", [(48,), (48, 1)])
def test_a_scale_of_every_row_is_taken_as_it_is(shape: tuple[int, ...]) -> None:
    scale = torch.rand(shape)
    assert torch.equal(row_scale(scale, 48), scale.view(48))


def test_a_scale_of_too_few_rows_is_refused() -> None:
    with pytest.raises(BadCheckpoint, match=r"a scale of \(47,\) fits no layer of 48 rows"):
        row_scale(torch.ones(47), 48)
