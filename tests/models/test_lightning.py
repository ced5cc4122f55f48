"""Weights for more steps, and guidance: what Lightning allows, by what is here."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests import here
from tests.fakes import tiny_models
from tests.fakes.hub_server import Published
from tests.models.test_presence import write
from tests.models.test_weights import FP8, LORA, put
from undercard import backends
from undercard.models import catalogue_file, lightning, weights
from undercard.models.fingerprint import recipe
from undercard.models.presence import target_of

EIGHT = """
[[model]]
name = "lightning-8steps"
title = "Tiny Lightning, 8 steps"
repository = "tiny/Edit-Lightning-8"
revision = "main"
licence = "Apache-2.0"
layout = "lora"
edition = "2511"
rank = 4
pairs = 34
steps = 8
strength = 0.25
comfyui = "loras"
files = [{ path = "edit-eight.safetensors", about_bytes = 90_000 }]
"""


@pytest.fixture
def with_eight(published: Published, tmp_path: Path) -> Published:
    """Let the catalogue have a LoRA for eight steps as well."""
    catalogue = tmp_path / "models.toml"
    text = catalogue.read_text().replace(
        'lora = ["lightning-4steps"]', 'lora = ["lightning-4steps", "lightning-8steps"]'
    )
    catalogue.write_text(text + EIGHT)
    weights.forget()
    return published


def fetched_eight(published: Published) -> Path:
    """Put the LoRA for eight steps where `undercard provision` would."""
    path = target_of(catalogue_file.load(here.settings()).named("lightning-8steps"), here.settings())
    (four,) = put(published, "lightning-4steps")
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(four, path)
    weights.forget()
    return path


def test_other_steps_take_the_lora_that_is_made_for_them(with_eight: Published) -> None:
    base, four = put(with_eight, "base-2511", "lightning-4steps")
    eight = fetched_eight(with_eight)

    assert weights.of("bf16", here.settings()) == weights.Weights(base, None, four, lora_strength=0.5, steps=4)
    assert lightning.in_steps("bf16", 8, here.settings()) == weights.Weights(
        base, None, eight, lora_strength=0.25, steps=8
    )
    assert lightning.in_steps("bf16", 4, here.settings()) == weights.of("bf16", here.settings())
    assert backends.heeded("bf16", here.settings()) == {"steps", "whole"}
    assert recipe("bf16", here.settings(), steps=8).startswith("8 steps ")
    assert recipe("bf16", here.settings(), steps=8).endswith(" at 0.25")


def test_without_that_lora_nothing_is_made_in_other_steps_and_the_command_is_named(with_eight: Published) -> None:
    put(with_eight, "base-2511", "lightning-4steps")

    assert lightning.in_steps("bf16", 8, here.settings()) is None
    assert backends.heeded("bf16", here.settings()) == {"whole"}
    assert lightning.lacking("bf16", 8, here.settings()) == (
        "nothing here is made for 8 steps; run undercard provision --model lightning-8steps"
    )


def test_a_lora_goes_with_the_quantised_file_that_there_is(with_eight: Published) -> None:
    base, _, gguf = put(with_eight, "base-2511", "lightning-4steps", "gguf-q4-k-m")
    eight = fetched_eight(with_eight)

    assert lightning.in_steps("gguf", 8, here.settings()) == weights.Weights(
        base, gguf, eight, lora_strength=0.25, steps=8
    )
    assert lightning.lacking("gguf", 8, here.settings()) == ""


def test_a_file_with_lightning_in_it_is_for_its_own_steps(published: Published) -> None:
    put(published, "base-2511", "fp8-8steps")

    assert lightning.in_steps("fp8-lightning", 8, here.settings()) == weights.of("fp8-lightning", here.settings())
    assert lightning.in_steps("fp8-lightning", 4, here.settings()) is None


def test_the_file_beside_ones_own_that_is_called_the_same_but_for_the_steps_is_taken(
    published: Published, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("UNDERCARD_MODEL", str(write(published, tiny_models.BASE, tmp_path / "mine")))
    mine = write(published, tiny_models.LORA, tmp_path / "mine", LORA) / LORA
    four = mine.rename(mine.with_name("Tiny-Lightning-4steps-V1.safetensors"))
    monkeypatch.setenv("UNDERCARD_LORA", str(four))
    assert lightning.in_steps("bf16", 8, here.settings()) is None
    eight = shutil.copy(four, four.with_name("Tiny-Lightning-8steps-V1.safetensors"))
    weights.forget()

    found = lightning.in_steps("bf16", 8, here.settings())

    assert found is not None
    assert (found.lora, found.steps) == (eight, 8)


def test_a_fused_file_of_ones_own_has_one_beside_it_for_other_steps(
    published: Published, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    put(published, "base-2511")
    mine = write(published, tiny_models.FP8, tmp_path / "mine", FP8) / FP8
    four = mine.rename(mine.with_name("fp8_lightning_4steps.safetensors"))
    monkeypatch.setenv("UNDERCARD_FP8_LIGHTNING", str(four))
    eight = shutil.copy(four, four.with_name("fp8_lightning_8steps.safetensors"))
    weights.forget()

    found = lightning.in_steps("fp8-lightning", 8, here.settings())

    assert found is not None
    assert (found.transformer, found.steps) == (eight, 8)


def test_weights_without_lightning_take_any_steps_and_guidance(
    published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    (base,) = put(published, "base-2511")
    monkeypatch.setenv("UNDERCARD_LORA", "none")
    monkeypatch.setenv("UNDERCARD_MODEL", str(base))

    assert lightning.in_steps("bf16", 8, here.settings()) == weights.Weights(
        base, None, None, lora_strength=1.0, steps=8
    )
    assert (lightning.guidance("bf16", here.settings()), lightning.passes("bf16", here.settings())) == (1.0, 1)
    plain = recipe("bf16", here.settings())

    monkeypatch.setenv("UNDERCARD_GUIDANCE", "4")

    assert (lightning.guidance("bf16", here.settings()), lightning.passes("bf16", here.settings())) == (4.0, 2)
    assert backends.renderer_name("bf16", here.settings(), exact=True) == f"{plain} guided by 4"


def test_lightning_takes_no_guidance_whatever_the_settings_say(
    published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(published, "base-2511", "lightning-4steps", "gguf-q4-k-m", "fp8-8steps")
    monkeypatch.setenv("UNDERCARD_GUIDANCE", "4")

    assert {lightning.guidance(name, here.settings()) for name in ("bf16", "gguf", "fp8-lightning", "previz")} == {1.0}
    assert "guided" not in backends.renderer_name("bf16", here.settings(), exact=True)


def test_where_there_is_no_model_nothing_is_said(published: Published) -> None:
    assert lightning.in_steps("bf16", 8, here.settings()) is None
    assert lightning.lacking("bf16", 8, here.settings()) == ""
    assert backends.heeded("bf16", here.settings()) == {"whole"}
