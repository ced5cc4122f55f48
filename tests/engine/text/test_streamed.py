from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.engine.wholes import CPU
from tests.fakes import tiny
from undercard.engine.text import embeddings, streamed
from undercard.engine.text import encoder as text
from undercard.engine.text.streamed import opened
from undercard.errors import BadCheckpoint


@pytest.mark.parametrize("pictures", [1, 2, 3])
def test_a_streamed_encoder_answers_bit_for_bit_as_the_whole_one(checkpoint_2511: Path, pictures: int) -> None:
    seen = [tiny.picture(number, (64, 80)) for number in range(pictures)]
    whole = embeddings.encoding(
        text.Headless(text.open_encoder(checkpoint_2511)), text.open_processor(checkpoint_2511), CPU
    )

    with opened(checkpoint_2511, CPU, lambda: 0) as encode:
        streamed = encode("a jab to the chin", seen)

    expected = whole("a jab to the chin", seen)
    assert torch.equal(streamed.states, expected.states)
    assert (streamed.mask is None) == (expected.mask is None)


def test_an_encoder_in_the_names_of_the_published_checkpoint_is_read(checkpoint_2509: Path, tmp_path: Path) -> None:
    for part in ("text_encoder", "processor"):
        (tmp_path / part).mkdir()
        for file in (checkpoint_2509 / part).iterdir():
            (tmp_path / part / file.name).write_bytes(file.read_bytes())
    (weights,) = (tmp_path / "text_encoder").glob("*.safetensors")
    older = {
        name.replace("model.language_model.", "model.").replace("model.visual.", "visual."): value
        for name, value in load_file(weights).items()
    }
    save_file(older, weights, metadata={"format": "pt"})

    with opened(tmp_path, CPU, lambda: 0) as encode:
        assert encode("a jab", [tiny.picture(1, (64, 64))]).states.isfinite().all()


def test_another_models_encoder_is_refused_by_what_it_lacks(checkpoint_2509: Path, tmp_path: Path) -> None:
    for part in ("text_encoder", "processor"):
        (tmp_path / part).mkdir()
        for file in (checkpoint_2509 / part).iterdir():
            (tmp_path / part / file.name).write_bytes(file.read_bytes())
    (weights,) = (tmp_path / "text_encoder").glob("*.safetensors")
    save_file({"something.weight": torch.zeros(2, 2)}, weights)

    with (
        pytest.raises(BadCheckpoint, match="has neither 'model"),
        opened(tmp_path, CPU, lambda: 0),
    ):
        pass


def test_leaving_the_encoder_lets_go_of_its_weights_even_while_somebody_holds_it(
    checkpoint_2511: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = text.encoder_skeleton(checkpoint_2511)
    monkeypatch.setattr(streamed, "encoder_skeleton", lambda folder: encoder)

    with opened(checkpoint_2511, CPU, lambda: 0) as encode:
        encode("a jab", [tiny.picture(1, (64, 64))])
        assert "cpu" in {parameter.device.type for parameter in encoder.parameters()}

    assert {parameter.device.type for parameter in encoder.parameters()} == {"meta"}


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
def test_an_encoders_layers_go_without_waiting_for_the_collector(
    checkpoint_2511: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers: list[weakref.ref[torch.nn.Module]] = []
    skeleton = text.encoder_skeleton

    def remembered(folder: Path) -> object:
        encoder = skeleton(folder)
        layers.extend(weakref.ref(layer) for layer in encoder.model.language_model.layers)
        return encoder

    monkeypatch.setattr(streamed, "encoder_skeleton", remembered)
    with opened(checkpoint_2511, CPU, lambda: 0) as encode:
        encode("a jab", [tiny.picture(1, (64, 64))])
    del encode

    assert layers
    assert all(layer() is None for layer in layers)
