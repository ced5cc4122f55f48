"""The contract of a gate check, and what it says: findings, faults and verdicts.

A check's file in checks/ defines `CHECK`, one object of its class; its threshold is a row of thresholds.toml. To add a
check, add the file and its row: nothing else changes.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol, TypeAlias

from pydantic import BaseModel, ConfigDict

from undercard.gate.evidence import Evidence

Region: TypeAlias = tuple[int, int, int, int]
"""x and y of the upper left corner, width and height, in pixels."""


class Fault(StrEnum):
    """What is wrong with a picture, as far as a better one is made otherwise."""

    NUMERICAL = "numerical failure"
    SOFT = "soft"
    NOISY = "noisy"
    BURNT = "burnt"
    BANDED = "banded"
    BLOCKY = "blocky"
    TILED = "tiled"
    WRONG_FRAME = "wrong frame"
    WRONG_LIGHT = "wrong light"
    WRONG_COUNT = "wrong count"
    WRONG_POSE = "wrong pose"
    EXTRA_LIMB = "extra limb"
    SWAPPED = "swapped fighters"
    DRIFTED = "drifted fighter"
    NOT_EDITED = "not edited"
    REPEATED = "repeated"
    JUMP = "jump"


class Finding(BaseModel):
    """What one check says of one picture."""

    model_config = ConfigDict(frozen=True)

    check: str
    score: float
    threshold: float
    passed: bool
    cause: str
    """Why it was rejected, in words a director understands, with the figures; empty when it passed."""
    fault: Fault | None = None
    """What kind of cause that is; None when it passed."""
    region: Region | None = None
    """Where in the picture; None for all of it."""
    judged: bool = True
    """Whether the check could say anything; a picture that it cannot read passes."""


class Opinion(BaseModel):
    """What the optional judge says of a picture that every check lets pass, or why it says nothing."""

    model_config = ConfigDict(frozen=True)

    judge: str
    """Which model, asked in which words: `qwen2.5-vl-7b · prompt 1`."""
    heard: bool
    """It gave an answer that can be used."""
    accepts: bool = True
    """Let the picture pass; what was not heard is no reason to reject one."""
    words: str = ""
    """Why it rejects the picture, or why it was not heard."""
    region: Region | None = None


class Verdict(BaseModel):
    """What the gate says of one picture: accepted when every check passed, and the judge lets it pass if heard."""

    model_config = ConfigDict(frozen=True)

    findings: tuple[Finding, ...]
    opinion: Opinion | None = None
    """The judge's; None where nobody was asked, since there is no judge or a check has rejected the picture."""

    @property
    def accepted(self) -> bool:
        """Every check passed."""
        return all(finding.passed for finding in self.findings)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What is wrong, each fault once, in the order of the checks."""
        return tuple(dict.fromkeys(finding.fault for finding in self.findings if finding.fault is not None))

    @property
    def causes(self) -> tuple[str, ...]:
        """Why it was rejected, one line a failed check."""
        return tuple(finding.cause for finding in self.findings if not finding.passed)

    @property
    def unheard(self) -> str:
        """Why the judge was not heard who was asked; empty where he was, or nobody asked."""
        return "" if self.opinion is None or self.opinion.heard else self.opinion.words


class Check(Protocol):
    """One reason to reject a picture."""

    name: str
    cost: float
    """Seconds at 1024×1024 on one core; cheap checks run first."""

    def examine(self, evidence: Evidence) -> Finding:
        """Judge the picture."""
