"""What a model renders with is in the keys of its pictures."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests import here
from tests.fakes.hungry_backends.hungry import BACKEND
from tests.paths import FAKES
from undercard import backends
from undercard.models.fingerprint import SAMPLE_BYTES, _digest, recipe
from undercard.settings import Settings


@pytest.fixture(autouse=True)
def hungry_backends(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = FAKES / "hungry_backends"
    monkeypatch.setattr(backends, "__path__", [*backends.__path__, str(folder)])


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "model"
    (folder / "transformer").mkdir(parents=True)
    (folder / "transformer" / "config.json").write_text("{}")
    (folder / "transformer" / "weights.safetensors").write_bytes(bytes(20 * SAMPLE_BYTES))
    monkeypatch.setenv("UNDERCARD_MODEL", str(folder))
    return folder


def named_anew() -> str:
    _digest.cache_clear()
    return recipe("bf16", here.settings())


def test_without_a_model_there_is_no_recipe() -> None:
    assert recipe("bf16", here.settings()) == ""
    assert backends.renderer_name(BACKEND.name, here.settings(), exact=True) == ""


def test_a_copy_elsewhere_renders_the_same(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = recipe("bf16", here.settings())
    shutil.copytree(model, tmp_path / "copy")
    monkeypatch.setenv("UNDERCARD_MODEL", str(tmp_path / "copy"))

    assert recipe("bf16", here.settings()) == before


@pytest.mark.parametrize("place", [0, -1])
def test_other_weights_of_the_same_layout_are_another_recipe(model: Path, place: int) -> None:
    before = named_anew()
    weights = model / "transformer" / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[place] = 7
    weights.write_bytes(content)

    assert named_anew() != before


def test_steps_and_a_lora_are_part_of_it(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = recipe("bf16", here.settings())
    monkeypatch.setenv("UNDERCARD_STEPS", "8")
    eight = recipe("bf16", here.settings())
    (tmp_path / "lightning.safetensors").write_bytes(b"lora")
    monkeypatch.setenv("UNDERCARD_LORA", str(tmp_path / "lightning.safetensors"))

    assert len({before, eight, recipe("bf16", here.settings())}) == 3


def test_every_exact_backend_asks_for_the_same_picture_and_each_other_one_for_its_own(model: Path) -> None:
    assert backends.renderer_name("hungry", here.settings(), exact=True) == recipe("bf16", here.settings()) != ""
    assert (
        backends.renderer_name("coarse", here.settings(), exact=False)
        == f"{recipe('bf16', here.settings())} · coarse 1"
    )
    assert backends.renderer_name("previz", here.settings(), exact=False).startswith("previz ")


def test_a_backend_with_a_recipe_of_its_own_asks_for_that_whatever_the_settings_model_is(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Own(type(BACKEND)):  # type: ignore[misc]  # the class of a backend that is found by its folder
        def recipe(self, settings: Settings) -> str:
            return "4 steps of its own"

    monkeypatch.setattr(backends, "backend", lambda name: Own("own", exact=False, tint=0, sizes=()))

    assert backends.renderer_name("own", here.settings(), exact=False) == "4 steps of its own · own 1"
