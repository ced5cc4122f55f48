from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from undercard import settings, store
from undercard.errors import MissingObject, StoreError
from undercard.store import StoredFile

CONTENT = b"a keyframe"
LONG_BYTES = 48_000_000


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "store"
    monkeypatch.setenv("UNDERCARD_STORE", str(folder))
    return folder


def files_of(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def named_for_their_bytes(root: Path) -> Iterator[bool]:
    for path in files_of(root / "objects"):
        digest = path.parent.name + path.stem
        yield hashlib.sha256(path.read_bytes()).hexdigest() == digest


def child(code: str, root: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = settings.child_environment({"UNDERCARD_STORE": str(root)})
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_stored_file_is_found_under_the_hash_of_its_bytes(root: Path) -> None:
    stored = store.put_bytes(CONTENT, ".png")

    assert stored.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert stored.path == f"objects/{stored.sha256[:2]}/{stored.sha256[2:]}.png"
    assert (root / stored.path).read_bytes() == CONTENT


def test_a_stored_file_is_found_by_its_digest_alone(root: Path) -> None:
    stored = store.put_bytes(CONTENT, ".png")

    assert store.find(stored.sha256, ".png") == root / stored.path


def test_a_digest_that_the_store_does_not_have_is_told_with_its_place() -> None:
    with pytest.raises(MissingObject, match=r"objects/ab/cd.*\.png is gone"):
        store.find("abcd" + "0" * 60, ".png")


def test_equal_bytes_are_stored_once(root: Path) -> None:
    assert store.put_bytes(CONTENT, ".png") == store.put_bytes(CONTENT, ".png")
    assert len(files_of(root)) == 1


def test_a_put_moves_the_file(root: Path) -> None:
    with store.scratch(".mp4") as path:
        path.write_bytes(CONTENT)
        stored = store.put_file(path)
        assert not path.exists()

    assert stored.absolute.read_bytes() == CONTENT
    assert files_of(root / "scratch") == []


def test_a_scratch_file_is_gone_after_a_failure(root: Path) -> None:
    def fail_half_way() -> None:
        with store.scratch(".png") as path:
            path.write_bytes(CONTENT)
            raise RuntimeError("no light")

    with pytest.raises(RuntimeError, match="no light"):
        fail_half_way()

    assert files_of(root) == []


def test_a_failure_that_is_not_about_space_keeps_its_type() -> None:
    with pytest.raises(FileNotFoundError), store.scratch(".png"):
        Path("/no/such/file").read_bytes()


def test_a_stored_file_reads_back_from_json() -> None:
    stored = store.put_bytes(CONTENT, ".png")

    assert StoredFile.model_validate_json(stored.model_dump_json()) == stored


@pytest.mark.parametrize("altered", [b"a keyframf", b"a keyfram", b""], ids=["one bit", "cut short", "emptied"])
def test_an_altered_file_is_no_cached_result(altered: bytes) -> None:
    stored = store.put_bytes(CONTENT, ".png")
    stored.absolute.write_bytes(altered)

    with pytest.raises(ValidationError, match="altered"):
        StoredFile.model_validate_json(stored.model_dump_json())


def test_a_file_that_is_gone_is_no_cached_result() -> None:
    stored = store.put_bytes(CONTENT, ".png")
    stored.absolute.unlink()

    with pytest.raises(ValidationError, match="gone"):
        StoredFile.model_validate_json(stored.model_dump_json())


@pytest.mark.parametrize("obstacle", ["folder", "loop", "long name"])
def test_a_file_that_cannot_be_read_is_no_cached_result(obstacle: str) -> None:
    stored = store.put_bytes(CONTENT, ".png")
    record = json.loads(stored.model_dump_json())
    stored.absolute.unlink()
    if obstacle == "folder":
        stored.absolute.mkdir()
        record["size_bytes"] = stored.absolute.stat().st_size
    elif obstacle == "loop":
        stored.absolute.symlink_to(stored.absolute)
    else:
        record["path"] = "n" * 300

    with pytest.raises(ValidationError, match="unreadable"):
        StoredFile.model_validate(record)


def test_an_altered_file_is_mended_by_storing_the_same_bytes_again() -> None:
    stored = store.put_bytes(CONTENT, ".png")
    stored.absolute.write_bytes(b"rot")

    store.put_bytes(CONTENT, ".png")

    assert stored.absolute.read_bytes() == CONTENT


def test_many_threads_may_store_the_same_bytes_at_once(root: Path) -> None:
    found: list[StoredFile] = []
    threads = [
        threading.Thread(target=lambda: found.append(store.put_bytes(CONTENT * 9999, ".png"))) for _ in range(12)
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
        store.put_bytes(CONTENT, ".png")


@pytest.mark.parametrize(
    "write", ["store.put_bytes(content, '.png')", "store.write_atomically(Path(sys.argv[1]), content)"]
)
def test_running_out_of_space_is_reported_and_leaves_nothing(root: Path, write: str) -> None:
    # A limit on the size of a file stands in for a full disk: the write fails half way in the kernel.
    code = f"""
import resource, sys
from pathlib import Path
from undercard import store
from undercard.errors import StoreError
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
content = bytes(1_000_000)
try:
    {write}
except StoreError as error:
    print(error)
"""
    target = root / "manifest.json"
    said, complaint = child(code, root, str(target)).communicate(timeout=30)

    assert "File too large; free space or" in said, complaint
    assert files_of(root) == []


def test_a_process_killed_while_it_stores_leaves_no_file_that_is_believed(root: Path) -> None:
    code = f"""
from undercard import store
for number in range(1000):
    store.put_bytes(number.to_bytes(4, "big") * {LONG_BYTES // 4}, ".bin")
"""
    interrupted = 0
    for _ in range(3):
        process = child(code, root)
        wait_for_half_a_file(root / "scratch")
        process.kill()
        process.communicate()
        interrupted += len(files_of(root / "scratch"))
        assert all(named_for_their_bytes(root))

    assert interrupted, "no kill fell into a write"
    assert store.put_bytes(CONTENT, ".bin").absolute.read_bytes() == CONTENT


def wait_for_half_a_file(folder: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if any(0 < path.stat().st_size < LONG_BYTES for path in folder.glob("*.bin")):
            return
        time.sleep(0.001)
    raise AssertionError("the child never began to write")


def test_a_reader_sees_the_old_or_the_new_even_when_the_writer_is_killed(root: Path) -> None:
    target = root / "manifest.json"
    store.write_atomically(target, b"old")
    code = f"""
import sys
from pathlib import Path
from undercard import store
print("ready", flush=True)
for letter in b"abcdefgh" * 1000:
    store.write_atomically(Path(sys.argv[1]), bytes([letter]) * {LONG_BYTES})
"""
    process = child(code, root, str(target))
    assert process.stdout is not None
    process.stdout.readline()
    sizes = {target.stat().st_size}
    deadline = time.monotonic() + 20
    # Long enough to see it replaced, then some.
    while len(sizes) < 2 and time.monotonic() < deadline:
        sizes.add(target.stat().st_size)
    for _ in range(20_000):
        sizes.add(target.stat().st_size)
    process.kill()
    process.communicate()

    content = target.read_bytes()
    assert sizes == {len(b"old"), LONG_BYTES}
    assert content == content[:1] * LONG_BYTES


def test_a_copy_is_its_own_file(tmp_path: Path) -> None:
    stored = store.put_bytes(CONTENT, ".mp4")
    film = tmp_path / "films" / "title fight.mp4"

    store.copy_out(stored, film)
    film.write_bytes(b"cut by its owner")

    assert stored.absolute.read_bytes() == CONTENT
    assert [path.name for path in film.parent.iterdir()] == ["title fight.mp4"]


def test_copying_what_is_gone_says_how_to_get_it_back(tmp_path: Path) -> None:
    stored = store.put_bytes(CONTENT, ".mp4")
    stored.absolute.unlink()

    with pytest.raises(MissingObject, match="run the same command again"):
        store.copy_out(stored, tmp_path / "film.mp4")


def test_a_copy_that_cannot_be_written_is_reported_by_its_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(StoreError, match=r"film\.mp4"):
        store.copy_out(store.put_bytes(CONTENT, ".mp4"), tmp_path / "file" / "film.mp4")


def test_sweeping_removes_what_a_killed_run_left_and_spares_what_may_still_be_written(tmp_path: Path) -> None:
    folder = settings.load().store_root / "scratch"
    folder.mkdir(parents=True)
    old, fresh = folder / "old.mp4", folder / "fresh.mp4"
    for path in (old, fresh):
        path.touch()
    os.utime(old, (0, 0))

    store.sweep()

    assert [path.name for path in folder.iterdir()] == ["fresh.mp4"]


def test_sweeping_removes_latents_that_nobody_will_decode_again() -> None:
    folder = settings.load().store_root / "latents"
    folder.mkdir(parents=True)
    for name, days in (("old", 31), ("of-last-week", 7)):
        (folder / name).touch()
        os.utime(folder / name, (0, time.time() - days * 86_400))

    store.sweep()

    assert [path.name for path in folder.iterdir()] == ["of-last-week"]


def test_the_store_s_files_are_as_readable_as_the_user_s_others(tmp_path: Path) -> None:
    ordinary = tmp_path / "ordinary"
    ordinary.touch()

    stored = store.put_bytes(b"picture", ".png")

    assert stored.absolute.stat().st_mode == ordinary.stat().st_mode
