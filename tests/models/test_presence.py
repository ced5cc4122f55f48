"""Models that lie on this machine already are found and used where they are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import here
from tests.fakes import tiny_models
from tests.fakes.hub_server import Published
from undercard.models import catalogue_file, presence, weights
from undercard.models.catalogue import ModelSpec

NAME = "edit-Q4_K_M.gguf"


def write(published: Published, repository: str, folder: Path, *paths: str) -> Path:
    """Write files of a repository, all of them by default, below *folder*."""
    files = published.repositories[repository].files
    for path in paths or tuple(files):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(files[path])
    return folder


def model(name: str) -> ModelSpec:
    return catalogue_file.load(here.settings()).named(name)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of the user's that the settings name."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.setenv("UNDERCARD_MODEL_FOLDERS", f"{tmp_path / 'none'}{os.pathsep}{folder}")
    return folder


def test_what_is_nowhere_is_not_found(published: Published) -> None:
    assert presence.look(model("gguf-q4-k-m"), here.settings()) == presence.Look(None)
    assert presence.look(model("base-2511"), here.settings()) == presence.Look(None)


@pytest.mark.parametrize("below", [".", "models/unet", "a/b/c/d"])
def test_a_file_is_found_by_its_name_in_a_folder_of_the_users(
    below: str, published: Published, elsewhere: Path
) -> None:
    path = write(published, tiny_models.GGUF, elsewhere / below, NAME) / NAME

    assert presence.look(model("gguf-q4-k-m"), here.settings()).path == path.resolve()


def test_a_folder_of_a_model_is_found_whatever_it_is_called(published: Published, elsewhere: Path) -> None:
    write(published, tiny_models.BASE_2509, elsewhere / "an older one")
    folder = write(published, tiny_models.BASE, elsewhere / "diffusers" / "qwen")

    assert presence.look(model("base-2511"), here.settings()).path == folder
    assert presence.look(model("base-2509"), here.settings()).path == elsewhere / "an older one"


def test_what_the_hubs_own_client_cached_is_found(published: Published, tmp_path: Path) -> None:
    snapshots = tmp_path / "hub" / "models--tiny--Edit-2511-GGUF" / "snapshots"
    write(published, tiny_models.GGUF, snapshots / ("b" * 40), NAME)
    wanted = write(published, tiny_models.GGUF, snapshots / tiny_models.COMMIT, NAME)
    folder = tmp_path / "hub" / "models--tiny--Edit-2511" / "snapshots" / ("d" * 40)
    write(published, tiny_models.BASE, folder)

    assert presence.look(model("gguf-q4-k-m"), here.settings()).path == wanted / NAME
    assert presence.look(model("base-2511"), here.settings()).path == folder


def test_what_was_fetched_comes_before_what_lies_elsewhere(published: Published, elsewhere: Path) -> None:
    write(published, tiny_models.GGUF, elsewhere, NAME)
    own = presence.target_of(model("gguf-q4-k-m"), here.settings())
    write(published, tiny_models.GGUF, own.parent, NAME)

    assert presence.look(model("gguf-q4-k-m"), here.settings()).path == own


def test_a_file_that_is_not_what_its_name_says_is_passed_over_with_the_reason(
    published: Published, elsewhere: Path
) -> None:
    (elsewhere / "a").mkdir()
    (elsewhere / "a" / NAME).write_bytes(
        published.repositories[tiny_models.FP8].files["edit_fp8_lightning.safetensors"]
    )
    right = write(published, tiny_models.GGUF, elsewhere / "b", NAME)

    assert presence.look(model("gguf-q4-k-m"), here.settings()).path == right / NAME
    (right / NAME).unlink()
    weights.forget()
    look = presence.look(model("gguf-q4-k-m"), here.settings())
    assert look.path is None
    assert "is not Tiny GGUF Q4_K_M: it has" in look.wrong[0]
    assert "cut short, of another revision, or another model's" in look.wrong[0]


def test_a_file_without_a_size_in_the_catalogue_is_held_to_its_header(published: Published, elsewhere: Path) -> None:
    gguf = published.repositories[tiny_models.GGUF].files[NAME]
    (elsewhere / "edit_fp8_lightning.safetensors").write_bytes(gguf)

    (reason,) = presence.look(model("fp8-8steps"), here.settings()).wrong

    assert "edit_fp8_lightning.safetensors is not Tiny fp8 with Lightning: it holds gguf, not fp8-lightx2v" in reason


def test_a_folder_that_lacks_the_transformers_weights_serves_where_another_file_has_them(
    published: Published, elsewhere: Path
) -> None:
    files = published.repositories[tiny_models.BASE].files
    light = [path for path in files if not path.startswith("transformer/") or path.endswith(".json")]
    write(published, tiny_models.BASE, elsewhere / "light", *light)

    assert presence.look(model("base-2511"), here.settings(), without_transformer=True).path == elsewhere / "light"
    assert presence.look(model("base-2511"), here.settings()).path is None


def test_comfyui_sees_what_lies_in_its_own_folder_only(
    published: Published, elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(published, tiny_models.GGUF, elsewhere, NAME)
    assert presence.look_in_comfyui(model("gguf-q4-k-m"), here.settings()).path is None

    comfyui = tmp_path / "ComfyUI" / "models"
    monkeypatch.setenv("UNDERCARD_COMFYUI_MODELS", str(comfyui))
    path = write(published, tiny_models.GGUF, comfyui / "unet" / "qwen", NAME) / NAME

    assert presence.look_in_comfyui(model("gguf-q4-k-m"), here.settings()).path == path
    # What ComfyUI has, others use as well.
    (elsewhere / NAME).unlink()
    weights.forget()
    assert presence.look(model("gguf-q4-k-m"), here.settings()).path == path


def test_hidden_folders_and_what_lies_very_deep_are_not_looked_through(published: Published, elsewhere: Path) -> None:
    write(published, tiny_models.GGUF, elsewhere / ".trash", NAME)
    write(published, tiny_models.GGUF, elsewhere / "1/2/3/4/5/6", NAME)

    assert presence.look(model("gguf-q4-k-m"), here.settings()).path is None


def test_nothing_is_written_by_a_look(published: Published, elsewhere: Path, tmp_path: Path) -> None:
    write(published, tiny_models.BASE, elsewhere / "base")
    before = sorted(tmp_path.rglob("*"))

    presence.look(model("base-2511"), here.settings())
    presence.look(model("gguf-q4-k-m"), here.settings())

    assert sorted(tmp_path.rglob("*")) == before
