"""What is there already is used where it lies: the user's own files, and what ComfyUI looks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import here
from tests.fakes import tiny_models
from tests.fakes.hub_server import Published
from tests.fakes.tiny_models import GGUF_FILE
from tests.models.conftest import fetched, place_of, planned
from tests.models.test_presence import write
from undercard.models import weights
from undercard.models.hub import Hub


def test_what_the_user_has_is_used_in_place_and_not_fetched(
    hub: Hub, published: Published, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "ComfyUI" / "models"
    monkeypatch.setenv("UNDERCARD_MODEL_FOLDERS", str(folder))
    path = write(published, tiny_models.GGUF, folder / "unet", GGUF_FILE) / GGUF_FILE
    before = path.stat()

    fetched(hub)

    found = weights.of("gguf", here.settings())
    assert found is not None
    assert found.transformer == path
    assert path.stat() == before
    assert [each.name for each in (folder / "unet").iterdir()] == [GGUF_FILE]
    assert not place_of("gguf-q4-k-m").exists()


def test_what_comfyui_needs_goes_into_its_own_folders(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("UNDERCARD_COMFYUI_MODELS", str(tmp_path / "ComfyUI" / "models"))

    fetched(hub, "comfyui")

    assert (tmp_path / "ComfyUI/models/unet" / GGUF_FILE).is_file()
    assert (tmp_path / "ComfyUI/models/loras/edit-4steps.safetensors").is_file()
    assert planned(hub, "comfyui").is_done


def test_what_lies_elsewhere_is_linked_for_comfyui_and_not_copied(
    hub: Hub, published: Published, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fetched(hub)
    monkeypatch.setenv("UNDERCARD_COMFYUI_MODELS", str(tmp_path / "ComfyUI" / "models"))
    before = len(published.asked)

    plan = planned(hub, "comfyui")
    assert plan.left_bytes == 0
    fetched(hub, "comfyui")

    linked = tmp_path / "ComfyUI/models/unet" / GGUF_FILE
    assert linked.samefile(place_of("gguf-q4-k-m"))
    assert len(published.asked) == before
    assert planned(hub, "comfyui").is_done


def test_what_the_settings_name_is_not_fetched(
    hub: Hub, published: Published, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    base = write(published, tiny_models.BASE, tmp_path / "mine")
    monkeypatch.setenv("UNDERCARD_MODEL", str(base))
    monkeypatch.setenv(
        "UNDERCARD_GGUF", str(write(published, tiny_models.GGUF, tmp_path / "mine", GGUF_FILE) / GGUF_FILE)
    )
    monkeypatch.setenv("UNDERCARD_LORA", "none")

    plan = planned(hub)

    assert [(item.model.name, item.own, item.path) for item in plan.items] == [
        ("base-2511", True, base),
        ("gguf-q4-k-m", True, tmp_path / "mine" / GGUF_FILE),
    ]
    assert plan.is_done
    assert published.asked == []
