"""Bits of H.264's headers, read and written by the standard's own tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undercard.film.encoding.bits import BitReader, BitWriter

# ITU-T H.264, tables 9-2 and 9-3: bits, the number without a sign, the number with one.
CODES = [
    ("1", 0, 0),
    ("010", 1, 1),
    ("011", 2, -1),
    ("00100", 3, 2),
    ("00101", 4, -2),
    ("00110", 5, 3),
    ("00111", 6, -3),
    ("0001000", 7, 4),
    ("0001001", 8, -4),
    ("0001010", 9, 5),
]


def packed(bits: str) -> bytes:
    """Return *bits*, filled up with ones to whole bytes."""
    filled = bits + "1" * (-len(bits) % 8)
    return int(filled, 2).to_bytes(len(filled) // 8, "big")


@pytest.mark.parametrize(("bits", "number", "signed"), CODES)
def test_a_number_is_read_as_the_standards_table_has_it(bits: str, number: int, signed: int) -> None:
    assert BitReader(packed(bits)).exp_golomb() == number
    assert BitReader(packed(bits)).signed_exp_golomb() == signed


@pytest.mark.parametrize(("bits", "number", "signed"), CODES)
def test_a_number_is_written_as_the_standards_table_has_it(bits: str, number: int, signed: int) -> None:
    plain, negative = BitWriter(), BitWriter()

    plain.exp_golomb(number)
    negative.signed_exp_golomb(signed)

    left = -len(bits) % 8
    for writer in (plain, negative):
        assert writer.count == len(bits)
        writer.bits((1 << left) - 1, left)
        assert writer.bytes() == packed(bits)


def test_the_highest_bit_of_a_byte_comes_first() -> None:
    reader = BitReader(bytes([0b1010_0110, 0b1100_0000]))

    assert [reader.bits(count) for count in (1, 2, 5, 2)] == [1, 0b01, 0b00110, 0b11]


def test_a_3_that_keeps_zeros_from_looking_like_a_start_code_is_no_content() -> None:
    unit = bytes([0x67, 0, 0, 3, 1, 0, 0, 3, 0, 0, 3, 3])

    assert BitReader(unit).bits(8 * 9).to_bytes(9, "big") == bytes([0x67, 0, 0, 1, 0, 0, 0, 0, 3])


def test_reading_past_the_end_is_an_error_and_no_zeros() -> None:
    reader = BitReader(b"\x01")
    assert reader.bits(7) == 0

    with pytest.raises(IndexError):
        reader.bits(2)
    with pytest.raises(IndexError):
        BitReader(bytes(4)).exp_golomb()


@given(st.lists(st.integers(-(2**31), 2**31), max_size=8))
def test_numbers_of_any_length_are_read_back(numbers: list[int]) -> None:
    writer = BitWriter()
    for number in numbers:
        writer.signed_exp_golomb(number)
        writer.exp_golomb(abs(number))
    writer.bits(1, 8 - writer.count % 8)

    # As a unit has it: no start code inside.
    reader = BitReader(writer.bytes().replace(b"\0\0", b"\0\0\3"))

    assert [(reader.signed_exp_golomb(), reader.exp_golomb()) for _ in numbers] == [
        (each, abs(each)) for each in numbers
    ]
