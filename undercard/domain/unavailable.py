"""Why a backend cannot run here: what is wrong, what to do, and which kind of cause that is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Cause(StrEnum):
    """What a backend lacks. Decisions are taken by it, never by the words."""

    CARD = "card"
    PACKAGE = "package"
    WEIGHTS = "weights"
    """Fetching them is enough."""
    FILE = "file"
    """A file is there and is not what it should be."""
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Why a backend cannot run on a machine."""

    what: str
    remedy: str
    """What to do; empty where nothing helps."""
    cause: Cause

    def __str__(self) -> str:
        return f"{self.what}; {self.remedy}" if self.remedy else self.what


def unavailable(message: str, cause: Cause) -> Unavailable:
    """Return *message*, written as every error is, `what is wrong; what to do`, as a value."""
    what, _, remedy = message.partition("; ")
    return Unavailable(what, remedy, cause)
