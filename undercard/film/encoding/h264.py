"""H.264, as far as a picture that stands needs it: pictures that say "as the one before" and nothing else.

An encoder searches each frame of a still for what moved, and takes as long for that as for frames that do move. Where
the frames are known to be one and the same, the answer is known, too: every macroblock is skipped, which copies it
from the picture before. Such a picture has some twenty bytes, and they are the same for every still.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from undercard.errors import EncodingFailed
from undercard.film.encoding.bits import BitReader, BitWriter

HIGH_PROFILES = frozenset({44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244})
"""Those whose sequence parameter set says how colour is sampled (ITU-T H.264, 7.3.2.1.1)."""
REFERENCE_SLICE = 0x41
"""First byte of a unit (7.3.1): a slice of a picture, not IDR, that others may refer to."""
ONLY_P = 5
"""A slice type (table 7-6): predicted, as are all slices of its picture."""
STEEPEST_QP = 51
"""With no residual a quantiser changes nothing but where the probabilities begin: at this one, nearest to certainty."""
SKIP_STATE = 42
"""Where the probability of a skip begins at that quantiser: min(126, (23 · 51 >> 4) + 33) - 64 (tables 9-13, 9-12)."""
LAST_STATE = 62
LEAST_LIKELY = (
    (16, 20, 23, 27), (15, 19, 22, 25), (14, 18, 21, 24), (14, 17, 20, 23), (13, 16, 19, 22), (12, 15, 18, 21),
    (12, 14, 17, 20), (11, 14, 16, 19), (11, 13, 15, 18), (10, 12, 15, 17), (10, 12, 14, 16), (9, 11, 13, 15),
    (9, 11, 12, 14), (8, 10, 12, 14), (8, 9, 11, 13), (7, 9, 11, 12), (7, 9, 10, 12), (7, 8, 10, 11), (6, 8, 9, 11),
    (6, 7, 9, 10), (6, 7, 8, 9),
)  # fmt: skip
"""Width of the less likely answer's range, by state from `SKIP_STATE` on and by quarter of the range (table 9-44)."""


@dataclass(frozen=True, slots=True)
class Headers:
    """What a slice's header is read by: of the sequence's and the picture's parameter sets."""

    picture_set: int
    frame_number_bits: int
    order_bits: int
    macroblocks: int
    initial_qp: int
    weighted: bool
    """A predicted slice says how its references are weighted."""
    order_bottom: bool
    """A slice says how far the fields of its picture are apart."""
    filter_said: bool
    """A slice says whether its edges are filtered."""
    redundant_said: bool


def headers(configuration: bytes) -> Headers:
    """Return what the parameter sets in *configuration*, the content of an `avcC` box, say.

    Raises:
        EncodingFailed: they are of a kind of H.264 that `skipped` cannot write.
    """
    # ISO/IEC 14496-15, 5.3.3.1.2: five bytes, then each set with its length before it.
    try:
        length = int.from_bytes(configuration[6:8], "big")
        sequence = BitReader(configuration[9 : 8 + length])
        start = 8 + length + 1
        size = int.from_bytes(configuration[start : start + 2], "big")
        picture = BitReader(configuration[start + 3 : start + 2 + size])
        return _read(sequence, picture)
    except IndexError as exc:
        raise EncodingFailed("the encoder's parameter sets are cut short; encode the shot again") from exc


def skipped(found: Headers, index: int) -> bytes:
    """Return a picture that shows the one before it again, as a sample of MP4: its length, then its unit.

    Args:
        found: of the picture that it repeats.
        index: which picture after the last IDR picture it is, in the order of decoding and of showing.
    """
    # 7.3.3, in its order; a weight that is not given is one.
    head = BitWriter()
    head.exp_golomb(0)
    head.exp_golomb(ONLY_P)
    head.exp_golomb(found.picture_set)
    head.bits(index % (1 << found.frame_number_bits), found.frame_number_bits)
    head.bits(2 * index % (1 << found.order_bits), found.order_bits)
    if found.order_bottom:
        head.exp_golomb(0)
    if found.redundant_said:
        head.exp_golomb(0)
    head.bits(1, 1)  # One reference, whatever the picture's set has.
    head.exp_golomb(0)
    head.bits(0, 1)
    if found.weighted:
        head.exp_golomb(0)
        head.exp_golomb(0)
        head.bits(0, 2)
    head.bits(0, 1)
    head.exp_golomb(0)
    head.signed_exp_golomb(STEEPEST_QP - found.initial_qp)
    if found.filter_said:
        head.exp_golomb(1)  # Off: what is copied has been filtered.
    while head.count % 8:
        head.bits(1, 1)
    unit = bytes([REFERENCE_SLICE]) + _protected(head.bytes() + _all_skipped(found.macroblocks))
    return len(unit).to_bytes(4, "big") + unit


@lru_cache(maxsize=4)
def _all_skipped(macroblocks: int) -> bytes:
    """Return the arithmetic code of as many skips (9.3.4.2): each one likely, and each followed by "not the end"."""
    code = _Code()
    state = SKIP_STATE
    for index in range(macroblocks):
        code.likely(LEAST_LIKELY[state - SKIP_STATE][code.range >> 6 & 3])
        state = min(state + 1, LAST_STATE)
        if index < macroblocks - 1:
            code.likely(2)
    return code.ended()


class _Code:
    """An arithmetic code in the making (9.3.4.2 to 9.3.4.5)."""

    def __init__(self) -> None:
        self.low, self.range = 0, 510
        self._outstanding, self._first = 0, True
        self._out = BitWriter()

    def likely(self, width: int) -> None:
        """Code the likelier answer, where the other one has *width* of the range."""
        self.range -= width
        if self.range < 256:
            self._renormalise()

    def ended(self) -> bytes:
        """Code that this was the last, and return the whole with its stop bit."""
        self.low += self.range - 2
        self.range = 2
        self._renormalise()
        self._put(self.low >> 9 & 1)
        self._out.bits(self.low >> 7 & 3 | 1, 2)
        while self._out.count % 8:
            self._out.bits(0, 1)
        return self._out.bytes()

    def _renormalise(self) -> None:
        while self.range < 256:
            if self.low < 256:
                self._put(0)
            elif self.low >= 512:
                self.low -= 512
                self._put(1)
            else:
                self.low -= 256
                self._outstanding += 1
            self.range <<= 1
            self.low <<= 1

    def _put(self, bit: int) -> None:
        if self._first:
            self._first = False
        else:
            self._out.bits(bit, 1)
        for _ in range(self._outstanding):
            self._out.bits(1 - bit, 1)
        self._outstanding = 0


def _read(sequence: BitReader, picture: BitReader) -> Headers:
    """Read a sequence's parameter set (7.3.2.1.1) and a picture's (7.3.2.2), each without its unit's first byte."""
    profile = sequence.bits(24) >> 16
    sequence.exp_golomb()
    if profile in HIGH_PROFILES:
        # 4:2:0 and eight bits, no lossless, no scaling lists.
        plain = [sequence.exp_golomb(), sequence.exp_golomb(), sequence.exp_golomb(), sequence.bits(2)] == [1, 0, 0, 0]
    else:
        plain = True
    frame_number_bits = sequence.exp_golomb() + 4
    plain &= sequence.exp_golomb() == 0
    order_bits = sequence.exp_golomb() + 4
    sequence.exp_golomb()
    sequence.bits(1)
    macroblocks = (sequence.exp_golomb() + 1) * (sequence.exp_golomb() + 1)
    plain &= sequence.bits(1) == 1
    picture_set = picture.exp_golomb()
    picture.exp_golomb()
    plain &= picture.bits(1) == 1
    order_bottom = bool(picture.bits(1))
    plain &= picture.exp_golomb() == 0
    picture.exp_golomb()
    picture.exp_golomb()
    weighted = bool(picture.bits(3) >> 2)
    initial_qp = 26 + picture.signed_exp_golomb()
    picture.signed_exp_golomb()
    picture.signed_exp_golomb()
    filter_said = bool(picture.bits(1))
    picture.bits(1)
    redundant_said = bool(picture.bits(1))
    if not plain:
        raise EncodingFailed("the encoder did not write whole frames of yuv420p with arithmetic coding; use libx264")
    return Headers(
        picture_set,
        frame_number_bits,
        order_bits,
        macroblocks,
        initial_qp,
        weighted,
        order_bottom,
        filter_said,
        redundant_said,
    )


def _protected(content: bytes) -> bytes:
    """Return *content* with a 3 before each byte that would make a start code of two zeros (7.4.1)."""
    out = bytearray()
    zeros = 0
    for byte in content:
        if zeros >= 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)
