"""A record of a stored file is believed while the file is there as it was stored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests import here
from tests.store.conftest import CONTENT
from undercard import store
from undercard.store import StoredFile


def read_back(record: str) -> StoredFile:
    return StoredFile.model_validate_json(record, context=here.store().reading)


def test_bytes_that_are_stored_are_hashed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[Path] = []
    sha256_of = store.sha256_of

    def count(path: Path) -> str:
        hashed.append(path)
        return sha256_of(path)

    monkeypatch.setattr(store, "sha256_of", count)

    here.store().put_bytes(CONTENT, ".png")

    assert len(hashed) == 1


def test_a_stored_file_reads_back_from_json() -> None:
    stored = here.store().put_bytes(CONTENT, ".png")

    assert read_back(stored.model_dump_json()) == stored


@pytest.mark.parametrize("altered", [b"a keyframf", b"a keyfram", b""], ids=["one bit", "cut short", "emptied"])
def test_an_altered_file_is_no_cached_result(altered: bytes) -> None:
    stored = here.store().put_bytes(CONTENT, ".png")
    here.store().path_of(stored).write_bytes(altered)

    with pytest.raises(ValidationError, match="altered"):
        read_back(stored.model_dump_json())


def test_a_file_that_is_gone_is_no_cached_result() -> None:
    stored = here.store().put_bytes(CONTENT, ".png")
    here.store().path_of(stored).unlink()

    with pytest.raises(ValidationError, match="missing"):
        read_back(stored.model_dump_json())


@pytest.mark.parametrize("obstacle", ["folder", "loop", "long name"])
def test_a_file_that_cannot_be_read_is_no_cached_result(obstacle: str) -> None:
    stored = here.store().put_bytes(CONTENT, ".png")
    record = json.loads(stored.model_dump_json())
    here.store().path_of(stored).unlink()
    if obstacle == "folder":
        here.store().path_of(stored).mkdir()
        record["size_bytes"] = here.store().path_of(stored).stat().st_size
    elif obstacle == "loop":
        here.store().path_of(stored).symlink_to(here.store().path_of(stored))
    else:
        record["path"] = "n" * 300

    with pytest.raises(ValidationError, match="unreadable"):
        read_back(json.dumps(record))


def test_an_altered_file_is_mended_by_storing_the_same_bytes_again() -> None:
    stored = here.store().put_bytes(CONTENT, ".png")
    here.store().path_of(stored).write_bytes(b"rot")

    here.store().put_bytes(CONTENT, ".png")

    assert here.store().path_of(stored).read_bytes() == CONTENT
