"""Eight bits a weight and one scale a row, with values small enough to work out by hand."""

from __future__ import annotations

import torch

from tests.engine.formats.weights import decoded
from undercard.engine.formats._per_row import PerRow

INTEGERS = PerRow("int8", torch.int8, 127.0)
FLOATS = PerRow("fp8", torch.float8_e4m3fn, 448.0)


def test_the_largest_weight_of_a_row_becomes_the_largest_integer_and_halves_go_to_even() -> None:
    weight = torch.tensor([[127.0, -3.0, 2.5, 3.5], [-254.0, 254.0, 1.0, 3.0]]).bfloat16()

    parts = INTEGERS.encode(weight)

    assert parts["scale"].tolist() == [1.0, 2.0]
    assert parts["values"].tolist() == [[127, -3, 2, 4], [-127, 127, 0, 2]]


def test_the_largest_weight_of_a_row_becomes_448_in_eight_bit_floats() -> None:
    # From 16 to 32 they lie 2 apart: 17 and 19 are in the middle.
    parts = FLOATS.encode(torch.tensor([[448.0, 17.0, 19.0, -0.5], [224.0, 8.5, 0.0, 1.0]]).bfloat16())

    assert parts["scale"].tolist() == [1.0, 0.5]
    assert parts["values"].float().tolist() == [[448.0, 16.0, 20.0, -0.5], [448.0, 16.0, 0.0, 2.0]]


def test_a_row_of_zeros_is_scaled_by_one() -> None:
    parts = INTEGERS.encode(torch.zeros(1, 3, dtype=torch.bfloat16))

    assert (parts["scale"].tolist(), parts["values"].tolist()) == ([1.0], [[0, 0, 0]])


def test_a_weight_is_its_value_times_the_scale_of_its_row() -> None:
    parts = {
        "values": torch.tensor([[127, -4], [3, 0]], dtype=torch.int8),
        "scale": torch.tensor([0.5, -2.0]),
    }

    assert decoded(INTEGERS, parts, (2, 2)).tolist() == [[63.5, -2.0], [-6.0, -0.0]]
