"""The names of the files that servers were seen to have: requests are called after them while a server is away."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from undercard.backends.comfy.client import shown
from undercard.domain.keys import content_key
from undercard.errors import StoreError
from undercard.store import Store, write_atomically


def remember(store: Store, url: str, wanted: Any, chosen: Any) -> None:
    """Keep which files were *chosen* on the server at *url*, where those *wanted* were asked for; both dataclasses."""
    known = _known(store)
    if known.get(_name(url, wanted)) != asdict(chosen):
        content = {**known, _name(url, wanted): asdict(chosen)}
        # Without it, pictures are rendered again that need not be.
        with suppress(StoreError):
            write_atomically(_path(store), json.dumps(content, indent=1).encode())


def remembered(store: Store, url: str, wanted: Any) -> object:
    """Return the fields of what was last chosen; None where nothing ever was."""
    return _known(store).get(_name(url, wanted))


def _known(store: Store) -> dict[str, object]:
    try:
        known = json.loads(_path(store).read_bytes())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _name(url: str, wanted: Any) -> str:
    return content_key([shown(url), asdict(wanted)])[:16]


def _path(store: Store) -> Path:
    return store.root / "comfyui.json"
