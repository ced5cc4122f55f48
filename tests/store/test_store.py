"""Files are stored under the hash of their bytes, found, copied out, and swept away."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from pathlib import Path

import pytest

from tests import here
from tests.store.conftest import CONTENT, files_of
from undercard import settings
from undercard.errors import MissingObject, StoreError
from undercard.store import StoredFile


def test_a_stored_file_is_found_under_the_hash_of_its_bytes(root: Path) -> None:
    stored = here.store().put_bytes(CONTENT, ".png")

    assert stored.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert stored.path == f"objects/{stored.sha256[:2]}/{stored.sha256[2:]}.png"
    assert (root / stored.path).read_bytes() == CONTENT


def test_a_stored_file_is_found_by_its_digest_alone(root: Path) -> None:
    stored = here.store().put_bytes(CONTENT, ".png")

    assert here.store().find(stored.sha256, ".png") == root / stored.path


def test_a_digest_that_the_store_does_not_have_is_told_with_its_place() -> None:
    with pytest.raises(MissingObject, match=r"objects/ab/cd.*\.png is gone"):
        here.store().find("abcd" + "0" * 60, ".png")


def test_equal_bytes_are_stored_once(root: Path) -> None:
    assert here.store().put_bytes(CONTENT, ".png") == here.store().put_bytes(CONTENT, ".png")
    assert len(files_of(root)) == 1


def test_a_put_moves_the_file(root: Path) -> None:
    with here.store().scratch(".mp4") as path:
        path.write_bytes(CONTENT)
        stored = here.store().put_file(path)
        assert not path.exists()

    assert here.store().path_of(stored).read_bytes() == CONTENT
    assert files_of(root / "scratch") == []


def test_a_scratch_file_is_gone_after_a_failure(root: Path) -> None:
    def fail_half_way() -> None:
        with here.store().scratch(".png") as path:
            path.write_bytes(CONTENT)
            raise RuntimeError("no light")

    with pytest.raises(RuntimeError, match="no light"):
        fail_half_way()

    assert files_of(root) == []


def test_a_failure_that_is_not_about_space_keeps_its_type() -> None:
    with pytest.raises(FileNotFoundError), here.store().scratch(".png"):
        Path("/no/such/file").read_bytes()


def test_many_threads_may_store_the_same_bytes_at_once(root: Path) -> None:
    found: list[StoredFile] = []
    threads = [
        threading.Thread(target=lambda: found.append(here.store().put_bytes(CONTENT * 9999, ".png"))) for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 12
    assert len(files_of(root)) == 1


def test_a_store_that_cannot_be_made_is_reported_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("UNDERCARD_STORE", str(tmp_path / "file"))

    with pytest.raises(StoreError, match="set UNDERCARD_STORE"):
        here.store().put_bytes(CONTENT, ".png")


def test_a_copy_is_its_own_file(tmp_path: Path) -> None:
    stored = here.store().put_bytes(CONTENT, ".mp4")
    film = tmp_path / "films" / "title fight.mp4"

    here.store().copy_out(stored, film)
    film.write_bytes(b"cut by its owner")

    assert here.store().path_of(stored).read_bytes() == CONTENT
    assert [path.name for path in film.parent.iterdir()] == ["title fight.mp4"]


def test_copying_what_is_gone_says_how_to_get_it_back(tmp_path: Path) -> None:
    stored = here.store().put_bytes(CONTENT, ".mp4")
    here.store().path_of(stored).unlink()

    with pytest.raises(MissingObject, match="run the same command again"):
        here.store().copy_out(stored, tmp_path / "film.mp4")


def test_a_copy_that_cannot_be_written_is_reported_by_its_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(StoreError, match=r"film\.mp4"):
        here.store().copy_out(here.store().put_bytes(CONTENT, ".mp4"), tmp_path / "file" / "film.mp4")


def test_sweeping_removes_what_a_killed_run_left_and_spares_what_may_still_be_written(tmp_path: Path) -> None:
    folder = settings.load().store_root / "scratch"
    folder.mkdir(parents=True)
    old, fresh = folder / "old.mp4", folder / "fresh.mp4"
    for path in (old, fresh):
        path.touch()
    os.utime(old, (0, 0))

    here.store().sweep()

    assert [path.name for path in folder.iterdir()] == ["fresh.mp4"]


def test_sweeping_removes_latents_that_nobody_will_decode_again() -> None:
    folder = settings.load().store_root / "latents"
    folder.mkdir(parents=True)
    for name, days in (("old", 31), ("of-last-week", 7)):
        (folder / name).touch()
        os.utime(folder / name, (0, time.time() - days * 86_400))

    here.store().sweep()

    assert [path.name for path in folder.iterdir()] == ["of-last-week"]


def test_the_store_s_files_are_as_readable_as_the_user_s_others(tmp_path: Path) -> None:
    ordinary = tmp_path / "ordinary"
    ordinary.touch()

    stored = here.store().put_bytes(b"picture", ".png")

    assert here.store().path_of(stored).stat().st_mode == ordinary.stat().st_mode
