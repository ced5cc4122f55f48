"""What is known about fetched files, kept beside them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import here
from undercard import settings
from undercard.errors import BadInput
from undercard.models import lock

COMMIT, OTHER = "a" * 40, "b" * 40
DIGEST = "c" * 64


def written(path: Path, content: bytes = b"weights") -> Path:
    path.write_bytes(content)
    return path


def test_it_lies_beside_the_folder_of_models(tmp_path: Path) -> None:
    lock.pin(here.settings(), "a/b", "main", COMMIT)

    assert settings.load().models_lock == tmp_path / "models.lock"
    assert (tmp_path / "models.lock").is_file()


def test_a_branch_stays_at_the_commit_that_it_was_resolved_to() -> None:
    assert lock.read(here.settings()).commit("a/b", "main") is None

    lock.pin(here.settings(), "a/b", "main", COMMIT)

    assert lock.read(here.settings()).commit("a/b", "main") == COMMIT
    assert lock.read(here.settings()).commit("c/d", "main") is None
    assert lock.read(here.settings()).commit("a/b", OTHER) == OTHER


def test_a_file_is_verified_as_long_as_its_size_stands(tmp_path: Path) -> None:
    path = written(tmp_path / "a.gguf")

    lock.note(here.settings(), "a/b", COMMIT, "a.gguf", path, 7, DIGEST)

    entry = lock.read(here.settings()).verified(path)
    assert entry is not None
    assert (entry.repository, entry.commit, entry.file, entry.sha256) == ("a/b", COMMIT, "a.gguf", DIGEST)
    written(path, b"cut")
    assert lock.read(here.settings()).verified(path) is None
    path.unlink()
    assert lock.read(here.settings()).verified(path) is None


def test_what_is_noted_last_holds(tmp_path: Path) -> None:
    path = written(tmp_path / "a.gguf")
    lock.note(here.settings(), "a/b", COMMIT, "a.gguf", path, 7, DIGEST)
    lock.note(here.settings(), "a/b", OTHER, "a.gguf", path, 7, DIGEST)

    entry = lock.read(here.settings()).verified(path)

    assert entry is not None
    assert entry.commit == OTHER
    assert len(lock.read(here.settings()).files) == 1


def test_several_at_once_lose_nothing(tmp_path: Path) -> None:
    paths = [written(tmp_path / f"{number}.gguf") for number in range(24)]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda path: lock.note(here.settings(), "a/b", COMMIT, path.name, path, 7, DIGEST), paths))

    assert all(lock.read(here.settings()).verified(path) for path in paths)


@pytest.mark.parametrize("content", [b"", b"{}x", b'{"version": 2}', b'{"version": 1, "unknown": []}', b"\xff"])
def test_a_file_that_we_did_not_write_is_refused_by_name(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "models.lock").write_bytes(content)

    with pytest.raises(BadInput, match=r"models\.lock cannot be read: .*move it away"):
        lock.read(here.settings())
