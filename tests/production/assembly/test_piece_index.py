from __future__ import annotations

from pathlib import Path

import pytest

from tests import here
from undercard.production.assembly import piece_index
from undercard.production.assembly.pieces import CutPiece


def piece(content: bytes) -> CutPiece:
    return CutPiece(**here.store().put_bytes(content, ".mp4").model_dump(), first=(90.5, 90.25), last=(41.0, 40.0))


def test_pieces_are_found_again_by_their_keys_and_no_others(tmp_path: Path) -> None:
    kept = {"a": piece(b"one"), "b": piece(b"two")}

    piece_index.remember(tmp_path, kept, whole=True)

    assert piece_index.remembered(tmp_path, ["b", "c"], here.store()) == {"b": kept["b"]}


def test_a_piece_whose_file_is_altered_or_gone_is_not_found(tmp_path: Path) -> None:
    kept = {"a": piece(b"one"), "b": piece(b"two"), "c": piece(b"three")}
    piece_index.remember(tmp_path, kept, whole=True)
    here.store().path_of(kept["a"]).write_bytes(b"One")
    here.store().path_of(kept["b"]).unlink()

    assert piece_index.remembered(tmp_path, kept, here.store()) == {"c": kept["c"]}


def test_an_excerpt_does_not_make_the_pieces_of_the_film_forgotten(tmp_path: Path) -> None:
    piece_index.remember(tmp_path, {"a": piece(b"one"), "b": piece(b"two")}, whole=True)

    piece_index.remember(tmp_path, {"c": piece(b"three")}, whole=False)

    assert set(piece_index.remembered(tmp_path, "abc", here.store())) == {"a", "b", "c"}


def test_what_is_in_the_film_no_more_is_forgotten(tmp_path: Path) -> None:
    piece_index.remember(tmp_path, {"a": piece(b"one"), "b": piece(b"two")}, whole=True)

    piece_index.remember(tmp_path, {"b": piece(b"two")}, whole=True)

    assert set(piece_index.remembered(tmp_path, "ab", here.store())) == {"b"}


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"a": 1}', b'{"a": {"path": "x"}}', b"\xff"])
def test_a_note_that_cannot_be_read_is_no_note(tmp_path: Path, content: bytes) -> None:
    (tmp_path / piece_index.NAME).write_bytes(content)

    assert piece_index.remembered(tmp_path, "a", here.store()) == {}
    piece_index.remember(tmp_path, {"b": piece(b"two")}, whole=False)
    assert set(piece_index.remembered(tmp_path, "ab", here.store())) == {"b"}
