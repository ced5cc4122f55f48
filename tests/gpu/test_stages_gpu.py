"""The stages on a real device: full-size parts, real out-of-memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLQwenImage
from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as edit_plus

from tests.engine import wholes
from tests.fakes import tiny
from undercard.engine.stages import pipeline, schedule
from undercard.engine.vae import vae
from undercard.engine.vae.vae import PictureVae
from undercard.engine.weights import modulation
from undercard.errors import OutOfMemory

pytestmark = pytest.mark.gpu

GB = 10**9
CUDA = torch.device("cuda")
LATENTS_1088_1920 = (136, 240)


@pytest.fixture(scope="module")
def autoencoder() -> AutoencoderKLQwenImage:
    """The real one's size, with random weights."""
    return tiny.filled(AutoencoderKLQwenImage(), seed=1).to(CUDA)


@pytest.fixture(autouse=True)
def whole_card() -> Iterator[None]:
    """Give the card back to the next test."""
    with torch.no_grad():
        yield
    torch.cuda.set_per_process_memory_fraction(1.0)
    torch.cuda.empty_cache()


def cap(spare_bytes: int) -> None:
    """Leave *spare_bytes* beside what is allocated."""
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + spare_bytes) / total)


def latents(size: tuple[int, int]) -> torch.Tensor:
    return torch.randn(1, 16, 1, *size, generator=torch.Generator().manual_seed(0)).bfloat16().to(CUDA)


def test_a_whole_picture_decodes_bit_for_bit_as_in_diffusers(autoencoder: AutoencoderKLQwenImage) -> None:
    z = latents((128, 128))

    assert torch.equal(vae.decode(autoencoder, z), autoencoder.decode(z).sample)


def test_full_hd_decodes_in_a_gigabyte_to_the_whole_picture_but_for_rounding(
    autoencoder: AutoencoderKLQwenImage,
) -> None:
    z = latents(LATENTS_1088_1920)
    whole = vae.decode(autoencoder, z)
    cap(round(1.0 * GB))

    strips = PictureVae(autoencoder, free_bytes=lambda: round(1.0 * GB)).decode(z).sample

    # cuDNN takes another kernel for another shape: a few ulps of bf16, 2 of 255 levels. diffusers' tiles are off by 30.
    apart = (strips.float() - whole.float()).abs()
    assert apart.max().item() <= 6 / 255
    assert apart.mean().item() <= 0.25 * 2 / 255


def test_a_reference_encodes_in_1_2_gigabytes_without_running_out(autoencoder: AutoencoderKLQwenImage) -> None:
    picture = torch.rand(1, 3, 1, 1024, 1024, device=CUDA).bfloat16() * 2 - 1
    stand_in = PictureVae(autoencoder, free_bytes=lambda: round(1.2 * GB))
    cap(round(1.2 * GB))

    stand_in.encode(picture)

    assert not [note for note in stand_in.notes if note.startswith("ran out")]
    assert len(stand_in.notes) == 1


def test_a_real_out_of_memory_falls_to_tiles_by_itself(autoencoder: AutoencoderKLQwenImage) -> None:
    z = latents(LATENTS_1088_1920)
    stand_in = PictureVae(autoencoder)
    cap(round(1.2 * GB))

    stand_in.decode(z)

    assert stand_in.notes[0] == "ran out of memory: decode whole"


def test_a_card_without_room_for_the_smallest_tile_says_so(autoencoder: AutoencoderKLQwenImage) -> None:
    z = latents(LATENTS_1088_1920)
    # The picture alone takes 12.5 MB.
    cap(1_000_000)

    with pytest.raises(OutOfMemory) as caught:
        PictureVae(autoencoder).decode(z)

    assert caught.value.stage == "decode"


@pytest.mark.parametrize("zero_cond_t", [True, False], ids=["2511", "2509"])
def test_tables_at_full_width_are_bit_for_bit_what_the_blocks_compute(zero_cond_t: bool) -> None:
    model = tiny.filled(tiny.transformer(dim=3072, layers=2, zero_cond_t=zero_cond_t), seed=3).to(CUDA)
    timesteps = schedule.timesteps(8)
    table = modulation.compute(
        modulation.weights_of(model), 2, model.time_text_embed, timesteps, zero_cond_t=zero_cond_t, device=CUDA
    )
    seen: list[torch.Tensor] = []
    for block in model.transformer_blocks:
        for linear in (block.img_mod, block.txt_mod):
            linear.register_forward_hook(lambda _module, _inputs, answer: seen.append(answer.cpu()))

    for timestep in timesteps:
        model(
            hidden_states=torch.randn(1, 512, 64, device=CUDA).bfloat16(),
            encoder_hidden_states=torch.randn(1, 40, tiny.TEXT_WIDTH, device=CUDA).bfloat16(),
            timestep=torch.tensor([timestep], device=CUDA, dtype=torch.bfloat16),
            img_shapes=[[(1, 16, 16), (1, 16, 16)]],
        )

    expected = [table_of[step, block] for step in range(8) for block in range(2) for table_of in (table.img, table.txt)]
    assert all(torch.equal(*pair) for pair in zip(seen, expected, strict=True))


def test_computing_a_table_holds_one_stream_of_one_block_on_the_device() -> None:
    model = tiny.filled(tiny.transformer(dim=3072, layers=3), seed=3)
    model.time_text_embed.to(CUDA)
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()

    modulation.compute(
        modulation.weights_of(model), 3, model.time_text_embed, schedule.timesteps(4), zero_cond_t=True, device=CUDA
    )

    assert torch.cuda.max_memory_allocated() - before < 6 * 3072 * 3072 * 2 * 1.1


@pytest.mark.parametrize("guidance", [1.0, 4.0], ids=["plain", "guided"])
def test_stages_with_tables_give_the_pixels_of_diffusers_called_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, guidance: float
) -> None:
    monkeypatch.setattr(edit_plus, "VAE_IMAGE_SIZE", 256 * 256)
    folder, case = tiny.build(tmp_path), wholes.Case(references=2, guidance=guidance, size=(256, 384))
    wholes.encode(folder, [case], CUDA)
    staged = wholes.staged_pipeline(folder, CUDA)
    tables = wholes.attach_tables(staged, case.steps)

    picture = pipeline.decode(staged, pipeline.denoise(staged, wholes.denoising(case), tables), case.size)

    whole = wholes.render_whole(wholes.whole_pipeline(folder).to(CUDA), case)
    assert np.array_equal(np.asarray(picture), np.asarray(whole))
