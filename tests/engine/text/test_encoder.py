from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from tests import here
from tests.engine.wholes import ENCODER, Case, digest, encode, opened
from tests.fakes import tiny
from undercard.engine.text import embeddings
from undercard.engine.text.embeddings import Encode, Wording
from undercard.engine.text.encoder import (
    Headless,
    HostEmbedding,
    encoder_layers,
    encoder_rest,
    encoder_skeleton,
    open_encoder,
    open_processor,
    stored_name,
)
from undercard.errors import BadCheckpoint


def hidden_states(encoder: Any, inputs: dict[str, Tensor]) -> Tensor:
    with torch.no_grad():
        states: Tensor = encoder(output_hidden_states=True, **inputs).hidden_states[-1]
    return states


def inputs_of(folder: Path) -> dict[str, Tensor]:
    words = "<|vision_start|><|image_pad|><|vision_end|>a jab"
    made = open_processor(folder)(text=[words], images=[tiny.picture(1)], padding=True, return_tensors="pt")
    return {name: made[name] for name in ("input_ids", "attention_mask", "pixel_values", "image_grid_thw")}


def tensors_in(folder: Path) -> dict[str, Tensor]:
    found = {}
    for path in folder.glob("*.safetensors"):
        with safe_open(path, framework="pt") as file:
            found.update({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118  # not a mapping
    return found


def test_the_encoder_without_its_head_gives_the_same_hidden_states(checkpoint_2511: Path) -> None:
    encoder, inputs = open_encoder(checkpoint_2511), inputs_of(checkpoint_2511)

    assert torch.equal(hidden_states(Headless(encoder), inputs), hidden_states(encoder, inputs))


def test_pictures_are_placed_in_rows_and_columns_where_that_is_asked_for(checkpoint_2511: Path) -> None:
    encoder, inputs = open_encoder(checkpoint_2511), inputs_of(checkpoint_2511)
    words = "<|vision_start|><|image_pad|><|vision_end|>a jab"
    made = open_processor(checkpoint_2511)(text=[words], images=[tiny.picture(1)], return_tensors="pt")

    placed = hidden_states(Headless(encoder, picture_positions=True), inputs)

    told = hidden_states(encoder, {**inputs, "mm_token_type_ids": made["mm_token_type_ids"]})
    assert torch.equal(placed, told)
    assert not torch.equal(placed, hidden_states(encoder, inputs))


def test_word_embeddings_on_the_host_give_the_same_hidden_states(checkpoint_2511: Path) -> None:
    encoder, inputs = open_encoder(checkpoint_2511), inputs_of(checkpoint_2511)
    before = hidden_states(encoder, inputs)

    encoder.model.set_input_embeddings(HostEmbedding(encoder.model.get_input_embeddings().weight))

    assert torch.equal(hidden_states(encoder, inputs), before)


@pytest.mark.parametrize("checkpoint", ["checkpoint_2511", "checkpoint_2509"])
def test_a_skeleton_filled_from_the_file_gives_the_same_hidden_states(
    checkpoint: str, request: pytest.FixtureRequest
) -> None:
    folder: Path = request.getfixturevalue(checkpoint)
    skeleton, stored = encoder_skeleton(folder), tensors_in(folder / "text_encoder")
    streamed = {
        f"{prefix}.{name}": parameter
        for prefix, stack in encoder_layers(skeleton)
        for name, parameter in stack.named_parameters()
    }

    for name in [*streamed, *encoder_rest(skeleton)]:
        owner, _, last = name.rpartition(".")
        weight = torch.nn.Parameter(stored[stored_name(name, stored)], requires_grad=False)
        setattr(skeleton.get_submodule(owner), last, weight)

    inputs = inputs_of(folder)
    assert torch.equal(hidden_states(Headless(skeleton), inputs), hidden_states(open_encoder(folder), inputs))


def test_a_parameter_that_the_file_lacks_is_named() -> None:
    with pytest.raises(BadCheckpoint, match=r"neither 'model.visual.merger.ln_q.weight' nor 'visual.merger"):
        stored_name("model.visual.merger.ln_q.weight", {"lm_head.weight"})


def test_a_film_is_encoded_in_one_pass_and_each_wording_once(checkpoint_2511: Path) -> None:
    jab, hook = Case(), Case(prompt="a hook")
    opens: list[str] = []

    @contextmanager
    def open_encode() -> Iterator[Encode]:
        opens.append("open")
        with opened(checkpoint_2511) as encode_one:
            yield encode_one
        opens.append("closed")

    wordings = [jab.wording(jab.prompt), hook.wording(hook.prompt), jab.wording(jab.prompt)]
    count = embeddings.encode_missing(
        wordings, ENCODER, here.store(), {digest(picture): picture for picture in jab.pictures}.__getitem__, open_encode
    )

    assert (count, opens) == (2, ["open", "closed"])


def test_the_encoder_stays_closed_when_everything_is_kept(checkpoint_2511: Path) -> None:
    case = Case()
    encode(checkpoint_2511, [case])

    def refuse(*_: object) -> Any:
        raise AssertionError("opened")

    assert embeddings.encode_missing([case.wording(case.prompt)], ENCODER, here.store(), refuse, refuse) == 0


def test_damaged_embeddings_are_encoded_again(checkpoint_2511: Path) -> None:
    case = Case()
    encode(checkpoint_2511, [case])
    path = embeddings.path(embeddings.key(case.wording(case.prompt), ENCODER), here.store())
    path.write_bytes(path.read_bytes()[:-1])

    assert encode(checkpoint_2511, [case]) == 1


def test_the_pictures_beside_a_prompt_change_its_embeddings(checkpoint_2511: Path) -> None:
    with opened(checkpoint_2511) as encode_one:
        first, second = (encode_one("a jab", [tiny.picture(seed)]).states for seed in (1, 2))

    assert not torch.equal(first, second)


def test_the_key_of_embeddings_tells_apart_whatever_changes_them() -> None:
    keys = {
        embeddings.key(Wording("a jab", ("a", "b")), ENCODER),
        embeddings.key(Wording("a jab", ("b", "a")), ENCODER),
        embeddings.key(Wording("a hook", ("a", "b")), ENCODER),
        embeddings.key(Wording("a jab", ("a", "b")), "another encoder"),
    }

    assert len(keys) == 4
