"""What a manifest records: every take and what the gate said of it, every keyframe, every film."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from undercard.domain.takes import Take
from undercard.gate.contract import Verdict
from undercard.gate.repairs import main_causes, severity
from undercard.store import StoredFile


class Judged(BaseModel):
    """A take and what the gate said of it."""

    model_config = ConfigDict(frozen=True)

    take: Take
    verdict: Verdict
    cached: bool
    """Made by an earlier run."""
    approved: bool = False
    """Somebody looked at it and let it stand, whatever the gate said."""

    @property
    def stands(self) -> bool:
        """Accepted, by the gate or by hand."""
        return self.approved or self.verdict.accepted


def best_of(takes: Iterable[Judged]) -> Judged | None:
    """Return the one with the fewest and least severe failed findings, the earlier of equals; None of none."""
    return min(takes, key=lambda judged: severity(judged.verdict), default=None)


class KeyframeRecord(BaseModel):
    """What came of one keyframe."""

    model_config = ConfigDict(frozen=True)

    label: str
    shot: str
    frame: int
    key: str
    """The key of what was planned for its first take; another key means that the shot list has changed since."""
    gate: int
    """The gate's revision that judged the takes."""
    takes: tuple[Judged, ...] = ()
    error: str = ""
    """Why rendering it failed, when it did."""
    ended: str = ""
    """Why it was tried no further although no take was accepted."""

    @property
    def accepted(self) -> Take | None:
        """The newest take that was accepted: a later one was made to be better."""
        return next((judged.take for judged in reversed(self.takes) if judged.stands), None)

    @property
    def best(self) -> Take | None:
        """The accepted take, else the best of those that the gate rejected."""
        return self.accepted or (found.take if (found := best_of(self.takes)) else None)

    @property
    def needs_review(self) -> bool:
        """No take was accepted, and the best one is kept until somebody has looked at it."""
        return self.accepted is None and bool(self.takes)

    @property
    def cause(self) -> str:
        """Why no take is what was asked for, in a line; empty when one is."""
        if self.accepted is not None:
            return ""
        best = best_of(self.takes)
        said = ["; ".join(main_causes(best.verdict))] if best is not None else []
        said += [one for one in (self.error, self.ended) if one]
        return f"{self.label}: {'; '.join(said) or 'not rendered'}"


class FilmRecord(BaseModel):
    """A finished film, as its check by decoding found it."""

    model_config = ConfigDict(frozen=True)

    file: StoredFile
    frames: int
    seconds: str
    """As a fraction: a film at 24000/1001 has no exact decimal length."""
    codec: str
    pixel_format: str
    shots: tuple[str, ...]
    loudness_lufs: float | None = None
    """By EBU R128; None for a film without sound, or with too little to be measured."""
    true_peak_dbtp: float | None = None
    mixed: bool = False
    """Its keyframes come from renderers that give different pixels."""
    review: tuple[str, ...] = ()
    """The keyframes in it that the gate rejected and nobody has approved."""
    masters: tuple[str, ...] = ()
    """SHA-256 of each piece's frames without loss, where they were kept."""
    delivered: dict[str, StoredFile] = {}
    """What was made of it beside it, by file name."""
    clips: dict[str, tuple[str, ...]] = {}
    """By shot: what made the clips that it shows, and what went otherwise than planned."""
    fallen: dict[str, str] = {}
    """By shot: the motion that it shows in place of clips, and why."""


class Manifest(BaseModel):
    """What came of the last run of a shot list at one size on one family of backends."""

    model_config = ConfigDict(frozen=True)

    undercard: str
    title: str
    shot_list: str
    size: tuple[int, int]
    fps: str
    backend: str
    keyframes: tuple[KeyframeRecord, ...]
    films: dict[str, FilmRecord] = {}
    """By file name."""
