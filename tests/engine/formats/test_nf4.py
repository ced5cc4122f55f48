from __future__ import annotations

import torch

from tests.engine.formats.weights import decoded, gaussian
from undercard.engine.formats import format_named
from undercard.engine.formats.nf4 import CODE_BOOK


def test_the_first_of_two_weights_lies_in_the_high_nibble() -> None:
    weight = torch.zeros(1, 64, dtype=torch.bfloat16)
    weight[0, 0], weight[0, 1] = -2, 2
    parts = format_named("nf4").encode(weight)
    assert parts["codes"][0, 0] == 0x0F
    assert parts["codes"][0, 1] == 0x77


def test_a_block_of_the_book_comes_back_as_it_is() -> None:
    weight = torch.tensor(CODE_BOOK).repeat(4)[None].bfloat16()
    found = decoded(format_named("nf4"), format_named("nf4").encode(weight), (1, 64))
    assert torch.equal(found, weight)


def test_no_other_entry_of_the_book_is_nearer() -> None:
    weight = gaussian((8, 128))
    parts = format_named("nf4").encode(weight)
    codes = torch.stack((parts["codes"] >> 4, parts["codes"] & 15), dim=2).view(8, 2, 64)
    scaled = weight.view(8, 2, 64).float() / parts["absmax"].float()[:, :, None]
    distances = (scaled[..., None] - torch.tensor(CODE_BOOK)).abs()
    chosen = distances.gather(3, codes.long()[..., None])[..., 0]
    assert torch.equal(chosen, distances.amin(dim=3))


def test_the_magnitude_of_a_block_is_one_of_its_weights() -> None:
    weight = gaussian((8, 128))
    magnitudes = format_named("nf4").encode(weight)["absmax"]
    assert torch.equal(magnitudes, weight.view(8, 2, 64).abs().amax(dim=2))
