"""The pieces of a film that earlier runs encoded: noted beside it, so that the unchanged ones need no task run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from undercard.production.assembly.pieces import CutPiece
from undercard.store import Store, write_atomically

NAME = "pieces.json"


def remembered(folder: Path, keys: Iterable[str], store: Store) -> dict[str, CutPiece]:
    """Return the pieces of *keys* that the last runs into *folder* left there, by key.

    A piece whose file is gone or altered is left out, and so is everything where the note of them cannot be read: it
    is looked for in the cache of tasks, and else encoded again.
    """
    noted = _noted(folder)
    known = [key for key in dict.fromkeys(keys) if key in noted]
    # Each is checked by its bytes, and hashing leaves the interpreter to others.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(partial(_whole, store), (noted[key] for key in known))
        return {key: piece for key, piece in zip(known, found, strict=True) if piece is not None}


def _whole(store: Store, noted: object) -> CutPiece | None:
    try:
        return CutPiece.model_validate(noted, context=store.reading)
    except ValidationError:
        return None


def remember(folder: Path, pieces: Mapping[str, CutPiece], *, whole: bool) -> None:
    """Note *pieces* in *folder*, by key.

    Args:
        folder: of the film.
        pieces: those of the film that was just cut.
        whole: no shot is missing from it, so that what is not in it is not in the film any more.

    Raises:
        StoreError: it cannot be written.
    """
    earlier = {} if whole else _noted(folder)
    content = {**earlier, **{key: piece.model_dump(mode="json") for key, piece in pieces.items()}}
    write_atomically(folder / NAME, (json.dumps(content, indent=1) + "\n").encode())


def _noted(folder: Path) -> dict[str, object]:
    try:
        content = json.loads((folder / NAME).read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
