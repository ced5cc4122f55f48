"""What is not the file that it should be is moved aside and never gets its name; nobody else's file is touched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes import tiny_models
from tests.fakes.hub_server import Fault, Published, sha256
from tests.fakes.tiny_models import GGUF_FILE
from tests.models.conftest import beside, ranges
from undercard.errors import BadCheckpoint, BadDownload
from undercard.models.fetching import Fetcher
from undercard.models.hub import Hub, RemoteFile


def test_a_small_file_is_held_to_the_digest_that_git_has_for_it(
    fetcher: Fetcher, hub: Hub, published: Published, tmp_path: Path
) -> None:
    described = hub.listing(tiny_models.BASE, "main").files["model_index.json"]
    assert described.sha256 is None

    fetcher.fetch(described, tmp_path / "model_index.json")
    with pytest.raises(BadDownload, match="its digest begins with"):
        fetcher.fetch(replace(described, blob="0" * 40), tmp_path / "other.json")


def test_wrong_bytes_are_moved_aside_and_fetched_again(
    fetcher: Fetcher, remote: RemoteFile, content: bytes, published: Published, target: Path
) -> None:
    published.faults.append(Fault(GGUF_FILE, "flip"))

    fetcher.fetch(remote, target)

    assert target.read_bytes() == content
    assert beside(target) == [GGUF_FILE, f"{GGUF_FILE}.quarantined-1"]
    (note,) = fetcher.notes
    assert "its SHA-256 begins with" in note
    assert f"moved aside as {GGUF_FILE}.quarantined-1" in note


@pytest.mark.parametrize(("kind", "reason"), [("flip", "its SHA-256 begins with"), ("long", "bytes, not")])
def test_bytes_that_are_wrong_twice_are_an_error_and_never_get_the_name(
    kind: str, reason: str, fetcher: Fetcher, remote: RemoteFile, published: Published, target: Path
) -> None:
    published.faults.append(Fault(GGUF_FILE, kind, times=9))

    with pytest.raises(BadDownload, match=f"did not arrive as .* describes it, twice: .*{reason}"):
        fetcher.fetch(remote, target)

    assert beside(target) == [f"{GGUF_FILE}.quarantined-1", f"{GGUF_FILE}.quarantined-2"]


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
    assert (target.parent / f"{GGUF_FILE}.quarantined-1").read_bytes() == lying


def test_somebody_elses_file_is_left_alone(fetcher: Fetcher, remote: RemoteFile, target: Path) -> None:
    target.write_bytes(b"mine")

    with pytest.raises(BadDownload, match=r"it has 4 bytes, not .*; move it away"):
        fetcher.fetch(remote, target, ours=False)

    assert beside(target)[0] == GGUF_FILE
    assert target.read_bytes() == b"mine"


def test_a_file_that_is_whole_but_not_what_the_catalogue_means_is_not_fetched_twice(
    fetcher: Fetcher, remote: RemoteFile, published: Published, target: Path
) -> None:
    def refuse(path: Path) -> None:
        raise BadCheckpoint(f"{path.name} holds another model")

    with pytest.raises(BadDownload, match=r"arrived whole, but .* holds another model"):
        fetcher.fetch(remote, target, refuse)

    assert beside(target) == [f"{GGUF_FILE}.quarantined-1"]
    assert len(ranges(published)) == 1
