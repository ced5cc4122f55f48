"""What a stored result may be: this project's own JSON, and what earlier releases wrote; nothing that runs code."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tasks.results import KINDS, ResultSerializer, admit
from tests import here
from undercard.production.assembly.sound_cues import Mix
from undercard.store import StoredFile


@pytest.fixture
def mix() -> Mix:
    return Mix(file=here.store().put_bytes(b"sound", ".m4a"), lufs=-16.0, true_peak_dbtp=None)


def write(path: Path, serializer: dict[str, Any], result: str) -> Path:
    path.write_text(json.dumps({"metadata": {"storage_key": "k", "serializer": serializer}, "result": result}))
    return path


def test_a_result_is_read_as_it_was_written(mix: Mix) -> None:
    for value in (mix, [mix.file, None, 3, "a"], []):
        assert ResultSerializer().loads(ResultSerializer().dumps(value)) == value


def test_a_result_names_its_classes_without_their_modules(mix: Mix) -> None:
    assert b"undercard" not in ResultSerializer().dumps(mix)
    assert {"Take", "Verdict", "FilmRecord", "CutPiece"} <= set(KINDS)


def test_a_value_of_another_kind_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="a task returned dict"):
        ResultSerializer().dumps({"a": 1})


def test_a_result_whose_file_is_gone_is_no_result(mix: Mix, store: Path) -> None:
    written = ResultSerializer().dumps(mix)
    here.store().path_of(mix.file).unlink()

    with pytest.raises(ValidationError, match="is missing"):
        ResultSerializer().loads(written)


def test_a_result_of_an_earlier_release_is_translated(mix: Mix, tmp_path: Path) -> None:
    old = {"__class__": "undercard.scoring.Mix", "data": mix.model_dump(mode="json")}
    record = write(tmp_path / "sound-1", {"type": "json", "jsonlib": "json"}, json.dumps([old]))

    admit(record)

    content = json.loads(record.read_bytes())
    assert content["metadata"]["serializer"] == {"type": "undercard"}
    assert ResultSerializer().loads(content["result"].encode()) == [mix]


@pytest.mark.parametrize(
    ("serializer", "result"),
    [
        ({"type": "pickle", "picklelib": "cloudpickle"}, pickle.dumps(print).hex()),
        ({"type": "compressed", "serializer": {"type": "pickle"}}, ""),
        ({"type": "json"}, json.dumps({"__class__": "subprocess.Popen", "data": {"args": ["true"]}})),
        ({"type": "json"}, json.dumps({"__exc_type__": "builtins.SystemExit", "message": "now"})),
        ({"type": "json"}, "{"),
        ({}, "null"),
    ],
)
def test_a_foreign_result_is_removed_before_prefect_reads_it(
    serializer: dict[str, Any], result: str, tmp_path: Path
) -> None:
    record = write(tmp_path / "take-2-1-abc", serializer, result)

    admit(record)

    assert not record.exists()


@pytest.mark.parametrize("content", ["", "{", None])
def test_a_result_that_is_absent_or_half_written_is_left_to_prefect(content: str | None, tmp_path: Path) -> None:
    record = tmp_path / "take-2-1-abc"
    if content is not None:
        record.write_text(content)

    admit(record)

    assert record.exists() == (content is not None)


def test_stored_files_are_of_a_kind_of_their_own(mix: Mix) -> None:
    assert type(ResultSerializer().loads(ResultSerializer().dumps(mix.file))) is StoredFile
