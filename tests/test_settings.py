from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from undercard import settings


def test_the_store_is_named_by_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNDERCARD_STORE", str(tmp_path / "films"))

    assert settings.load().store_root == tmp_path / "films"


def test_the_store_is_absolute_even_where_its_setting_is_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNDERCARD_STORE", "here")

    assert settings.load().store_root == tmp_path / "here"


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("UNDERCARD_STORE", "~/films")

    assert settings.load().store_root == tmp_path / "films"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TAKE_LIMIT", "0"),
        ("TAKE_LIMIT", "many"),
        ("WORKERS", "-1"),
        ("WORKERS", "1000"),
        ("STEPS", "6"),
        ("DEVICE", "cuda"),
        ("VRAM_LIMIT", "small"),
        ("COMFYUI", "127.0.0.1:8188"),
        ("COMFYUI", "http://"),
    ],
)
def test_a_value_out_of_range_is_refused_by_field(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"UNDERCARD_{name}", value)

    with pytest.raises(ValidationError, match=name.lower()):
        settings.load()


def test_the_environment_is_read_at_each_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERCARD_TAKE_LIMIT", "5")
    before = settings.load().take_limit
    monkeypatch.setenv("UNDERCARD_TAKE_LIMIT", "6")

    assert (before, settings.load().take_limit) == (5, 6)


def test_settings_cannot_be_changed_by_accident() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        settings.load().take_limit = 9  # type: ignore[misc]


@pytest.mark.parametrize(("text", "size_bytes"), [("10GB", 10**10), ("10 GiB", 10 * 2**30), ("123", 123)])
def test_a_limit_of_video_memory_is_written_as_people_write_it(
    monkeypatch: pytest.MonkeyPatch, text: str, size_bytes: int
) -> None:
    monkeypatch.setenv("UNDERCARD_VRAM_LIMIT", text)

    assert settings.load().vram_limit == size_bytes
