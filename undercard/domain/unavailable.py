"""Why a backend cannot run here: what is wrong, what to do, and which kind of cause that is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from undercard.errors import UndercardError


class Cause(StrEnum):
    """What keeps a backend from running. Decisions are taken by it, never by the words."""

    NO_CARD = "no card"
    UNSUITABLE_CARD = "unsuitable card"
    MISSING_PACKAGE = "missing package"
    MISSING_WEIGHTS = "missing weights"
    """Fetching them is enough."""
    NOT_IN_CATALOGUE = "not in the catalogue"
    """Weights are missing, and the catalogue has none that suit the settings: there is nothing to fetch."""
    WRONG_FILE = "wrong file"
    """A file is there and is not what it should be."""
    UNREACHABLE_SERVER = "unreachable server"
    """It may answer again in a moment."""
    UNABLE_SERVER = "unable server"
    """It answers, and lacks what it would need."""


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Why a backend cannot run on a machine."""

    what: str
    remedy: str
    """What to do; empty where nothing helps."""
    cause: Cause

    def __str__(self) -> str:
        return f"{self.what}; {self.remedy}" if self.remedy else self.what


def from_error(error: UndercardError, cause: Cause) -> Unavailable:
    """Return the message of *error*, `what is wrong; what to do` as all are written, in these two parts."""
    what, _, remedy = str(error).partition("; ")
    return Unavailable(what, remedy, cause)
