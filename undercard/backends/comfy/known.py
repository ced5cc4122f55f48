"""The names of the files that servers were seen to have: requests are called after them while a server is away."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from undercard import settings, store
from undercard.backends.comfy.client import shown
from undercard.domain.keys import content_key
from undercard.errors import StoreError


def remember(url: str, wanted: Any, chosen: Any) -> None:
    """Keep which files were *chosen* on the server at *url*, where those *wanted* were asked for; both dataclasses."""
    known = _known()
    if known.get(_name(url, wanted)) != asdict(chosen):
        content = {**known, _name(url, wanted): asdict(chosen)}
        # Without it, pictures are rendered again that need not be.
        with suppress(StoreError):
            store.write_atomically(_path(), json.dumps(content, indent=1).encode())


def remembered(url: str, wanted: Any) -> object:
    """Return the fields of what was last chosen; None where nothing ever was."""
    return _known().get(_name(url, wanted))


def _known() -> dict[str, object]:
    try:
        known = json.loads(_path().read_bytes())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _name(url: str, wanted: Any) -> str:
    return content_key([shown(url), asdict(wanted)])[:16]


def _path() -> Path:
    return settings.load().store_root / "comfyui.json"
