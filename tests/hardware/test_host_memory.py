from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from undercard.hardware import host_memory

MB = 1_000_000


@pytest.fixture
def groups(tmp_path: Path) -> Path:
    return tmp_path / "cgroup"


def membership(tmp_path: Path, line: str) -> Path:
    path = tmp_path / "self"
    path.write_text(f"8:pids:/\n{line}\n")
    return path


def limit(folder: Path, content: dict[str, str]) -> None:
    folder.mkdir(parents=True)
    for name, text in content.items():
        (folder / name).write_text(text)


def test_a_container_of_version_2_has_what_its_group_leaves_it(tmp_path: Path, groups: Path) -> None:
    files = {
        "memory.max": f"{90 * MB}\n",
        "memory.current": f"{70 * MB}\n",
        "memory.stat": f"inactive_file {25 * MB}\n",
    }
    limit(groups / "films", files)

    found = host_memory.look(groups, membership(tmp_path, "0::/films"))

    assert found == host_memory.HostMemory(total_bytes=90 * MB, free_bytes=45 * MB)


def test_a_limit_of_a_parent_holds_for_its_children(tmp_path: Path, groups: Path) -> None:
    limit(groups / "slice", {"memory.max": f"{50 * MB}", "memory.current": f"{20 * MB}", "memory.stat": ""})
    limit(groups / "slice" / "job", {"memory.max": "max", "memory.current": f"{10 * MB}", "memory.stat": ""})

    assert host_memory.look(groups, membership(tmp_path, "0::/slice/job")).free_bytes == 30 * MB


def test_a_container_of_version_1_finds_its_group_mounted_as_the_root(tmp_path: Path, groups: Path) -> None:
    files = {"memory.limit_in_bytes": f"{80 * MB}", "memory.usage_in_bytes": f"{30 * MB}"}
    limit(groups / "memory", {**files, "memory.stat": f"cache 1\ntotal_inactive_file {5 * MB}\n"})

    found = host_memory.look(groups, membership(tmp_path, "4:memory:/docker/0123"))

    assert found == host_memory.HostMemory(total_bytes=80 * MB, free_bytes=55 * MB)


def test_a_group_that_is_full_leaves_nothing_rather_than_less(tmp_path: Path, groups: Path) -> None:
    limit(groups, {"memory.max": f"{10 * MB}", "memory.current": f"{12 * MB}", "memory.stat": ""})

    assert host_memory.look(groups, membership(tmp_path, "0::/")).free_bytes == 0


def test_without_groups_the_machine_itself_is_the_limit(tmp_path: Path) -> None:
    found = host_memory.look(tmp_path / "nothing", tmp_path / "nobody")

    assert found.total_bytes == psutil.virtual_memory().total
    assert 0 < found.free_bytes <= found.total_bytes


def test_the_peak_is_at_least_what_this_process_has_held() -> None:
    held = bytearray(b"x") * (64 * MB)

    assert host_memory.peak_host_bytes() >= len(held)


@pytest.mark.parametrize(("platform", "unit_bytes"), [("linux", 1024), ("darwin", 1)])
def test_the_peak_is_told_in_kib_on_linux_and_in_bytes_on_macos(
    platform: str, unit_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = SimpleNamespace(RUSAGE_SELF=0, getrusage=lambda _who: SimpleNamespace(ru_maxrss=3 * MB))
    monkeypatch.setitem(sys.modules, "resource", told)
    monkeypatch.setattr(sys, "platform", platform)

    assert host_memory.peak_host_bytes() == 3 * MB * unit_bytes


def test_windows_tells_the_peak_through_psutil(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)
    monkeypatch.setattr(psutil, "Process", lambda: SimpleNamespace(memory_info=lambda: SimpleNamespace(peak_wset=MB)))

    assert host_memory.peak_host_bytes() == MB
