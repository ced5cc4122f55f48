"""The exception tree.

UndercardError
├── BadInput                what the user gave cannot be used
│   ├── BadShotList         a shot list, with every problem found in it
│   ├── UnknownShots        a selection names shots that the list lacks
│   └── UnreadableImage     a picture that cannot be decoded
├── BackendError            a backend could not render
│   ├── UnknownBackend      no file of that name in undercard/backends
│   └── BackendUnavailable  the backend cannot run on this machine
├── ShotsFailed             some shots have a keyframe without an accepted take
├── StoreError              the store cannot be read or written
│   └── MissingObject       a file of the store is gone or altered
└── FilmError               the film could not be made
    ├── EncodingFailed      ffmpeg stopped with an error
    └── BadFilm             the finished film is not what the timeline says
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class UndercardError(Exception):
    """Everything that undercard raises on purpose."""


class BadInput(UndercardError):
    """What the user gave cannot be used; the message says what, which value and what to do."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a shot list."""

    where: str
    """Where it stands: `shots › jab › keyframes[1] › at`."""
    what: str
    """What is wrong, with the value."""
    remedy: str
    """What to do."""
    line: int | None = None
    """Line of the file, from 1."""


class BadShotList(BadInput):
    """A shot list with every problem found in it."""

    def __init__(self, file: str, problems: Sequence[Problem]) -> None:
        self.file = file
        self.problems = tuple(problems)
        super().__init__("\n".join(self._lines()))

    def __reduce__(self) -> tuple[type[BadShotList], tuple[str, tuple[Problem, ...]]]:
        # The default would call the class with the message alone.
        return type(self), (self.file, self.problems)

    def _lines(self) -> list[str]:
        count = len(self.problems)
        lines = [f"{self.file}: {count} problem{'s' if count != 1 else ''}"]
        for problem in self.problems:
            place = f"{self.file}:{problem.line}" if problem.line else self.file
            lines.append(f"  {place}: {problem.where}: {problem.what}; {problem.remedy}")
        return lines


class UnknownShots(BadInput):
    """A selection names shots that the list lacks."""


class UnreadableImage(BadInput):
    """A picture that cannot be decoded."""


class BackendError(UndercardError):
    """A backend could not render."""


class UnknownBackend(BackendError, BadInput):
    """No file of that name in undercard/backends."""


class BackendUnavailable(BackendError):
    """The backend cannot run on this machine."""


class ShotsFailed(UndercardError):
    """Some shots have a keyframe without an accepted take; the message names them."""


class StoreError(UndercardError):
    """The store cannot be read or written."""


class MissingObject(StoreError):
    """A file of the store is gone or altered."""


class FilmError(UndercardError):
    """The film could not be made."""


class EncodingFailed(FilmError):
    """ffmpeg stopped with an error."""


class BadFilm(FilmError):
    """The finished film is not what the timeline says."""
