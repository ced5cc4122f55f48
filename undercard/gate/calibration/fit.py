"""Fits the gate's thresholds to labelled pictures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from undercard.gate.calibration.folder import Labelled
from undercard.gate.checks import checks
from undercard.gate.contract import Fault
from undercard.gate.judging import judge
from undercard.gate.thresholds import Threshold, table

FAR_PERCENT = 10.0
"""Of the pictures that can be told from good ones, those nearest to these may be missed."""
KEPT_PERCENT = 0.5
"""Of the good pictures, those that one check may reject."""


@dataclass(frozen=True, slots=True)
class Fit:
    """What a check says of labelled pictures, and where its threshold should lie."""

    row: Threshold
    """As it is now."""
    limit: float | None
    """As it should be; None where the pictures do not say."""
    good: tuple[float, ...]
    """Scores of good pictures."""
    faulty: tuple[float, ...]
    """Scores of pictures with the fault that the check names; another check may be the one for some of them."""

    def rejected(self, scores: Sequence[float]) -> float:
        """Return which share of *scores* the fitted threshold rejects."""
        limit = self.row.limit if self.limit is None else self.limit
        beyond = [score < limit if self.row.most is None else score > limit for score in scores]
        return sum(beyond) / len(beyond) if beyond else 0.0

    @property
    def calibrated(self) -> str:
        """Return the figures, as the table keeps them."""
        good, faulty = (f"{min(scores):.3g} to {max(scores):.3g}" for scores in (self.good, self.faulty))
        return (
            f"{len(self.good)} good pictures: {good}; {len(self.faulty)} {self.row.fault.value} ones: {faulty}, of"
            f" which {self.rejected(self.faulty):.0%} lie beyond"
        )


def fit(pictures: Iterable[Labelled], backend: str = "") -> list[Fit]:
    """Let every check with a row in the table look at *pictures*, and fit its threshold for *backend*."""
    rows = table()
    seen: dict[str, list[tuple[Fault | None, float]]] = {check.name: [] for check in checks() if check.name in rows}
    for picture in pictures:
        for finding in judge(picture.evidence).findings:
            if finding.check in seen:
                seen[finding.check].append((picture.fault, finding.score))
    return [_fitted(rows[name].on.get(backend, rows[name]), scores) for name, scores in seen.items()]


def as_toml(fits: Iterable[Fit], backend: str = "") -> str:
    """Return the fitted rows as thresholds.toml has them."""
    lines = []
    for each in fits:
        if each.limit is None:
            continue
        side = "most" if each.row.least is None else "least"
        lines.append(f"[{each.row.check}.on.{backend}]" if backend else f"[{each.row.check}]")
        if not backend:
            lines += [f'fault = "{each.row.fault.value}"', f'score = "{each.row.score}"']
        lines += [f"{side} = {each.limit:.4g}", f'calibrated = "{each.calibrated}"', ""]
    return "\n".join(lines)


def _fitted(row: Threshold, scores: Sequence[tuple[Fault | None, float]]) -> Fit:
    good = tuple(score for fault, score in scores if fault is None)
    faulty = tuple(score for fault, score in scores if fault is row.fault)
    return Fit(row, _limit(good, faulty, upward=row.least is None), good, faulty)


def _limit(good: Sequence[float], faulty: Sequence[float], *, upward: bool) -> float | None:
    """Return a limit between *good* scores and those of *faulty* that lie beyond; None when none do.

    Faults of one kind may need several checks, so that some of *faulty* are not this check's to find: only what lies
    beyond the good ones counts. The limit is the geometric middle of the gap, since scores are quotients as a rule.
    """
    if not good:
        return None
    sign = 1.0 if upward else -1.0
    edge = sign * float(np.percentile([sign * score for score in good], 100.0 - KEPT_PERCENT))
    beyond = sorted(sign * score for score in faulty if sign * score > sign * edge)
    if not beyond:
        return None
    nearest = sign * float(np.percentile(beyond, FAR_PERCENT))
    if edge > 0.0 and nearest > 0.0:
        return math.sqrt(edge * nearest)
    return (edge + nearest) / 2.0
