"""Fetching from a hub that fails in every way that hubs and networks do."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.models import tiny_models
from tests.models.hub_server import Fault, Published, sha256
from undercard.errors import BadCheckpoint, BadDownload, HubRefused, HubUnreachable, NoRoom
from undercard.models.fetching import TRIES, Fetcher, Stopped
from undercard.models.hub import Hub, RemoteFile
from undercard.progress import Meter

NAME = "edit-Q4_K_M.gguf"


@pytest.fixture
def hub(published: Published) -> Hub:
    return Hub(published.url, patience=())


@pytest.fixture
def fetcher(hub: Hub) -> Fetcher:
    return Fetcher(hub, Meter(), first_pause=0.0)


@pytest.fixture
def remote(hub: Hub) -> RemoteFile:
    return hub.listing(tiny_models.GGUF, "main").files[NAME]


@pytest.fixture
def content(published: Published) -> bytes:
    return published.repositories[tiny_models.GGUF].files[NAME]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return where a file goes: into a folder with nothing else in it."""
    (tmp_path / "new").mkdir()
    return tmp_path / "new" / NAME


def ranges(published: Published) -> list[str]:
    """Return the ranges that the storage was asked for."""
    return [asked.headers.get("Range", "") for asked in published.asked if "signature" in asked.path]


def beside(target: Path) -> list[str]:
    """Return what lies in the folder of *target*."""
    return sorted(path.name for path in target.parent.iterdir())


def test_a_file_arrives_whole_and_its_digest_is_returned(
    fetcher: Fetcher, remote: RemoteFile, content: bytes, target: Path
) -> None:
    fetcher.meter.expect(remote.size_bytes)

    digest = fetcher.fetch(remote, target)

    assert digest == sha256(content)
    assert target.read_bytes() == content
    assert beside(target) == [NAME]
    assert fetcher.meter.fraction == 1.0


def test_a_small_file_is_held_to_the_digest_that_git_has_for_it(
    fetcher: Fetcher, hub: Hub, published: Published, tmp_path: Path
) -> None:
    described = hub.listing(tiny_models.BASE, "main").files["model_index.json"]
    assert described.sha256 is None

    fetcher.fetch(described, tmp_path / "model_index.json")
    with pytest.raises(BadDownload, match="its digest begins with"):
        fetcher.fetch(replace(described, blob="0" * 40), tmp_path / "other.json")


def test_a_cut_connection_is_taken_up_where_it_broke(
    fetcher: Fetcher, remote: RemoteFile, content: bytes, published: Published, target: Path
) -> None:
    published.faults.append(Fault(NAME, "cut", times=3, after=100_000))

    fetcher.fetch(remote, target)

    assert target.read_bytes() == content
    first, *others = ranges(published)
    assert first == ""
    assert [int(asked.removeprefix("bytes=").removesuffix("-")) for asked in others] == [100_000, 200_000, 300_000]


def test_a_server_that_ignores_ranges_is_asked_from_the_start(
    fetcher: Fetcher, remote: RemoteFile, content: bytes, published: Published, target: Path
) -> None:
    published.faults += [Fault(NAME, "cut", after=50_000), Fault(NAME, "whole")]

    fetcher.fetch(remote, target)

    assert target.read_bytes() == content


def test_an_interrupted_download_goes_on_in_another_process(
    fetcher: Fetcher, remote: RemoteFile, content: bytes, published: Published, target: Path
) -> None:
    published.faults.append(Fault(NAME, "slow", pause=0.01))
    code = f"""
from pathlib import Path
from undercard.models.fetching import Fetcher
from undercard.models.hub import Hub
from undercard.progress import Meter
hub = Hub({published.url!r})
Fetcher(hub, Meter()).fetch(hub.listing({tiny_models.GGUF!r}, "main").files[{NAME!r}], Path({str(target)!r}))
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
    published.faults += [Fault(NAME, "status", times=2, status=500), Fault(NAME, "status", times=2, status=429)]

    fetcher.fetch(remote, target)

    assert target.read_bytes() == content


def test_a_server_that_stays_down_is_given_up_and_what_arrived_is_kept(
    fetcher: Fetcher, remote: RemoteFile, content: bytes, published: Published, target: Path
) -> None:
    part = target.parent / f".{NAME}.{sha256(content)[:12]}.part"
    part.write_bytes(content[:1000])
    published.faults.append(Fault(NAME, "status", times=100, status=503))

    with pytest.raises(HubUnreachable, match=r"edit-Q4_K_M\.gguf of tiny/Edit-2511-GGUF: .* answered 503"):
        fetcher.fetch(remote, target)

    assert len([path for path in published.paths() if "/resolve/" in path]) == TRIES
    assert part.read_bytes() == content[:1000]


def test_a_hub_that_is_not_there_is_unreachable(fetcher: Fetcher, remote: RemoteFile, target: Path) -> None:
    fetcher.hub = Hub("http://127.0.0.1:9", patience=())

    with pytest.raises(HubUnreachable, match=r"http://127\.0\.0\.1:9 cannot be reached \(.*refused"):
        fetcher.fetch(remote, target)
    with pytest.raises(HubUnreachable, match="cannot be reached"):
        fetcher.hub.listing(tiny_models.GGUF, "main")


def test_wrong_bytes_are_moved_aside_and_fetched_again(
    fetcher: Fetcher, remote: RemoteFile, content: bytes, published: Published, target: Path
) -> None:
    published.faults.append(Fault(NAME, "flip"))

    fetcher.fetch(remote, target)

    assert target.read_bytes() == content
    assert beside(target) == [NAME, f"{NAME}.quarantined-1"]
    (note,) = fetcher.notes
    assert "its SHA-256 begins with" in note
    assert f"moved aside as {NAME}.quarantined-1" in note


@pytest.mark.parametrize(("kind", "reason"), [("flip", "its SHA-256 begins with"), ("long", "bytes, not")])
def test_bytes_that_are_wrong_twice_are_an_error_and_never_get_the_name(
    kind: str, reason: str, fetcher: Fetcher, remote: RemoteFile, published: Published, target: Path
) -> None:
    published.faults.append(Fault(NAME, kind, times=9))

    with pytest.raises(BadDownload, match=f"did not arrive as .* describes it, twice: .*{reason}"):
        fetcher.fetch(remote, target)

    assert beside(target) == [f"{NAME}.quarantined-1", f"{NAME}.quarantined-2"]


def test_a_file_that_ends_early_again_and_again_is_given_up(
    fetcher: Fetcher, remote: RemoteFile, content: bytes, published: Published, target: Path
) -> None:
    # The rest is seven bytes that never come.
    published.faults.append(Fault(NAME, "short", times=100))

    with pytest.raises(HubUnreachable):
        fetcher.fetch(remote, target)

    (part,) = target.parent.glob(".*.part")
    assert part.read_bytes() == content[:-7]


def test_a_file_that_is_there_already_is_not_fetched(
    fetcher: Fetcher, remote: RemoteFile, content: bytes, published: Published, target: Path
) -> None:
    target.write_bytes(content)

    assert fetcher.fetch(remote, target) == sha256(content)
    assert ranges(published) == []


@pytest.mark.parametrize("wrong", [b"", b"swapped", None])
def test_what_lies_under_the_name_and_is_another_file_is_moved_aside(
    wrong: bytes | None, fetcher: Fetcher, remote: RemoteFile, content: bytes, target: Path
) -> None:
    # One that was cut, one that was swapped, and one of the right size.
    lying = bytes(len(content)) if wrong is None else wrong
    target.write_bytes(lying)

    fetcher.fetch(remote, target)

    assert target.read_bytes() == content
    assert (target.parent / f"{NAME}.quarantined-1").read_bytes() == lying


def test_somebody_elses_file_is_left_alone(fetcher: Fetcher, remote: RemoteFile, target: Path) -> None:
    target.write_bytes(b"mine")

    with pytest.raises(BadDownload, match=r"it has 4 bytes, not .*; move it away"):
        fetcher.fetch(remote, target, ours=False)

    assert beside(target)[0] == NAME
    assert target.read_bytes() == b"mine"


def test_a_file_that_is_whole_but_not_what_the_catalogue_means_is_not_fetched_twice(
    fetcher: Fetcher, remote: RemoteFile, published: Published, target: Path
) -> None:
    def refuse(path: Path) -> None:
        raise BadCheckpoint(f"{path.name} holds another model")

    with pytest.raises(BadDownload, match=r"arrived whole, but .* holds another model"):
        fetcher.fetch(remote, target, refuse)

    assert beside(target) == [f"{NAME}.quarantined-1"]
    assert len(ranges(published)) == 1


def test_two_that_fetch_the_same_file_at_once_do_not_spoil_it(
    hub: Hub, remote: RemoteFile, content: bytes, published: Published, target: Path
) -> None:
    published.faults.append(Fault(NAME, "slow", pause=0.0005))
    fetchers = [Fetcher(hub, Meter(), first_pause=0.0) for _ in range(3)]
    threads = [threading.Thread(target=each.fetch, args=(remote, target)) for each in fetchers]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert target.read_bytes() == content
    # One fetched, the others waited for it.
    assert len(ranges(published)) == 1
    assert beside(target) == [NAME]


def test_who_is_stopped_leaves_what_arrived(
    fetcher: Fetcher, remote: RemoteFile, published: Published, target: Path
) -> None:
    published.faults.append(Fault(NAME, "slow", pause=0.01))
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
    (target.parent / f".{NAME}.0123456789ab.part").write_bytes(b"of another commit")

    fetcher.fetch(remote, target)

    assert target.read_bytes() == content
    assert beside(target) == [NAME]


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


def test_the_token_stays_with_the_hub_and_nobody_asks_for_xet(
    fetcher: Fetcher, remote: RemoteFile, published: Published, monkeypatch: pytest.MonkeyPatch, target: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.utils._headers.get_token", lambda: "hf_secret")

    fetcher.fetch(remote, target)

    resolve = next(asked for asked in published.asked if "/resolve/" in asked.path)
    storage = next(asked for asked in published.asked if "signature" in asked.path)
    assert resolve.headers["authorization"] == "Bearer hf_secret"
    assert not {"authorization", "Authorization"} & set(storage.headers)
    assert not any("xet" in asked.path for asked in published.asked)


@pytest.mark.parametrize(
    ("name", "revision", "words"),
    [
        ("tiny/nothing", "main", "has no such repository, or it is private"),
        (tiny_models.GGUF, "0" * 40, "has no such revision any more"),
    ],
)
def test_what_the_hub_does_not_have_is_refused_at_once(name: str, revision: str, words: str, hub: Hub) -> None:
    with pytest.raises(HubRefused, match=words):
        hub.listing(name, revision)


@pytest.mark.parametrize("path", ["../escaped.json", "vae/../../escaped.json", "/etc/escaped.json", "a\\escaped.json"])
def test_a_hub_that_names_a_file_outside_of_its_repository_is_refused(
    path: str, hub: Hub, published: Published
) -> None:
    published.repositories[tiny_models.BASE].files[path] = b"{}"

    with pytest.raises(HubRefused, match="names a file outside of tiny/Edit-2511: "):
        hub.listing(tiny_models.BASE, "main")


def test_a_gated_file_says_how_to_get_at_it(
    fetcher: Fetcher, remote: RemoteFile, published: Published, target: Path
) -> None:
    published.repositories[tiny_models.GGUF].gated = True

    with pytest.raises(HubRefused, match=r"ask for an agreement; accept it at .*, then run `hf auth login`"):
        fetcher.fetch(remote, target)


@pytest.mark.parametrize("endpoint", ["not-an-address", "ftp://hub.example", "http://"])
def test_an_endpoint_that_is_no_address_is_told(endpoint: str) -> None:
    with pytest.raises(HubRefused, match=r"is no address of a hub: .*; set HF_ENDPOINT"):
        Hub(endpoint, patience=()).listing("a/b", "main")


def test_a_page_for_people_in_the_hubs_place_is_told(published: Published) -> None:
    # The storage answers whatever is asked of it with bytes.
    digest = sha256(published.repositories[tiny_models.GGUF].files["README.md"])

    with pytest.raises(HubRefused, match=r"does not answer as a hub does: .*; look at HF_ENDPOINT"):
        Hub(f"{published.storage}/{digest}?", patience=()).listing("a/b", "main")


def test_offline_nothing_is_asked(hub: Hub, published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    with pytest.raises(HubRefused, match="HF_HUB_OFFLINE forbids to fetch it"):
        hub.listing(tiny_models.GGUF, "main")

    assert published.asked == []
