"""What stands in for diffusers' autoencoder: it makes room, cuts into tiles, or raises when memory runs out."""

from __future__ import annotations

import pytest
import torch
from diffusers import AutoencoderKLQwenImage
from torch import Tensor

from tests.engine.wholes import FLOAT_ROUNDING, difference
from tests.fakes import tiny
from tests.fakes.cards import GB
from undercard.engine.vae import vae
from undercard.engine.vae.vae import PictureVae
from undercard.errors import OutOfMemory

pytestmark = pytest.mark.usefixtures("no_grad")


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
    whole = vae.decode(model, tiny.latents((32, 16)))
    stand_in = PictureVae(model)
    asked = limit(model, 8 * 256 * 128 * 2 // 3)

    tiled = stand_in.decode(tiny.latents((32, 16))).sample

    assert difference(tiled, whole) <= FLOAT_ROUNDING
    assert stand_in.notes[0] == "ran out of memory: decode whole"
    assert stand_in.notes[1].startswith("decode in 2 strips for want of memory")
    assert asked == sorted(asked, reverse=True)


def test_running_out_in_the_smallest_tiles_is_raised_with_its_stage() -> None:
    model = tiny.filled(tiny.autoencoder(), seed=1).to(torch.float32)
    stand_in = PictureVae(model)
    asked = limit(model, 0)

    with pytest.raises(OutOfMemory) as caught:
        stand_in.decode(tiny.latents((32, 16)))

    assert caught.value.stage == "decode"
    assert len(asked) == len(set(asked)) > 1


def test_room_is_made_before_a_picture_is_cut_into_tiles() -> None:
    model = tiny.filled(tiny.autoencoder(), seed=1).to(torch.float32)
    free = [10**6]
    stand_in = PictureVae(model, free_bytes=lambda: free[0], make_room=lambda: free.append(free.pop() + 10 * GB))
    asked = limit(model, 10**9)

    stand_in.decode(tiny.latents((32, 16)))
    stand_in.decode(tiny.latents((32, 16)))

    assert stand_in.notes == []
    assert len(asked) == 2
    assert free == [10**6 + 10 * GB]


def test_what_runs_out_although_it_seemed_to_fit_is_tried_again_with_more_room() -> None:
    model = tiny.filled(tiny.autoencoder(), seed=1).to(torch.float32)
    asked = limit(model, 0)
    stand_in = PictureVae(model, make_room=lambda: limits_gone(model))

    whole = stand_in.decode(tiny.latents((32, 16))).sample

    assert torch.equal(whole, vae.decode(model, tiny.latents((32, 16))))
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
        stand_in.decode(tiny.latents((32, 16)))

    assert caught.value.stage == "decode"
    assert len(asked) == 1
    assert made == ["room"] * room


def test_an_exact_picture_that_was_foreseen_not_to_fit_is_tried_whole_all_the_same() -> None:
    model = tiny.filled(tiny.autoencoder(), seed=1).to(torch.float32)
    stand_in = PictureVae(model, free_bytes=lambda: 10**6)
    stand_in.whole_only = True

    picture = stand_in.decode(tiny.latents((32, 16))).sample

    assert torch.equal(picture, vae.decode(model, tiny.latents((32, 16))))


def test_a_picture_that_is_to_be_whole_is_tried_whole_with_the_blocks_gone_although_it_seems_not_to_fit() -> None:
    model = tiny.filled(tiny.autoencoder(), seed=1).to(torch.float32)
    made: list[str] = []
    stand_in = PictureVae(model, free_bytes=lambda: 10**6, make_room=lambda: made.append("room"))
    cut = stand_in.decode(tiny.latents((32, 16))).sample
    assert stand_in.tiled
    stand_in.whole_first = True

    whole = stand_in.decode(tiny.latents((32, 16))).sample

    assert torch.equal(whole, vae.decode(model, tiny.latents((32, 16))))
    assert not stand_in.tiled
    assert made == ["room", "room"]
    assert difference(cut, whole) <= FLOAT_ROUNDING


def test_where_the_whole_does_not_fit_the_largest_tiles_that_do_are_taken() -> None:
    model = tiny.filled(tiny.autoencoder(), seed=1).to(torch.float32)
    stand_in = PictureVae(model, free_bytes=lambda: 10**6)
    stand_in.decode(tiny.latents((32, 16)))
    foreseen = stand_in.notes.pop()
    stand_in.whole_first = True
    limit(model, 8 * 256 * 128 * 2 // 3)

    stand_in.decode(tiny.latents((32, 16)))

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

    stand_in.decode(tiny.latents((32, 16)))
    stand_in.decode(tiny.latents((32, 16)))

    assert len(asked) > 2
    assert asked[0] > asked[1]
