"""A hearing with the judge of the settings, by a clock that nobody waits for, and what it is shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import pytest

from tests import here
from tests.fakes.judge import FakeJudge
from tests.fakes.stagings import fighter, staging
from undercard.gate.contract import Finding, Verdict
from undercard.gate.critic.appointment import appointed
from undercard.gate.critic.client import Client
from undercard.gate.critic.hearing import Hearing
from undercard.gate.evidence import Evidence

SIZE = (320, 180)
GOOD = np.full((SIZE[1], SIZE[0], 3), (60, 120, 60), np.uint8)
MAGENTA = np.full((SIZE[1], SIZE[0], 3), (220, 20, 220), np.uint8)
PASSED = Verdict(findings=(Finding(check="blur", score=1.0, threshold=0.5, passed=True, cause=""),))
FAILED = Verdict(findings=(Finding(check="blur", score=0.1, threshold=0.5, passed=False, cause="soft"),))


class Clock:
    """Time that passes where it is waited for, and nowhere else."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.waits.append(seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Hear(Protocol):
    def __call__(self, **changes: Any) -> Hearing: ...


@pytest.fixture
def hear(judge: FakeJudge, clock: Clock) -> Iterator[Hear]:
    """Return what opens a hearing with the judge of the settings, changed by what it is given."""
    with ExitStack() as stack:

        def opened(**changes: Any) -> Hearing:
            who = appointed(here.settings())
            assert who is not None
            return Hearing(stack.enter_context(Client(replace(who, **changes))), here.store(), clock.sleep, clock)

        yield opened


def evidence(pixels: np.ndarray = GOOD, control: np.ndarray | None = None) -> Evidence:
    return Evidence(pixels, SIZE, control=control, staging=staging(fighter(), light="cold"))
