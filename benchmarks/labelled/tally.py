"""Counts how often the gate is right: precision and recall a fault, and how many good pictures it rejects."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TypedDict

from benchmarks.labelled.labels import ALSO, FAULTS, JUDGED_BY, STRENGTHS
from undercard.gate.contract import Fault, Verdict

Z95 = 1.959964
"""Of a normal distribution, 95 % on both sides."""


class Share(TypedDict):
    """A share, and the interval that it lies in with 95 %."""

    value: float | None
    """None without a single case."""
    n: int
    low: float
    high: float


def wilson(hits: int, n: int) -> Share:
    """Return *hits* of *n* with Wilson's score interval (Journal of the American Statistical Association 22, 1927)."""
    if not n:
        return Share(value=None, n=0, low=0.0, high=1.0)
    share, z2 = hits / n, Z95**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return Share(
        value=round(share, 4), n=n, low=round(max(middle - half, 0.0), 4), high=round(min(middle + half, 1.0), 4)
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gate said of an example."""

    name: str
    strength: str
    said: frozenset[Fault]
    judged: bool = True
    """Whether the check that finds what is planted could read the picture."""

    @property
    def fault(self) -> Fault | None:
        """What it should have said."""
        return FAULTS.get(self.name)

    @property
    def read(self) -> bool:
        """Whether the gate could have found what is wrong; what it did find, it has read."""
        return self.judged or self.fault in self.said


@dataclass(slots=True)
class Tally:
    """All answers, counted on demand."""

    answers: list[Answer] = field(default_factory=list)

    def add(self, name: str, strength: str, verdict: Verdict) -> None:
        """Note what the gate said of an example called *name* of *strength*."""
        read = {finding.check for finding in verdict.findings if finding.judged}
        judged = name not in JUDGED_BY or JUDGED_BY[name] in read
        self.answers.append(Answer(name, strength, frozenset(verdict.faults), judged))

    @property
    def named(self) -> frozenset[Fault]:
        """Every fault that was named at all: for others there is no check."""
        return frozenset[Fault]().union(*(answer.said for answer in self.answers))

    def recall(self, strengths: tuple[str, ...], fault: Fault | None = None, name: str = "") -> Share:
        """Return how many of the defects were called what they are, of those that could be judged.

        Of those with a check, unless a fault is asked for.
        """
        wanted = [
            answer
            for answer in self.answers
            if answer.strength in strengths
            and (answer.fault in self.named if fault is None else answer.fault is fault)
            and (not name or answer.name == name)
            and answer.read
        ]
        return wilson(sum(answer.fault in answer.said for answer in wanted), len(wanted))

    def judged(self, fault: Fault) -> Share:
        """Return how many of the pictures with *fault*, mild ones left out, could be judged."""
        planted = [answer for answer in self.answers if answer.fault is fault and answer.strength != STRENGTHS[0]]
        return wilson(sum(answer.read for answer in planted), len(planted))

    def precision(self, fault: Fault | None = None) -> Share:
        """Return how often a named fault was there; what comes of another defect by itself counts as neither."""
        right = wrong = 0
        for answer in self.answers:
            for said in answer.said if fault is None else answer.said & {fault}:
                right += said is answer.fault
                wrong += said is not answer.fault and said not in ALSO.get(answer.name, frozenset())
        return wilson(right, right + wrong)

    def false_rejections(self) -> Share:
        """Return how many of the good pictures were rejected."""
        good = [answer for answer in self.answers if answer.fault is None]
        return wilson(sum(bool(answer.said) for answer in good), len(good))

    def mistakes(self) -> Counter[tuple[str, str, Fault]]:
        """Return which faults were named of what does not have them, the most frequent first by `most_common`."""
        return Counter(
            (answer.name, answer.strength, said)
            for answer in self.answers
            for said in answer.said
            if said is not answer.fault and said not in ALSO.get(answer.name, frozenset())
        )
