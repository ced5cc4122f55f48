from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import QwenImageTransformer2DModel
from torch import Tensor

from tests import here
from tests.fakes import tiny
from undercard.engine.stages import schedule
from undercard.engine.weights import modulation
from undercard.engine.weights.modulation import Modulation, Stream, Tables

CPU = torch.device("cpu")


def table_of(transformer: QwenImageTransformer2DModel, steps: int = 4) -> Modulation:
    return modulation.compute(
        modulation.weights_of(transformer),
        len(transformer.transformer_blocks),
        transformer.time_text_embed,
        schedule.timesteps(steps),
        zero_cond_t=transformer.config["zero_cond_t"],
        device=CPU,
    )


def forward(transformer: QwenImageTransformer2DModel, timestep: float, *, seed: int = 0) -> Tensor:
    """Ask the model about a picture of 4×4 tokens with one reference of 4×4 and 7 tokens of text."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        answer: Tensor = transformer(
            hidden_states=torch.randn(1, 32, 64, generator=generator).bfloat16(),
            encoder_hidden_states=torch.randn(1, 7, tiny.TEXT_WIDTH, generator=generator).bfloat16(),
            timestep=torch.tensor([timestep], dtype=torch.bfloat16),
            img_shapes=[[(1, 4, 4), (1, 4, 4)]],
            return_dict=False,
        )[0]
    return answer


def filled_transformer(*, zero_cond_t: bool) -> QwenImageTransformer2DModel:
    return tiny.filled(tiny.transformer(zero_cond_t=zero_cond_t), seed=3)


@pytest.mark.parametrize("zero_cond_t", [True, False], ids=["2511", "2509"])
@pytest.mark.parametrize("steps", [4, 8])
def test_a_model_with_tables_answers_bit_for_bit_as_without(steps: int, zero_cond_t: bool) -> None:
    whole, tabled = (filled_transformer(zero_cond_t=zero_cond_t) for _ in range(2))
    tables = modulation.attach(tabled, table_of(whole, steps), CPU)

    for step, timestep in enumerate(schedule.timesteps(steps)):
        tables.select(step)
        assert torch.equal(forward(tabled, timestep), forward(whole, timestep))


def test_every_step_of_a_table_differs_from_the_others() -> None:
    model = filled_transformer(zero_cond_t=True)
    tables = modulation.attach(model, table_of(model), CPU)

    answers = []
    for step in range(4):
        tables.select(step)
        answers.append(forward(model, 1.0))

    assert all(not torch.equal(answers[0], other) for other in answers[1:])


def test_the_second_pass_of_guidance_shares_the_step_of_the_first() -> None:
    whole, tabled = (filled_transformer(zero_cond_t=True) for _ in range(2))
    tables = modulation.attach(tabled, table_of(whole), CPU)
    tables.select(2)
    timestep = schedule.timesteps(4)[2]

    for prompt in (1, 2):
        assert torch.equal(forward(tabled, timestep, seed=prompt), forward(whole, timestep, seed=prompt))


def test_attaching_a_table_drops_the_linears_of_modulation() -> None:
    model = filled_transformer(zero_cond_t=True)
    table = table_of(model)

    modulation.attach(model, table, CPU)

    assert not [name for name, _ in model.named_parameters() if "_mod." in name]


def test_weights_are_asked_for_one_block_and_stream_at_a_time_in_order() -> None:
    model = filled_transformer(zero_cond_t=False)
    asked: list[tuple[int, Stream]] = []
    stored = modulation.weights_of(model)

    def weights(block: int, stream: Stream) -> tuple[Tensor, Tensor]:
        asked.append((block, stream))
        return stored(block, stream)

    modulation.compute(weights, 2, model.time_text_embed, schedule.timesteps(4), zero_cond_t=False, device=CPU)

    assert asked == [(0, "img"), (0, "txt"), (1, "img"), (1, "txt")]


@pytest.mark.parametrize(("zero_cond_t", "rows"), [(True, 2), (False, 1)], ids=["2511", "2509"])
def test_a_table_has_a_row_for_references_only_where_their_timestep_is_zero(zero_cond_t: bool, rows: int) -> None:
    table = table_of(filled_transformer(zero_cond_t=zero_cond_t))

    assert (tuple(table.img.shape), tuple(table.txt.shape)) == ((4, 2, rows, 384), (4, 2, 1, 384))


def test_a_step_outside_the_schedule_is_refused() -> None:
    tables = Tables(table_of(filled_transformer(zero_cond_t=True)), CPU)

    with pytest.raises(IndexError, match="step 4 of a schedule of 4"):
        tables.select(4)


def test_tables_that_are_shown_another_schedule_answer_by_it_in_every_block() -> None:
    model = filled_transformer(zero_cond_t=True)
    four, eight = table_of(model), table_of(model, steps=8)
    tables = modulation.attach(model, four, CPU)
    tables.select(3)

    tables.show(eight)

    assert tables.step == 0
    tables.select(7)
    answer = model.transformer_blocks[1].img_mod(torch.zeros(1))
    assert torch.equal(answer, eight.img[7, 1])
    assert tables.timesteps == eight.timesteps


def test_a_table_of_another_model_is_refused() -> None:
    table = table_of(filled_transformer(zero_cond_t=True))

    with pytest.raises(ValueError, match="2 blocks does not fit a model of 3"):
        modulation.attach(tiny.transformer(layers=3), table, CPU)


def test_a_kept_table_is_read_back_whole() -> None:
    table = table_of(filled_transformer(zero_cond_t=True))

    modulation.save(table, "a" * 64, here.store())
    found = modulation.load("a" * 64, here.store())

    assert found is not None
    assert torch.equal(found.img, table.img)
    assert torch.equal(found.txt, table.txt)
    assert found.timesteps == table.timesteps


def spoil_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def replace_by_noise(path: Path) -> None:
    path.write_bytes(b"\xff" * 4096)


@pytest.mark.parametrize("damage", [spoil_a_byte, cut_short, replace_by_noise, Path.unlink])
def test_a_damaged_table_counts_as_absent(damage: object) -> None:
    assert callable(damage)
    modulation.save(table_of(filled_transformer(zero_cond_t=True)), "a" * 64, here.store())

    damage(modulation.table_path("a" * 64, here.store()))

    assert modulation.load("a" * 64, here.store()) is None


def test_a_table_under_a_foreign_name_counts_as_absent() -> None:
    modulation.save(table_of(filled_transformer(zero_cond_t=True)), "a" * 64, here.store())

    modulation.table_path("a" * 64, here.store()).rename(modulation.table_path("b" * 64, here.store()))

    assert modulation.load("b" * 64, here.store()) is None


def test_the_key_of_a_table_tells_apart_whatever_changes_it() -> None:
    four, eight = schedule.timesteps(4), schedule.timesteps(8)
    keys = {
        modulation.key("c", "l", four, zero_cond_t=True, device_kind="cpu"),
        modulation.key("d", "l", four, zero_cond_t=True, device_kind="cpu"),
        modulation.key("c", "", four, zero_cond_t=True, device_kind="cpu"),
        modulation.key("c", "l", eight, zero_cond_t=True, device_kind="cpu"),
        modulation.key("c", "l", four, zero_cond_t=False, device_kind="cpu"),
        modulation.key("c", "l", four, zero_cond_t=True, device_kind="cuda H100"),
    }

    assert len(keys) == 6
