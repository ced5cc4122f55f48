"""Judge a picture: every check that the folder checks/ holds, cheapest first."""

from __future__ import annotations

from collections.abc import Sequence

from undercard.domain.requests import Size
from undercard.gate.checks import checks
from undercard.gate.contract import Verdict
from undercard.gate.evidence import Evidence, Exhibit, evidence_of

REVISION = 8
"""Raised whenever a check or a threshold changes what the gate says, so that no old verdict is believed."""


def judge(evidence: Evidence) -> Verdict:
    """Run every check over *evidence*."""
    return Verdict(findings=tuple(check.examine(evidence) for check in checks()))


def judge_exhibits(exhibits: Sequence[Exhibit], size: Size) -> list[Verdict]:
    """Judge stored pictures of one shot, which should have *size* (width, height) pixels.

    Raises:
        UnreadableImage: one, or a picture that it is compared with, cannot be decoded.
    """
    return [judge_exhibit(exhibit, size) for exhibit in exhibits]


def judge_exhibit(exhibit: Exhibit, expected_size: Size) -> Verdict:
    """Judge a stored picture, which should have *expected_size* (width, height) pixels.

    Raises:
        UnreadableImage: it, or a picture that it is compared with, cannot be decoded.
    """
    return judge(evidence_of(exhibit, expected_size))
