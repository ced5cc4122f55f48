"""ggml's blocks, laid out byte by byte and decoded by hand: no other reader has a say."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

import pytest
import torch
from torch import Tensor

from undercard.engine.formats import _ggml as ggml


def half(value: float) -> bytes:
    return struct.pack("<e", value)


def placed(size: int, changes: Mapping[int, int]) -> bytes:
    """Return *size* bytes of zero but for those at the given places."""
    content = bytearray(size)
    for place, value in changes.items():
        content[place] = value
    return bytes(content)


def decoded(decode: Callable[[Tensor], Tensor], block: bytes) -> list[float]:
    found: list[float] = decode(torch.frombuffer(bytearray(block), dtype=torch.uint8).view(1, -1)).flatten().tolist()
    return found


def weights(count: int, rest: float, *parts: tuple[int, int, float], **single: float) -> list[float]:
    """Return *count* weights of *rest*, but for ranges `(start, stop, value)` and single ones `w7=value`."""
    made = [rest] * count
    for start, stop, value in parts:
        made[start:stop] = [value] * (stop - start)
    for name, value in single.items():
        made[int(name.removeprefix("w"))] = value
    return made


@pytest.mark.parametrize(
    ("decode", "block", "value"),
    [
        (ggml.f32, bytes.fromhex("000020c0"), -2.5),
        (ggml.f16, bytes.fromhex("00c1"), -2.5),
        (ggml.bf16, bytes.fromhex("20c0"), -2.5),
    ],
)
def test_a_float_is_read_low_byte_first(decode: Callable[[Tensor], Tensor], block: bytes, value: float) -> None:
    assert decoded(decode, block) == [value]


# The first half of the weights lies in the low nibbles, the second in the high ones.
@pytest.mark.parametrize(
    ("decode", "block", "expected"),
    [
        (ggml.q8_0, half(0.5) + placed(32, {0: 127, 1: 0xFF, 31: 0x80}), weights(32, 0.0, w0=63.5, w1=-0.5, w31=-64.0)),
        (ggml.q4_0, half(2.0) + b"\x1f" + b"\x88" * 15, weights(32, 0.0, w0=14.0, w16=-14.0)),
        (ggml.q4_1, half(2.0) + half(-3.0) + placed(16, {0: 0x1F}), weights(32, -3.0, w0=27.0, w16=-1.0)),
        # Fifth bits of weights 0 and 17.
        (
            ggml.q5_0,
            half(1.0) + bytes.fromhex("01000200") + placed(16, {0: 0x05, 1: 0x30}),
            weights(32, -16.0, w0=5.0, w17=3.0),
        ),
        (
            ggml.q5_1,
            half(1.0) + half(0.5) + bytes.fromhex("01000200") + placed(16, {0: 0x05, 1: 0x30}),
            weights(32, 0.5, w0=21.5, w17=19.5),
        ),
    ],
    ids=["q8_0", "q4_0", "q4_1", "q5_0", "q5_1"],
)
def test_a_block_of_32_is_scale_times_code(
    decode: Callable[[Tensor], Tensor], block: bytes, expected: list[float]
) -> None:
    assert decoded(decode, block) == expected


def test_two_bits_have_a_scale_and_a_minimum_for_every_16_weights() -> None:
    scales = placed(16, {0: 0x23, 6: 0x04, 9: 0x01})
    # Byte 0 holds weights 0, 32, 64 and 96, lowest bits first; byte 48 weights 144, 176, 208 and 240.
    codes = placed(64, {0: 0b11_00_00_10, 48: 0b00_00_00_11})

    found = decoded(ggml.q2_k, scales + codes + half(1.0) + half(0.5))

    assert found == weights(256, 0.0, (0, 16, -1.0), w0=5.0, w96=12.0, w144=3.0)


def test_three_bits_are_four_too_great_and_their_scales_32() -> None:
    third = placed(32, {0: 1 << 0, 16: 1 << 6})
    codes = placed(64, {0: 3, 1: 1, 48: 2 << 4})
    # Scales of 35 for weights 0 to 15, of 30 for 208 to 223, and of 32 for the others.
    scales = bytes.fromhex("0300000000e00000") + bytes([0b10101010, 0b01101010, 0b10101010, 0b10101010])

    found = decoded(ggml.q3_k, third + codes + scales + half(1.0))

    expected = weights(256, 0.0, (0, 16, -12.0), (208, 224, 8.0), w0=9.0, w1=-9.0, w208=-4.0)
    assert found == expected


# Sub-block 1: scale 5 and minimum 2. Sub-block 6: scale 51, minimum 33, with their top bits in bytes 2 and 6.
SCALES = half(1.0) + half(0.5) + placed(12, {1: 5, 5: 2, 10: 0x13, 2: 0b11 << 6, 6: 0b10 << 6})
NIBBLES = placed(128, {0: 0x70, 96: 0x0A})


def test_four_and_five_bits_have_six_bit_scales_and_minima_for_every_32_weights() -> None:
    groups = (32, 64, -1.0), (192, 224, -16.5)

    assert decoded(ggml.q4_k, SCALES + NIBBLES) == weights(256, 0.0, *groups, w32=34.0, w192=493.5)

    fifth = placed(32, {0: 1 << 1 | 1 << 6})
    assert decoded(ggml.q5_k, SCALES + fifth + NIBBLES) == weights(256, 0.0, *groups, w32=114.0, w192=1309.5)


def test_six_bits_are_32_too_great_and_have_signed_scales_for_every_16_weights() -> None:
    low = placed(128, {0: 0x0F, 127: 0x90})
    high = placed(64, {0: 0b01, 63: 0b11 << 6})
    scales = placed(16, {0: 4, 15: 0x100 - 3})

    found = decoded(ggml.q6_k, low + high + scales + half(0.5))

    assert found == weights(256, 0.0, (0, 16, -64.0), (240, 256, 48.0), w0=-2.0, w255=-37.5)
