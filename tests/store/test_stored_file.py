"""A record of a stored file is believed while the file is there as it was stored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.store.conftest import CONTENT
from undercard import store
from undercard.store import StoredFile


def read_back(record: str) -> StoredFile:
    return StoredFile.model_validate_json(record, context=store.READ_BACK)


def test_bytes_that_are_stored_are_hashed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[Path] = []
    sha256_of = store.sha256_of

    def count(path: Path) -> str:
        hashed.append(path)
        return sha256_of(path)

    monkeypatch.setattr(store, "sha256_of", count)

    store.put_bytes(CONTENT, ".png")

    assert len(hashed) == 1


def test_a_stored_file_reads_back_from_json() -> None:
    stored = store.put_bytes(CONTENT, ".png")

    assert read_back(stored.model_dump_json()) == stored


@pytest.mark.parametrize("altered", [b"a keyframf", b"a keyfram", b""], ids=["one bit", "cut short", "emptied"])
def test_an_altered_file_is_no_cached_result(altered: bytes) -> None:
    stored = store.put_bytes(CONTENT, ".png")
    stored.absolute.write_bytes(altered)

    with pytest.raises(ValidationError, match="altered"):
        read_back(stored.model_dump_json())


def test_a_file_that_is_gone_is_no_cached_result() -> None:
    stored = store.put_bytes(CONTENT, ".png")
    stored.absolute.unlink()

    with pytest.raises(ValidationError, match="gone"):
        read_back(stored.model_dump_json())


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
        read_back(json.dumps(record))


def test_an_altered_file_is_mended_by_storing_the_same_bytes_again() -> None:
    stored = store.put_bytes(CONTENT, ".png")
    stored.absolute.write_bytes(b"rot")

    store.put_bytes(CONTENT, ".png")

    assert stored.absolute.read_bytes() == CONTENT
