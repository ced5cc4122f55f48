"""What a model renders with is in the keys of its pictures."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.fakes.hungry_backends.hungry import BACKEND
from tests.paths import FAKES
from undercard import backends
from undercard.models.fingerprint import SAMPLE_BYTES, _digest, recipe


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
    return recipe()


def test_without_a_model_there_is_no_recipe() -> None:
    assert recipe() == ""
    assert backends.renderer_name(BACKEND.name, exact=True) == ""


def test_a_copy_elsewhere_renders_the_same(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = recipe()
    shutil.copytree(model, tmp_path / "copy")
    monkeypatch.setenv("UNDERCARD_MODEL", str(tmp_path / "copy"))

    assert recipe() == before


@pytest.mark.parametrize("place", [0, -1])
def test_other_weights_of_the_same_layout_are_another_recipe(model: Path, place: int) -> None:
    before = named_anew()
    weights = model / "transformer" / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[place] = 7
    weights.write_bytes(content)

    assert named_anew() != before


def test_steps_and_a_lora_are_part_of_it(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = recipe()
    monkeypatch.setenv("UNDERCARD_STEPS", "8")
    eight = recipe()
    (tmp_path / "lightning.safetensors").write_bytes(b"lora")
    monkeypatch.setenv("UNDERCARD_LORA", str(tmp_path / "lightning.safetensors"))

    assert len({before, eight, recipe()}) == 3


def test_every_exact_backend_asks_for_the_same_picture_and_each_other_one_for_its_own(model: Path) -> None:
    assert backends.renderer_name("hungry", exact=True) == recipe() != ""
    assert backends.renderer_name("coarse", exact=False) == f"{recipe()} · coarse 1"
    assert backends.renderer_name("previz", exact=False).startswith("previz ")


def test_a_backend_with_a_recipe_of_its_own_asks_for_that_whatever_the_settings_model_is(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Own(type(BACKEND)):  # type: ignore[misc]  # the class of a backend that is found by its folder
        def recipe(self) -> str:
            return "4 steps of its own"

    monkeypatch.setattr(backends, "backend", lambda name: Own("own", exact=False, tint=0, sizes=()))

    assert backends.renderer_name("own", exact=False) == "4 steps of its own · own 1"
