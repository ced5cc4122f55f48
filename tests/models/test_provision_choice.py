"""Which models a backend needs on a machine, and which backend it is where none is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests import here
from tests.fakes.cards import H100, RTX_3060, machine
from tests.fakes.hub_server import Published
from tests.models.conftest import planned
from undercard.domain.unavailable import Cause
from undercard.errors import UnknownModel
from undercard.models import weights
from undercard.models.hub import Hub
from undercard.planning import recommend


@pytest.mark.parametrize(("model", "names"), [
    ("gguf-q4-k-m", ["lightning-4steps", "base-2511", "gguf-q4-k-m"]),
    ("base-2511", ["lightning-4steps", "base-2511"]),
    ("svdq-r16", ["base-2509", "svdq-r16"]),
    ("lightning-4steps", ["lightning-4steps"]),
])  # fmt: skip
def test_a_model_brings_what_belongs_to_it(model: str, names: list[str], hub: Hub) -> None:
    assert [item.model.name for item in planned(hub, None, model).items] == names


@pytest.mark.parametrize(
    ("backend", "model", "words"),
    [
        (None, "nothing", "model 'nothing' does not exist; use one of base-2511, base-2509"),
        ("previz", None, "backend 'previz' needs no models of the catalogue; those that do are bf16, fp8, gguf"),
        ("gguf", "fp8-8steps", "backend 'gguf' does not render with 'fp8-8steps'"),
        ("gguf", "nothing", "model 'nothing' does not exist"),
    ],
)
def test_what_the_catalogue_does_not_have_is_named(
    backend: str | None, model: str | None, words: str, published: Published
) -> None:
    with pytest.raises(UnknownModel, match=words):
        recommend.picks_for(backend, model, machine(), here.settings())


def test_a_card_that_cannot_compute_with_a_file_is_told(published: Published) -> None:
    old = machine(replace(RTX_3060, capability=(7, 0)))

    with pytest.raises(UnknownModel, match=r"suits a card of compute capability 7\.0"):
        recommend.picks_for("nunchaku", None, old, here.settings())
    assert recommend.picks_for("nunchaku", None, machine(RTX_3060), here.settings())


def test_the_machine_decides_where_no_backend_is_named(published: Published) -> None:
    small = replace(machine(RTX_3060), host_free_bytes=9 * 10**9)

    assert recommend.backend_for(machine(), here.settings()) is None
    assert recommend.backend_for(machine(H100), here.settings()) == "bf16"
    # Nothing that this catalogue has fits that memory.
    assert recommend.backend_for(small, here.settings()) is None


def test_a_backend_that_the_catalogue_has_nothing_for_is_not_recommended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in ("transformer", "text_encoder", "vae", "processor", "tokenizer"):
        (tmp_path / part).mkdir()
    (tmp_path / "transformer" / "config.json").write_text('{"_class_name": "QwenImageTransformer2DModel"}')
    monkeypatch.setenv("UNDERCARD_MODEL", str(tmp_path))
    assert recommend.backend_for(machine(RTX_3060), here.settings()) == "nunchaku"

    # nunchaku's files are of 2509 alone.
    (tmp_path / "transformer" / "config.json").write_text(
        '{"_class_name": "QwenImageTransformer2DModel", "zero_cond_t": true}'
    )

    lacking = weights.missing("nunchaku", here.settings())
    assert lacking is not None
    assert lacking.cause is Cause.NOT_IN_CATALOGUE
    best = recommend.backend_for(machine(RTX_3060), here.settings())
    assert best is not None
    assert recommend.picks_for(best, None, machine(RTX_3060), here.settings())
