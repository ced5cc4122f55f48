"""A file arrives whole, whatever becomes of the connection, the server, the disk or the process meanwhile."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests import here
from tests.fakes import tiny_models
from tests.fakes.hub_server import Fault, Published, sha256
from tests.fakes.tiny_models import GGUF_FILE
from tests.models.conftest import beside, ranges
from undercard.domain.progress import Meter
from undercard.errors import HubUnreachable, NoRoom
from undercard.models.fetching import TRIES, Fetcher, Stopped
from undercard.models.hub import Hub, RemoteFile


def test_a_file_arrives_whole_and_its_digest_is_returned(
    fetcher: Fetcher, remote: RemoteFile, content: bytes, target: Path
) -> None:
    fetcher.meter.expect(remote.size_bytes)

    digest = fetcher.fetch(remote, target)

    assert digest == sha256(content)
    assert target.read_bytes() == content
    assert beside(target) == [GGUF_FILE]
    assert fetcher.meter.fraction == 1.0


def test_a_cut_connection_is_taken_up_where_it_broke(
    fetcher: Fetcher, remote: RemoteFile, content: bytes, published: Published, target: Path
) -> None:
    published.faults.append(Fault(GGUF_FILE, "cut", times=3, after=100_000))

    fetcher.fetch(remote, target)

    assert target.read_bytes() == content
    first, *others = ranges(published)
    assert first == ""
    assert [int(asked.removeprefix("bytes=").removesuffix("-")) for asked in others] == [100_000, 200_000, 300_000]


def test_a_server_that_ignores_ranges_is_asked_from_the_start(
    fetcher: Fetcher, remote: RemoteFile, content: bytes, published: Published, target: Path
) -> None:
    published.faults += [Fault(GGUF_FILE, "cut", after=50_000), Fault(GGUF_FILE, "whole")]

    fetcher.fetch(remote, target)

    assert target.read_bytes() == content


def test_an_interrupted_download_goes_on_in_another_process(
    fetcher: Fetcher, remote: RemoteFile, content: bytes, published: Published, target: Path
) -> None:
    published.faults.append(Fault(GGUF_FILE, "slow", pause=0.01))
    code = f"""
from pathlib import Path
from undercard.models.fetching import Fetcher
from undercard.models.hub import Hub
from undercard.domain.progress import Meter
from undercard import settings
hub = Hub({published.url!r})
remote = hub.listing({tiny_models.GGUF!r}, "main").files[{GGUF_FILE!r}]
Fetcher(hub, Meter(), settings.load()).fetch(remote, Path({str(target)!r}))
"""
    killed = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "HF_HUB_DISABLE_TELEMETRY": "1"})
    wait_for_more_than(target.parent, 200_000)
    killed.kill()
    killed.wait(timeout=30)
    (part,) = target.parent.glob(".*.part")
    there = part.stat().st_size
    before = len(ranges(published))

    fetcher.fetch(remote, target)

    assert target.read_bytes() == content
    assert ranges(published)[before:] == [f"bytes={there}-"]
    assert fetcher.meter.skipped == there >= 200_000


def wait_for_more_than(folder: Path, size: int) -> None:
    deadline = time.monotonic() + 60
    while sum(part.stat().st_size for part in folder.glob(".*.part")) <= size:
        assert time.monotonic() < deadline, "nothing arrives"
        time.sleep(0.01)


def test_an_error_of_the_server_is_waited_out(
    fetcher: Fetcher, remote: RemoteFile, content: bytes, published: Published, target: Path
) -> None:
    published.faults += [
        Fault(GGUF_FILE, "status", times=2, status=500),
        Fault(GGUF_FILE, "status", times=2, status=429),
    ]

    fetcher.fetch(remote, target)

    assert target.read_bytes() == content


def test_a_server_that_stays_down_is_given_up_and_what_arrived_is_kept(
    fetcher: Fetcher, remote: RemoteFile, content: bytes, published: Published, target: Path
) -> None:
    part = target.parent / f".{GGUF_FILE}.{sha256(content)[:12]}.part"
    part.write_bytes(content[:1000])
    published.faults.append(Fault(GGUF_FILE, "status", times=100, status=503))

    with pytest.raises(HubUnreachable, match=r"edit-Q4_K_M\.gguf of tiny/Edit-2511-GGUF: .* answered 503"):
        fetcher.fetch(remote, target)

    assert len([path for path in published.paths() if "/resolve/" in path]) == TRIES
    assert part.read_bytes() == content[:1000]


class Waits(threading.Event):
    """Waits for nothing, and notes for how long it should have; `stops` says whether it was set meanwhile."""

    def __init__(self, *, stops: bool = False) -> None:
        super().__init__()
        self.stops = stops
        self.seconds: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout)
        return self.stops


def test_pauses_between_tries_grow(hub: Hub, remote: RemoteFile, published: Published, target: Path) -> None:
    waits = Waits()
    published.faults.append(Fault(GGUF_FILE, "status", times=100, status=503))

    with pytest.raises(HubUnreachable):
        Fetcher(hub, Meter(), here.settings(), stop=waits).fetch(remote, target)

    assert waits.seconds == [1.0, 2.0, 4.0, 8.0, 16.0]


def test_whoever_stops_during_a_pause_is_not_kept(
    hub: Hub, remote: RemoteFile, published: Published, target: Path
) -> None:
    waits = Waits(stops=True)
    published.faults.append(Fault(GGUF_FILE, "status", times=100, status=503))

    with pytest.raises(Stopped):
        Fetcher(hub, Meter(), here.settings(), stop=waits).fetch(remote, target)

    assert len(waits.seconds) == 1


def test_a_file_that_ends_early_again_and_again_is_given_up(
    fetcher: Fetcher, remote: RemoteFile, content: bytes, published: Published, target: Path
) -> None:
    # The rest is seven bytes that never come.
    published.faults.append(Fault(GGUF_FILE, "short", times=100))

    with pytest.raises(HubUnreachable):
        fetcher.fetch(remote, target)

    (part,) = target.parent.glob(".*.part")
    assert part.read_bytes() == content[:-7]


def test_two_that_fetch_the_same_file_at_once_do_not_spoil_it(
    hub: Hub, remote: RemoteFile, content: bytes, published: Published, target: Path
) -> None:
    published.faults.append(Fault(GGUF_FILE, "slow", pause=0.0005))
    fetchers = [Fetcher(hub, Meter(), here.settings(), first_pause=0.0) for _ in range(3)]
    threads = [threading.Thread(target=each.fetch, args=(remote, target)) for each in fetchers]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert target.read_bytes() == content
    # One fetched, the others waited for it.
    assert len(ranges(published)) == 1
    assert beside(target) == [GGUF_FILE]


def test_who_is_stopped_leaves_what_arrived(
    fetcher: Fetcher, remote: RemoteFile, published: Published, target: Path
) -> None:
    published.faults.append(Fault(GGUF_FILE, "slow", pause=0.01))
    stopped: list[BaseException] = []

    def run() -> None:
        try:
            fetcher.fetch(remote, target)
        except Stopped as exc:
            stopped.append(exc)

    thread = threading.Thread(target=run)
    thread.start()
    wait_for_more_than(target.parent, 50_000)
    fetcher.stop.set()
    thread.join(timeout=30)

    assert len(stopped) == 1
    assert not target.exists()
    assert len(list(target.parent.glob(".*.part"))) == 1


def test_what_is_left_of_another_version_is_neither_used_nor_kept(
    fetcher: Fetcher, remote: RemoteFile, content: bytes, target: Path
) -> None:
    (target.parent / f".{GGUF_FILE}.0123456789ab.part").write_bytes(b"of another commit")

    fetcher.fetch(remote, target)

    assert target.read_bytes() == content
    assert beside(target) == [GGUF_FILE]


def test_a_disk_that_fills_is_told_with_what_to_do_and_what_arrived_is_kept(
    fetcher: Fetcher, remote: RemoteFile, content: bytes, target: Path
) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, before[1]))
    try:
        with pytest.raises(NoRoom, match=r"free some, or set UNDERCARD_MODEL_STORE .*: what arrived is kept"):
            fetcher.fetch(remote, target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    (part,) = target.parent.glob(".*.part")
    assert part.read_bytes() == content[:500_000]
    fetcher.fetch(remote, target)
    assert target.read_bytes() == content
