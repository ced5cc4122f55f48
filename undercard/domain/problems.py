"""Where in a file a problem lies, as people write it."""

from __future__ import annotations

from typing import TypeAlias

Location: TypeAlias = "tuple[str | int, ...]"


def where(path: Location) -> str:
    """Return *path* as people read it: `shots › 2 › at`; a number in brackets counts from 0."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f"{' › ' if text else ''}{part}"
    return text or "the file"
