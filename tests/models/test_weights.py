"""Which weights a backend takes: the settings' first, then what of the catalogue is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import here
from tests.fakes import tiny_models
from tests.fakes.hub_server import Published
from tests.models.test_presence import write
from undercard.models import catalogue_file, presence, weights
from undercard.models.fingerprint import recipe
from undercard.models.presence import target_of

GGUF, LORA = "edit-Q4_K_M.gguf", "edit-4steps.safetensors"
FP8 = "edit_fp8_lightning.safetensors"


def put(published: Published, *names: str) -> list[Path]:
    """Put models where `undercard provision` would."""
    paths = []
    for name in names:
        model = catalogue_file.load(here.settings()).named(name)
        folder = (
            target_of(model, here.settings())
            if model.is_folder
            else target_of(model, here.settings()).parents[model.file.path.count("/")]
        )
        write(published, model.repository, folder, *(() if model.is_folder else (model.file.path,)))
        paths.append(target_of(model, here.settings()))
    weights.forget()
    return paths


def test_nothing_there_is_told_with_the_one_command(published: Published) -> None:
    assert weights.of("gguf", here.settings()) is None
    assert str(weights.missing("gguf", here.settings())) == (
        "there is no Tiny Lightning, 4 steps, no Tiny-Edit-2511, no Tiny GGUF Q4_K_M; "
        "run undercard provision --backend gguf, or set UNDERCARD_MODEL and UNDERCARD_GGUF"
    )
    assert str(weights.missing("bf16", here.settings())) == (
        "there is no Tiny Lightning, 4 steps, no Tiny-Edit-2511; "
        "run undercard provision --backend bf16, or set UNDERCARD_MODEL"
    )


def test_where_only_one_thing_is_missing_only_its_setting_is_named(published: Published) -> None:
    put(published, "base-2511")

    assert str(weights.missing("bf16", here.settings())) == (
        "there is no Tiny Lightning, 4 steps; run undercard provision --backend bf16, or set UNDERCARD_LORA"
    )
    assert str(weights.missing("fp8-lightning", here.settings())).endswith(
        "run undercard provision --backend fp8-lightning, or set UNDERCARD_FP8_LIGHTNING"
    )


def test_what_needs_no_weights_lacks_none(published: Published) -> None:
    assert weights.missing("previz", here.settings()) is None
    assert weights.missing("comfyui", here.settings()) is None


def test_what_was_fetched_is_used_without_a_setting(published: Published) -> None:
    base, lora, gguf = put(published, "base-2511", "lightning-4steps", "gguf-q4-k-m")

    assert weights.of("gguf", here.settings()) == weights.Weights(base, gguf, lora, lora_strength=0.5, steps=4)
    assert weights.of("bf16", here.settings()) == weights.Weights(base, None, lora, lora_strength=0.5, steps=4)
    assert weights.missing("gguf", here.settings()) is None


def test_steps_are_those_that_were_fused_in(published: Published) -> None:
    base, fp8 = put(published, "base-2511", "fp8-8steps")

    assert weights.of("fp8-lightning", here.settings()) == weights.Weights(base, fp8, None, lora_strength=1.0, steps=8)


def test_a_quantised_backend_takes_a_base_of_its_own_edition(published: Published) -> None:
    _, older, _, nunchaku = put(published, "base-2511", "base-2509", "lightning-4steps", "svdq-r16")

    found = weights.of("nunchaku", here.settings())

    assert found is not None
    assert (found.folder, found.transformer) == (older, nunchaku)


def test_steps_that_nothing_there_is_made_for_are_missing(
    published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(published, "base-2511", "lightning-4steps")
    monkeypatch.setenv("UNDERCARD_STEPS", "8")

    assert str(weights.missing("bf16", here.settings())) == (
        "the catalogue has nothing for it of 8 steps; set UNDERCARD_MODEL or UNDERCARD_STEPS otherwise"
    )
    monkeypatch.setenv("UNDERCARD_STEPS", "4")
    assert weights.missing("bf16", here.settings()) is None


def test_the_settings_come_first(published: Published, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    put(published, "base-2511", "lightning-4steps", "gguf-q4-k-m")
    base = write(published, tiny_models.BASE, tmp_path / "mine")
    gguf = write(published, tiny_models.GGUF, tmp_path / "mine", GGUF) / GGUF
    lora = write(published, tiny_models.LORA, tmp_path / "mine", LORA) / LORA
    monkeypatch.setenv("UNDERCARD_MODEL", str(base))
    monkeypatch.setenv("UNDERCARD_GGUF", str(gguf))
    monkeypatch.setenv("UNDERCARD_LORA", str(lora))
    monkeypatch.setenv("UNDERCARD_STEPS", "8")

    assert weights.of("gguf", here.settings()) == weights.Weights(base, gguf, lora, lora_strength=1.0, steps=8)


def test_a_folder_of_the_users_gets_the_lora_that_was_fetched_unless_none_is_wanted(
    published: Published, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (lora,) = put(published, "lightning-4steps")
    monkeypatch.setenv("UNDERCARD_MODEL", str(write(published, tiny_models.BASE, tmp_path / "mine")))
    assert weights.lora("bf16", here.settings()) == lora

    monkeypatch.setenv("UNDERCARD_LORA", "none")

    assert weights.lora("bf16", here.settings()) is None
    assert weights.missing("bf16", here.settings()) is None


def test_a_folder_of_the_users_works_without_a_lora(
    published: Published, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    base = write(published, tiny_models.BASE, tmp_path / "mine")
    monkeypatch.setenv("UNDERCARD_MODEL", str(base))

    assert weights.of("bf16", here.settings()) == weights.Weights(base, None, None, lora_strength=1.0, steps=4)


def test_an_older_folder_of_the_users_brings_no_lora_of_another_edition(
    published: Published, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    put(published, "lightning-4steps")
    base = write(published, tiny_models.BASE_2509, tmp_path / "mine")
    monkeypatch.setenv("UNDERCARD_MODEL", str(base))

    assert weights.of("bf16", here.settings()) == weights.Weights(base, None, None, lora_strength=1.0, steps=4)


def test_a_file_of_the_users_takes_the_base_and_the_lora_that_were_fetched(
    published: Published, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    base, lora = put(published, "base-2511", "lightning-4steps")
    mine = write(published, tiny_models.GGUF, tmp_path / "mine", GGUF) / GGUF
    monkeypatch.setenv("UNDERCARD_GGUF", str(mine))

    assert weights.of("gguf", here.settings()) == weights.Weights(base, mine, lora, lora_strength=0.5, steps=4)


@pytest.mark.parametrize(("setting", "steps"), [(None, 8), ("4", 4)])
def test_a_file_that_is_called_lightning_gets_no_lora_and_the_steps_of_its_name(
    setting: str | None, steps: int, published: Published, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    base, _ = put(published, "base-2511", "lightning-4steps")
    mine = write(published, tiny_models.GGUF, tmp_path / "mine", GGUF) / GGUF
    mine = mine.rename(mine.with_name("Edit-2511-Lightning-8steps-Q4_K_M.gguf"))
    monkeypatch.setenv("UNDERCARD_GGUF", str(mine))
    if setting is not None:
        monkeypatch.setenv("UNDERCARD_STEPS", setting)

    assert weights.of("gguf", here.settings()) == weights.Weights(base, mine, None, lora_strength=1.0, steps=steps)


def test_a_lora_of_the_users_is_added_to_their_own_file_of_a_kind_that_is_published_fused(
    published: Published, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (base,) = put(published, "base-2511")
    mine = write(published, tiny_models.FP8, tmp_path / "mine", FP8) / FP8
    mine = mine.rename(mine.with_name("edit_fp8_scaled.safetensors"))
    lora = write(published, tiny_models.LORA, tmp_path / "mine", LORA) / LORA
    monkeypatch.setenv("UNDERCARD_FP8_LIGHTNING", str(mine))
    monkeypatch.setenv("UNDERCARD_LORA", str(lora))

    assert weights.of("fp8-lightning", here.settings()) == weights.Weights(base, mine, lora, lora_strength=1.0, steps=4)


def test_a_file_that_the_settings_name_is_looked_at_anew_when_it_changes(
    published: Published, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    put(published, "base-2511", "lightning-4steps")
    monkeypatch.setenv("UNDERCARD_GGUF", str(tmp_path / GGUF))
    assert "is no file" in str(weights.missing("gguf", here.settings()))

    write(published, tiny_models.GGUF, tmp_path, GGUF)

    assert weights.missing("gguf", here.settings()) is None


@pytest.mark.parametrize("setting", ["GGUF", "LORA"])
def test_a_file_that_is_not_there_is_named_with_its_setting(
    setting: str, published: Published, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(f"UNDERCARD_{setting}", str(tmp_path / "none.safetensors"))

    assert f"none.safetensors is no file; set UNDERCARD_{setting} to" in str(weights.missing("gguf", here.settings()))


def test_what_lies_under_a_known_name_and_is_not_it_is_told(published: Published) -> None:
    put(published, "base-2511", "lightning-4steps", "gguf-q4-k-m")
    path = target_of(catalogue_file.load(here.settings()).named("gguf-q4-k-m"), here.settings())
    path.write_bytes(path.read_bytes()[:1000])
    weights.forget()

    assert "is not Tiny GGUF Q4_K_M: it has 1000 bytes" in str(weights.missing("gguf", here.settings()))
    assert "; run undercard provision --backend gguf" in str(weights.missing("gguf", here.settings()))


def test_pictures_are_named_by_all_that_they_were_rendered_with(published: Published) -> None:
    put(published, "base-2511", "lightning-4steps", "gguf-q4-k-m", "fp8-8steps")

    names = {backend: recipe(backend, here.settings()) for backend in ("bf16", "fp8", "gguf", "fp8-lightning")}

    assert names["bf16"] == names["fp8"]
    assert len(set(names.values())) == 3
    assert names["bf16"].startswith("4 steps ")
    assert names["bf16"].endswith(" at 0.5")
    assert names["fp8-lightning"].startswith("8 steps ")


def test_a_second_look_reads_nothing(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    put(published, "base-2511", "lightning-4steps")
    first = weights.of("bf16", here.settings())

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("it looked again")

    monkeypatch.setattr(presence, "look", refuse)

    assert weights.of("bf16", here.settings()) == first
