from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from diffusers import AutoencoderKLQwenImage
from torch import Tensor

from tests.engine import tiny
from undercard.engine import tiles, vae
from undercard.engine.vae import PictureVae
from undercard.engine.vae_memory import WHOLE, Tiling, estimate, fitting
from undercard.errors import OutOfMemory

GB = 10**9
# The order in which oneDNN sums a convolution follows the tile's shape; in bf16 the difference has always rounded away.
FLOAT_ROUNDING = 4e-6
SIZES = ((5, 9), (12, 5))
LAYOUTS = ((4, 1), (3, 2))


@pytest.fixture(autouse=True)
def no_grad() -> Iterator[None]:
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def autoencoder() -> AutoencoderKLQwenImage:
    """One with two residual blocks a level, as the real one has, in fp32 for speed."""
    return tiny.filled(tiny.autoencoder(residuals=2), seed=1).to(torch.float32)


@pytest.fixture(scope="module")
def full_size() -> AutoencoderKLQwenImage:
    """The real one without its weights."""
    with torch.device("meta"):
        return AutoencoderKLQwenImage()


def latents(size: tuple[int, int], dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(1, 16, 1, *size, generator=torch.Generator().manual_seed(0)).to(dtype)


def picture(size: tuple[int, int], dtype: torch.dtype = torch.float32) -> Tensor:
    height, width = size
    return torch.rand(1, 3, 1, 8 * height, 8 * width, generator=torch.Generator().manual_seed(0)).to(dtype) * 2 - 1


def difference(one: Tensor, other: Tensor) -> float:
    assert one.shape == other.shape
    return (one - other).abs().max().item()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_whole_picture_decodes_bit_for_bit_as_in_diffusers(
    autoencoder: AutoencoderKLQwenImage, dtype: torch.dtype
) -> None:
    model = tiny.filled(tiny.autoencoder(), seed=1).to(dtype)

    assert torch.equal(vae.decode(model, latents((4, 6), dtype)), model.decode(latents((4, 6), dtype)).sample)


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
    whole = vae.decode(autoencoder, latents(size))

    for rows, columns in LAYOUTS:
        tiled = vae.decode(autoencoder, latents(size), Tiling(split, rows, columns))
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
    whole = vae.decode(model, latents((9, 6), torch.bfloat16))

    strips = vae.decode(model, latents((9, 6), torch.bfloat16), Tiling(split=0, rows=4))

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


def limit(model: AutoencoderKLQwenImage, values: int) -> list[int]:
    """Let the last residual block of the decoder run out of memory above *values*; return what it was asked for."""
    asked: list[int] = []

    def allocate(_module: object, inputs: tuple[Tensor, ...]) -> None:
        asked.append(inputs[0].numel())
        if inputs[0].numel() > values:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    model.decoder.up_blocks[-1].resnets[-1].register_forward_pre_hook(allocate)
    return asked


def test_what_runs_out_of_memory_is_decoded_again_in_tiles_and_noted() -> None:
    model = tiny.filled(tiny.autoencoder(), seed=1).to(torch.float32)
    whole = vae.decode(model, latents((32, 16)))
    stand_in = PictureVae(model)
    asked = limit(model, 8 * 256 * 128 * 2 // 3)

    tiled = stand_in.decode(latents((32, 16))).sample

    assert difference(tiled, whole) <= FLOAT_ROUNDING
    assert stand_in.notes[0] == "ran out of memory: decode whole"
    assert stand_in.notes[1].startswith("decode in 2 strips for want of memory")
    assert asked == sorted(asked, reverse=True)


def test_running_out_in_the_smallest_tiles_is_raised_with_its_stage() -> None:
    model = tiny.filled(tiny.autoencoder(), seed=1).to(torch.float32)
    stand_in = PictureVae(model)
    asked = limit(model, 0)

    with pytest.raises(OutOfMemory) as caught:
        stand_in.decode(latents((32, 16)))

    assert caught.value.stage == "decode"
    assert len(asked) == len(set(asked)) > 1


def test_room_is_made_before_a_picture_is_cut_into_tiles() -> None:
    model = tiny.filled(tiny.autoencoder(), seed=1).to(torch.float32)
    free = [10**6]
    stand_in = PictureVae(model, free_bytes=lambda: free[0], make_room=lambda: free.append(free.pop() + 10 * GB))
    asked = limit(model, 10**9)

    stand_in.decode(latents((32, 16)))
    stand_in.decode(latents((32, 16)))

    assert stand_in.notes == []
    assert len(asked) == 2
    assert free == [10**6 + 10 * GB]


def test_what_runs_out_although_it_seemed_to_fit_is_tried_again_with_more_room() -> None:
    model = tiny.filled(tiny.autoencoder(), seed=1).to(torch.float32)
    asked = limit(model, 0)
    stand_in = PictureVae(model, make_room=lambda: limits_gone(model))

    whole = stand_in.decode(latents((32, 16))).sample

    assert torch.equal(whole, vae.decode(model, latents((32, 16))))
    assert stand_in.notes == ["ran out of memory: decode whole"]
    assert len(asked) == 1


def limits_gone(model: AutoencoderKLQwenImage) -> None:
    model.decoder.up_blocks[-1].resnets[-1]._forward_pre_hooks.clear()


@pytest.mark.parametrize("room", [True, False])
def test_an_exact_picture_runs_out_of_memory_rather_than_be_cut(room: bool) -> None:
    model = tiny.filled(tiny.autoencoder(), seed=1).to(torch.float32)
    made = []
    stand_in = PictureVae(model, free_bytes=lambda: 10**6, make_room=(lambda: made.append("room")) if room else None)
    stand_in.whole_only = True
    asked = limit(model, 8 * 256 * 128 * 2 // 3)

    with pytest.raises(OutOfMemory) as caught:
        stand_in.decode(latents((32, 16)))

    assert caught.value.stage == "decode"
    assert len(asked) == 1
    assert made == ["room"] * room


def test_an_exact_picture_that_was_foreseen_not_to_fit_is_tried_whole_all_the_same() -> None:
    model = tiny.filled(tiny.autoencoder(), seed=1).to(torch.float32)
    stand_in = PictureVae(model, free_bytes=lambda: 10**6)
    stand_in.whole_only = True

    picture = stand_in.decode(latents((32, 16))).sample

    assert torch.equal(picture, vae.decode(model, latents((32, 16))))


def test_a_picture_that_is_to_be_whole_is_tried_whole_with_the_blocks_gone_although_it_seems_not_to_fit() -> None:
    model = tiny.filled(tiny.autoencoder(), seed=1).to(torch.float32)
    made: list[str] = []
    stand_in = PictureVae(model, free_bytes=lambda: 10**6, make_room=lambda: made.append("room"))
    cut = stand_in.decode(latents((32, 16))).sample
    assert stand_in.tiled
    stand_in.whole_first = True

    whole = stand_in.decode(latents((32, 16))).sample

    assert torch.equal(whole, vae.decode(model, latents((32, 16))))
    assert not stand_in.tiled
    assert made == ["room", "room"]
    assert difference(cut, whole) <= FLOAT_ROUNDING


def test_where_the_whole_does_not_fit_the_largest_tiles_that_do_are_taken() -> None:
    model = tiny.filled(tiny.autoencoder(), seed=1).to(torch.float32)
    stand_in = PictureVae(model, free_bytes=lambda: 10**6)
    stand_in.decode(latents((32, 16)))
    foreseen = stand_in.notes.pop()
    stand_in.whole_first = True
    limit(model, 8 * 256 * 128 * 2 // 3)

    stand_in.decode(latents((32, 16)))

    assert stand_in.tiled
    assert stand_in.notes[0] == "ran out of memory: decode whole"
    assert stand_in.notes[1].startswith("decode in 2 strips")
    assert not foreseen.startswith("decode in 2 strips")


def test_references_are_encoded_as_they_fit_however_the_picture_is_to_be_decoded() -> None:
    model = tiny.filled(tiny.autoencoder(), seed=1).to(torch.float32)
    stand_in = PictureVae(model, free_bytes=lambda: 10**6)
    stand_in.whole_first = True

    stand_in.encode(torch.zeros(1, 3, 1, 256, 128))

    assert stand_in.notes[0].startswith("encode in")


def test_the_free_memory_is_asked_before_each_picture() -> None:
    model = tiny.filled(tiny.autoencoder(), seed=1).to(torch.float32)
    left = iter([10 * GB, 10**6])
    stand_in = PictureVae(model, free_bytes=lambda: next(left))
    asked = limit(model, 10**9)

    stand_in.decode(latents((32, 16)))
    stand_in.decode(latents((32, 16)))

    assert len(asked) > 2
    assert asked[0] > asked[1]
