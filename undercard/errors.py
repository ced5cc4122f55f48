"""The exception tree.

UndercardError
├── BadInput                what the user gave cannot be used
│   ├── Faulty              a file, with every problem found in it
│   │   ├── BadShotList     a shot list
│   │   ├── BadWorkflow     a workflow for ComfyUI
│   │   └── BadCatalogue    the catalogue of models
│   ├── UnknownModel        the catalogue has nothing of that name
│   ├── UnknownShots        a selection names shots that the list lacks
│   ├── UnreadableImage     a picture that cannot be decoded
│   ├── UnreadableSound     a sound file that cannot be decoded
│   └── BadCheckpoint       a file of weights that is not what it is taken for
├── BackendError            a backend could not render
│   ├── UnknownBackend      no file of that name in undercard/backends
│   ├── BackendUnavailable  the backend cannot run on this machine
│   ├── OutOfMemory         the device's memory ran out, in a stage that it names
│   ├── HostMemoryExhausted the backend's process was killed for want of host memory
│   ├── DeviceBusy          another process took the memory that was free when the rung was chosen
│   └── DeviceFault         the device failed in a way that memory does not explain
├── ProvisionError          models could not be fetched
│   ├── HubUnreachable      the hub, or the way to it, failed; another try may work
│   ├── HubRefused          the hub answered that it will not give this, or has it not
│   ├── NoRoom              the disk has not the room
│   └── BadDownload         what was fetched is not what the hub says that it holds
├── JudgeUnheard            the gate's judge gave no answer that can be used
│   └── JudgeAway           it is busy, or gone for a while; another try may work
├── ShotsFailed             some shots have a keyframe without an accepted take
├── StoreError              the store cannot be read or written
│   └── MissingObject       a file of the store is gone or altered
└── FilmError               the film could not be made
    ├── MixedFilm           its keyframes come from renderers that give different pixels
    ├── NeedsReview         some of its keyframes the gate rejected, and nobody has approved them
    ├── ClipFailed          a clip between two keyframes could not be made, and nothing may stand in for it
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
    """One thing wrong with a file."""

    where: str
    """Where it stands: `shots › jab › keyframes[1] › at`, or `node 3 (KSampler) › seed`."""
    what: str
    """What is wrong, with the value."""
    remedy: str
    """What to do."""
    line: int | None = None
    """Line of the file, from 1."""


class Faulty(BadInput):
    """A file with every problem found in it."""

    def __init__(self, file: str, problems: Sequence[Problem]) -> None:
        self.file = file
        self.problems = tuple(problems)
        super().__init__("\n".join(self._lines()))

    def __reduce__(self) -> tuple[type[Faulty], tuple[str, tuple[Problem, ...]]]:
        # The default would call the class with the message alone.
        return type(self), (self.file, self.problems)

    def _lines(self) -> list[str]:
        count = len(self.problems)
        lines = [f"{self.file}: {count} problem{'s' if count != 1 else ''}"]
        for problem in self.problems:
            place = f"{self.file}:{problem.line}" if problem.line else self.file
            lines.append(f"  {place}: {problem.where}: {problem.what}; {problem.remedy}")
        return lines


class BadShotList(Faulty):
    """A shot list that cannot be filmed."""


class BadWorkflow(Faulty):
    """A workflow for ComfyUI that cannot be rendered with."""


class BadCatalogue(Faulty):
    """A catalogue of models that cannot be read."""


class UnknownModel(BadInput):
    """The catalogue has no model of that name, or none for that backend; the message names those there are."""


class UnknownShots(BadInput):
    """A selection names shots that the list lacks."""


class UnreadableImage(BadInput):
    """A picture that cannot be decoded."""


class UnreadableSound(BadInput):
    """A sound file that cannot be decoded."""


class BadCheckpoint(BadInput):
    """A file of weights that is not what it is taken for; the message names the file and what it holds."""


class BackendError(UndercardError):
    """A backend could not render."""

    stage: str = ""
    """Where it ended: `open`, `encode`, `denoise` or `decode`; empty when unknown."""
    peak_vram_bytes: int = 0
    """What the attempt held on the device at most; 0 when unknown."""
    peak_host_bytes: int = 0
    seconds: float = 0.0
    """How long the attempt took; 0 when unknown."""


class UnknownBackend(BackendError, BadInput):
    """No file of that name in undercard/backends."""


class BackendUnavailable(BackendError):
    """The backend cannot run on this machine."""


class OutOfMemory(BackendError):
    """The device's memory ran out."""

    def __init__(self, message: str, *, stage: str, wanted_bytes: int = 0) -> None:
        self.stage = stage
        self.wanted_bytes = wanted_bytes
        """What the failed allocation asked for; 0 when unknown."""
        super().__init__(message)

    def __reduce__(self) -> tuple[object, ...]:
        # The default would call the class without its keywords.
        return _revived_out_of_memory, (str(self), self.stage, self.wanted_bytes)


def _revived_out_of_memory(message: str, stage: str, wanted_bytes: int) -> OutOfMemory:
    return OutOfMemory(message, stage=stage, wanted_bytes=wanted_bytes)


class HostMemoryExhausted(BackendError):
    """The backend's process was killed for want of host memory."""


class DeviceBusy(BackendError):
    """Another process took the memory that was free when the rung was chosen."""


class DeviceFault(BackendError):
    """The device failed in a way that memory does not explain; a new process may work."""


class ProvisionError(UndercardError):
    """Models could not be fetched; what arrived is kept, and the next try goes on from there."""


class HubUnreachable(ProvisionError):
    """The hub, or the way to it, failed: another try may work."""


class HubRefused(ProvisionError):
    """The hub answered that it will not give this, or that it has it not: another try gets the same answer."""


class NoRoom(ProvisionError):
    """The disk has not the room; the message says how much is missing, and where."""


class BadDownload(ProvisionError):
    """What was fetched is not what the hub says that it holds, or not what the catalogue takes it for."""


class JudgeUnheard(UndercardError):
    """The gate's judge gave no answer that can be used; the message says why and what to do."""


class JudgeAway(JudgeUnheard):
    """The judge is busy, or gone for a while: another try may work."""

    wait_seconds: float | None = None
    """How long it wants to be left alone; None where it does not say."""


class ShotsFailed(UndercardError):
    """Some shots have a keyframe without an accepted take; the message names them."""


class StoreError(UndercardError):
    """The store cannot be read or written."""


class MissingObject(StoreError):
    """A file of the store is gone or altered."""


class FilmError(UndercardError):
    """The film could not be made."""


class MixedFilm(FilmError):
    """The film's keyframes come from renderers that give different pixels, and nobody allowed that."""


class NeedsReview(FilmError):
    """Some keyframes have no take that the gate accepts, and nobody has approved the best one that there is."""


class ClipFailed(FilmError):
    """A clip between two keyframes could not be made, and its shot has no motion that may stand in for it."""


class EncodingFailed(FilmError):
    """ffmpeg stopped with an error."""


class BadFilm(FilmError):
    """The finished film is not what the timeline says."""
