"""A process that is killed or has no space while it writes leaves nothing that is taken for whole."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import here
from tests.store.conftest import CONTENT, files_of
from undercard import settings, store

LONG_BYTES = 48_000_000


def named_for_their_bytes(root: Path) -> Iterator[bool]:
    for path in files_of(root / "objects"):
        digest = path.parent.name + path.stem
        yield hashlib.sha256(path.read_bytes()).hexdigest() == digest


def child(code: str, root: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = settings.child_environment({"UNDERCARD_STORE": str(root)})
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    "write",
    ["store.Store(Path(sys.argv[2])).put_bytes(content, '.png')", "store.write_atomically(Path(sys.argv[1]), content)"],
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
    said, complaint = child(code, root, str(target), str(root)).communicate(timeout=30)

    assert "File too large; free space or" in said, complaint
    assert files_of(root) == []


def test_a_process_killed_while_it_stores_leaves_no_file_that_is_believed(root: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from undercard.store import Store
for number in range(1000):
    Store(Path(sys.argv[1])).put_bytes(number.to_bytes(4, "big") * {LONG_BYTES // 4}, ".bin")
"""
    interrupted = kills = 0
    # Most kills fall into a write, and a few between two.
    while interrupted < 3 and kills < 12:
        process = child(code, root, str(root))
        wait_for_half_a_file(root / "scratch")
        process.kill()
        process.communicate()
        kills += 1
        assert all(named_for_their_bytes(root))
        for left in files_of(root / "scratch"):
            interrupted += 1
            left.unlink()

    assert interrupted, "no kill fell into a write"
    assert here.store().path_of(here.store().put_bytes(CONTENT, ".bin")).read_bytes() == CONTENT


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
    process = child(code, root, str(target), str(root))
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
