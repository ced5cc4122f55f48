"""What every storage format keeps to; a new file in undercard/engine/formats is tested here unasked."""

from __future__ import annotations

import pytest
import torch

from tests.engine.formats.weights import decoded, gaussian, parts_of, relative_error
from undercard.engine import formats
from undercard.engine.formats import Format, format_named, stored_bytes
from undercard.errors import BadInput

SHAPE = (96, 3072)
ERRORS = {
    "bf16": 0.0,
    "fp8": 0.0266,
    "gguf-bf16": 0.0,
    "gguf-f16": 1e-5,
    "gguf-f32": 0.0,
    "gguf-q2-k": 0.3316,
    "gguf-q3-k": 0.1832,
    "gguf-q4-0": 0.0862,
    "gguf-q4-1": 0.0786,
    "gguf-q4-k": 0.0787,
    "gguf-q5-0": 0.0429,
    "gguf-q5-1": 0.0381,
    "gguf-q5-k": 0.0384,
    "gguf-q6-k": 0.0195,
    "gguf-q8-0": 0.0057,
    "int8": 0.0090,
    "nf4": 0.0923,
    # Plain rounding of Gaussian weights; calibrated files fare better.
    "svdq-int4-r16": 0.149,
    "svdq-int4-r32": 0.149,
    "svdq-int4-r64": 0.149,
    "svdq-int4-r128": 0.149,
    "svdq-int4-r256": 0.149,
}
"""Greatest relative error on Gaussian weights: measured on 256 × 3072 of them, and a hundredth more."""
BITS = {
    "bf16": 16,
    "fp8": 8,
    "int8": 8,
    "nf4": 4.25,
    "gguf-q8-0": 8.5,
    "gguf-q2-k": 2.625,
    "gguf-q4-k": 4.5,
    "gguf-q6-k": 6.5625,
}
ONLY_READ = [name for name in formats.names() if name.startswith("svdq-") or name.endswith("-k")]


@pytest.fixture(params=formats.names())
def each(request: pytest.FixtureRequest) -> Format:
    return format_named(request.param)


def test_a_format_goes_by_the_name_it_is_found_under(each: Format) -> None:
    assert format_named(each.name) is each


def test_parts_are_as_announced(each: Format) -> None:
    parts = parts_of(gaussian(SHAPE), each.name)
    assert {name: (tuple(part.shape), part.dtype) for name, part in parts.items()} == each.parts(SHAPE)
    assert all(part.is_contiguous() for part in parts.values())
    assert sum(part.nbytes for part in parts.values()) == stored_bytes(each, SHAPE)


def test_what_is_decoded_is_as_near_as_was_measured(each: Format) -> None:
    weight = gaussian(SHAPE)
    found = decoded(each, parts_of(weight, each.name), SHAPE)
    assert relative_error(found, weight) <= ERRORS[each.name]


@pytest.mark.parametrize("name", [name for name in formats.names() if name not in ONLY_READ])
def test_rows_of_zeros_stay_zeros(name: str) -> None:
    each = format_named(name)
    weight = gaussian(SHAPE)
    weight[3] = 0
    assert decoded(each, each.encode(weight), SHAPE)[3].count_nonzero() == 0


def test_more_rows_than_fit_a_chunk_decode_as_they_do_alone(each: Format, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = parts_of(gaussian(SHAPE), each.name)
    whole = decoded(each, parts, SHAPE)
    monkeypatch.setattr("undercard.engine.formats._checks.CHUNK_ELEMENTS", 7 * SHAPE[1])
    assert torch.equal(decoded(each, parts, SHAPE), whole)


def test_decoding_into_another_dtype_is_refused(each: Format) -> None:
    parts = parts_of(gaussian(SHAPE), each.name)
    with pytest.raises(BadInput, match=rf"{each.name}: decodes into contiguous bfloat16, not torch.float32"):
        each.decode(parts, torch.empty(SHAPE))


def test_decoding_into_another_shape_is_refused(each: Format) -> None:
    parts = parts_of(gaussian(SHAPE), each.name)
    with pytest.raises(BadInput, match=rf"{each.name}: part '\w+' is .* of \(\d+"):
        each.decode(parts, torch.empty(SHAPE[0] + 1, SHAPE[1], dtype=torch.bfloat16))


def test_a_missing_part_is_named(each: Format) -> None:
    with pytest.raises(BadInput, match=rf"{each.name}: has the parts {', '.join(each.parts(SHAPE))}, not $"):
        each.decode({}, torch.empty(SHAPE, dtype=torch.bfloat16))


def test_encoding_anything_but_a_bfloat16_matrix_is_refused(each: Format) -> None:
    with pytest.raises(BadInput, match=r"encodes bfloat16 of two dimensions, not torch.float32 of \(4, 256\)"):
        each.encode(torch.zeros(4, 256))
    with pytest.raises(BadInput, match=r"not torch.bfloat16 of \(256,\)"):
        each.encode(torch.zeros(256, dtype=torch.bfloat16))


@pytest.mark.parametrize("name", [name for name in formats.names() if ERRORS[name] > 0.01 and name != "fp8"])
def test_columns_that_do_not_fill_groups_are_refused(name: str) -> None:
    with pytest.raises(BadInput, match=rf"{name}: a weight of 8 × 1000 has no whole groups of \d+ columns"):
        format_named(name).parts((8, 1000))


@pytest.mark.parametrize(("name", "bits"), BITS.items())
def test_a_weight_takes_the_bits_its_name_promises(name: str, bits: float) -> None:
    rows, columns = 3072, 12288
    scales = 32 * rows if bits == 8 else 0
    assert stored_bytes(format_named(name), (rows, columns)) * 8 == rows * columns * bits + scales


@pytest.mark.parametrize("name", ONLY_READ)
def test_formats_that_are_only_read_say_what_to_do_instead(name: str) -> None:
    with pytest.raises(BadInput, match=rf"{name}: only read.*; (make the file with llama-quantize|choose nf4)"):
        format_named(name).encode(gaussian((4, 256)))


def test_an_unknown_format_is_named_with_those_there_are() -> None:
    with pytest.raises(BadInput, match=r"'int3' does not exist; use one of bf16, .*nf4"):
        format_named("int3")
