"""Judge a picture: every check that the folder checks/ holds, cheapest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from undercard.domain.requests import Size
from undercard.gate.checks import checks
from undercard.gate.contract import Verdict
from undercard.gate.evidence import Evidence, Exhibit, evidence_of
from undercard.gate.thresholds import threshold
from undercard.store import Store

REVISION = 8
"""Raised whenever a check or a threshold changes what the gate says, so that no old verdict is believed."""


YIELDS_TO: Mapping[str, tuple[str, ...]] = {
    # Grain that is cut off at black lifts what is dark, and bands move it.
    "jump": ("noise", "banding"),
    # Among thousands of noisy or blocky lines some step by chance.
    "seam": ("noise", "blocks"),
    # What is new there is what these say: colours lost, exchanged, or taken by light.
    "limbs": ("burnt", "crushed", "cast", "jump", "corner", "identity"),
}
"""By check: those that, where they reject a picture as well, say what is wrong, so that this one abstains. A check
comes after those that it yields to."""


def judge(evidence: Evidence) -> Verdict:
    """Run every check over *evidence*; one that rejects it for what another one has found abstains."""
    found = {check.name: check.examine(evidence) for check in checks()}
    for name, stronger in YIELDS_TO.items():
        rejected = name in found and not found[name].passed
        if rejected and any(other in found and not found[other].passed for other in stronger):
            found[name] = threshold(name, evidence.backend).abstention(0.0)
    return Verdict(findings=tuple(found.values()))


def judge_exhibits(exhibits: Sequence[Exhibit], size: Size, store: Store) -> list[Verdict]:
    """Judge pictures of one shot in *store*, which should have *size* (width, height) pixels.

    Raises:
        UnreadableImage: one, or a picture that it is compared with, cannot be decoded.
    """
    return [judge_exhibit(exhibit, size, store) for exhibit in exhibits]


def judge_exhibit(exhibit: Exhibit, expected_size: Size, store: Store) -> Verdict:
    """Judge a picture in *store*, which should have *expected_size* (width, height) pixels.

    Raises:
        UnreadableImage: it, or a picture that it is compared with, cannot be decoded.
    """
    return judge(evidence_of(exhibit, expected_size, store))
