"""Content keys: the SHA-256 of the canonical JSON of a value."""

from __future__ import annotations

import hashlib
import json
from dataclasses import Field as DataclassField
from dataclasses import fields, is_dataclass
from typing import Any

LATER = "came later"
"""Marks a field of a request that earlier releases did not have: at its default it is in no key, so that what was
rendered before stands."""


def content_key(content: object) -> str:
    """Return the SHA-256 of *content*'s canonical JSON, in hexadecimal; equal contents have equal keys.

    Raises:
        TypeError: *content* holds something that JSON has no form for.
        ValueError: *content* holds a number that is not finite.
    """
    canonical = json.dumps(
        _canonical(content), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return hashlib.sha256(canonical.encode()).hexdigest()


def _canonical(content: object) -> object:
    """Write records as objects, and whole numbers as integers: 35 equals 35.0, but their JSON does not."""
    if isinstance(content, float):
        return int(content) if content.is_integer() else content
    if is_dataclass(content) and not isinstance(content, type):
        return {each.name: _canonical(getattr(content, each.name)) for each in fields(content) if _said(content, each)}
    if isinstance(content, dict):
        return {name: _canonical(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_canonical(value) for value in content]
    return content


def _said(content: object, each: DataclassField[Any]) -> bool:
    return LATER not in each.metadata or getattr(content, each.name) != each.default
