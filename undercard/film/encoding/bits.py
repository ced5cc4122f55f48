"""Bits of a video codec: read from a unit, and written for one (ITU-T H.264, 7.2 and 9.1)."""

from __future__ import annotations


class BitReader:
    """Reads the bits of a unit, which has a 3 after any two zeros that a start code could be taken from (7.4.1)."""

    def __init__(self, unit: bytes) -> None:
        self._bits = "".join(f"{byte:08b}" for byte in unit.replace(b"\0\0\3", b"\0\0"))
        self._at = 0

    def bits(self, count: int) -> int:
        """Return the next *count* bits as a number."""
        self._at += count
        if self._at > len(self._bits):
            raise IndexError("past the end")
        return int(self._bits[self._at - count : self._at], 2)

    def exp_golomb(self) -> int:
        """Return the next number, coded as its bits after as many zeros (9.1)."""
        zeros = 0
        while not self.bits(1):
            zeros += 1
        return (1 << zeros) - 1 + (self.bits(zeros) if zeros else 0)

    def signed_exp_golomb(self) -> int:
        """Return the next number, whose sign is in its lowest bit (9.1.1)."""
        code = self.exp_golomb()
        return (code + 1) // 2 if code % 2 else -(code // 2)


class BitWriter:
    """Writes bits, the highest of a number first."""

    def __init__(self) -> None:
        self._value = 0
        self.count = 0

    def bits(self, value: int, count: int) -> None:
        """Write *count* bits of *value*."""
        self._value = self._value << count | value
        self.count += count

    def exp_golomb(self, value: int) -> None:
        """Write *value* as `BitReader.exp_golomb` reads it."""
        self.bits(value + 1, 2 * (value + 1).bit_length() - 1)

    def signed_exp_golomb(self, value: int) -> None:
        """Write *value* as `BitReader.signed_exp_golomb` reads it."""
        self.exp_golomb(2 * value - 1 if value > 0 else -2 * value)

    def bytes(self) -> bytes:
        """Return what was written, a whole number of bytes."""
        return self._value.to_bytes(self.count // 8, "big")
