"""What a test's environment says now: the settings of this machine, and its store."""

from __future__ import annotations

from undercard import settings as read
from undercard.settings import Settings
from undercard.store import Store


def settings() -> Settings:
    """Return the settings of the environment as it is at the moment."""
    return read.load()


def store() -> Store:
    """Return the store that they name."""
    return Store(read.load().store_root)
