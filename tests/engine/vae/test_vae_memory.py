"""How a picture is cut for the memory there is: what is chosen fits, and the peak is foreseen."""

from __future__ import annotations

import pytest
import torch
from diffusers import AutoencoderKLQwenImage

from tests.fakes.cards import GB
from undercard.engine.vae import vae
from undercard.engine.vae.vae_memory import WHOLE, Tiling, estimate, fitting


@pytest.fixture(scope="module")
def full_size() -> AutoencoderKLQwenImage:
    """The real one without its weights."""
    with torch.device("meta"):
        return AutoencoderKLQwenImage()


@pytest.mark.parametrize("free_gb", [0.4, 0.6, 1.0, 1.5, 3.0, 6.0])
@pytest.mark.parametrize("length", [(128, 128), (136, 240), (240, 136)])
def test_what_is_chosen_fits_what_is_free(
    full_size: AutoencoderKLQwenImage, length: tuple[int, int], free_gb: float
) -> None:
    layers = vae.decoder_layers(full_size)

    chosen = fitting("decode", layers, length, round(free_gb * GB))

    assert estimate("decode", layers, length, chosen).peak_bytes <= free_gb * GB


# Allocated beyond the weights and the input, GB, on an H100 with torch 2.11: (height, width) of latents, tiling, peak.
MEASURED = [
    ((128, 128), WHOLE, 2.031),
    ((128, 128), Tiling(split=12, rows=2), 1.322),
    ((128, 128), Tiling(split=4, rows=5), 0.467),
    ((136, 240), WHOLE, 4.045),
    ((136, 240), Tiling(split=8, rows=3), 1.615),
    ((136, 240), Tiling(split=4, rows=4, columns=2), 0.599),
    ((136, 240), Tiling(split=3, rows=6, columns=3), 0.288),
]


@pytest.mark.parametrize(("length", "tiling", "peak_gb"), MEASURED)
def test_the_peak_of_a_tiling_is_foreseen_within_two_percent(
    full_size: AutoencoderKLQwenImage, length: tuple[int, int], tiling: Tiling, peak_gb: float
) -> None:
    foreseen = estimate("decode", vae.decoder_layers(full_size), length, tiling)

    assert foreseen.peak_bytes == pytest.approx(peak_gb * GB, rel=0.02)


def test_a_card_with_enough_decodes_whole(full_size: AutoencoderKLQwenImage) -> None:
    assert fitting("decode", vae.decoder_layers(full_size), (128, 128), 20 * GB) == WHOLE


def test_a_reference_of_a_megapixel_is_encoded_within_1_2_gb_with_little_repeated(
    full_size: AutoencoderKLQwenImage,
) -> None:
    layers = vae.encoder_layers(full_size)

    chosen = estimate("encode", layers, (1024, 1024), fitting("encode", layers, (1024, 1024), round(1.2 * GB)))

    assert chosen.peak_bytes <= 1.2 * GB
    assert chosen.work < 1.1


def test_less_memory_never_takes_less_work(full_size: AutoencoderKLQwenImage) -> None:
    layers = vae.decoder_layers(full_size)
    work = [
        estimate("decode", layers, (136, 240), fitting("decode", layers, (136, 240), free * GB // 10)).work
        for free in range(40, 3, -4)
    ]

    assert work == sorted(work)
