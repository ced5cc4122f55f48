"""The autoencoder, whole as diffusers computes it, and in tiles that give the whole picture."""

from __future__ import annotations

import pytest
import torch
from diffusers import AutoencoderKLQwenImage
from torch import Tensor

from tests.engine.wholes import FLOAT_ROUNDING, difference
from tests.fakes import tiny
from undercard.engine.vae import tiles, vae
from undercard.engine.vae.vae_memory import Tiling

SIZES = ((5, 9), (12, 5))
LAYOUTS = ((4, 1), (3, 2))
pytestmark = pytest.mark.usefixtures("no_grad")


@pytest.fixture(scope="module")
def autoencoder() -> AutoencoderKLQwenImage:
    """One with two residual blocks a level, as the real one has, in fp32 for speed."""
    return tiny.filled(tiny.autoencoder(residuals=2), seed=1).to(torch.float32)


def picture(size: tuple[int, int], dtype: torch.dtype = torch.float32) -> Tensor:
    height, width = size
    return torch.rand(1, 3, 1, 8 * height, 8 * width, generator=torch.Generator().manual_seed(0)).to(dtype) * 2 - 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_whole_picture_decodes_bit_for_bit_as_in_diffusers(
    autoencoder: AutoencoderKLQwenImage, dtype: torch.dtype
) -> None:
    model = tiny.filled(tiny.autoencoder(), seed=1).to(dtype)

    assert torch.equal(vae.decode(model, tiny.latents((4, 6), dtype)), model.decode(tiny.latents((4, 6), dtype)).sample)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_whole_picture_encodes_bit_for_bit_as_in_diffusers(dtype: torch.dtype) -> None:
    model = tiny.filled(tiny.autoencoder(), seed=1).to(dtype)

    expected = model.encode(picture((4, 6), dtype)).latent_dist.parameters

    assert torch.equal(vae.encode(model, picture((4, 6), dtype)), expected)


@pytest.mark.parametrize("split", [0, 4, 11, 15])
@pytest.mark.parametrize("size", SIZES)
def test_tiles_decode_to_the_whole_picture_but_for_rounding(
    autoencoder: AutoencoderKLQwenImage, size: tuple[int, int], split: int
) -> None:
    whole = vae.decode(autoencoder, tiny.latents(size))

    for rows, columns in LAYOUTS:
        tiled = vae.decode(autoencoder, tiny.latents(size), Tiling(split, rows, columns))
        assert difference(tiled, whole) <= FLOAT_ROUNDING, (rows, columns)


@pytest.mark.parametrize("split", [1, 4, 9, 12])
@pytest.mark.parametrize("size", SIZES)
def test_tiles_encode_to_the_whole_picture_but_for_rounding(
    autoencoder: AutoencoderKLQwenImage, size: tuple[int, int], split: int
) -> None:
    whole = vae.encode(autoencoder, picture(size))

    for rows, columns in LAYOUTS:
        tiled = vae.encode(autoencoder, picture(size), Tiling(split, rows, columns))
        assert difference(tiled, whole) <= FLOAT_ROUNDING, (rows, columns)


def test_bf16_strips_are_bit_for_bit_the_whole_picture() -> None:
    model = tiny.filled(tiny.autoencoder(), seed=1)
    whole = vae.decode(model, tiny.latents((9, 6), torch.bfloat16))

    strips = vae.decode(model, tiny.latents((9, 6), torch.bfloat16), Tiling(split=0, rows=4))

    assert torch.equal(strips, whole)


def test_a_halo_is_not_a_row_wider_than_it_must_be(autoencoder: AutoencoderKLQwenImage) -> None:
    # If the outermost row of every halo changed nothing, a smaller halo would do.
    layers = vae.decoder_layers(autoencoder)
    middle = (150, 158)
    first, last = tiles.sources(layers, middle, 40)[0]
    x = torch.randn(1, 32, 1, 40, 4, generator=torch.Generator().manual_seed(0))

    def rows_of(changed: Tensor) -> Tensor:
        answer: Tensor = tiles.run(layers, changed)[..., slice(*middle), :]
        return answer

    for row, matters in ((first - 1, False), (first, True), (last - 1, True), (last, False)):
        changed = x.clone()
        changed[..., row, :] += 3.0
        assert torch.equal(rows_of(changed), rows_of(x)) is not matters, row
