"""The main job: from a run to its film, keyframes first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from undercard.domain import progress
from undercard.errors import MixedFilm, NeedsReview, ShotsFailed
from undercard.production.assembly.assemble import Film, assemble
from undercard.production.assembly.pieces import cost
from undercard.production.keyframes.keyframe_set import render_keyframes
from undercard.production.options import RunOptions
from undercard.production.report import ShotRow
from undercard.production.run import Run, alone
from undercard.production.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Production:
    """What came of a run."""

    folder: Path
    rows: tuple[ShotRow, ...]
    film: Film | None
    problem: ShotsFailed | NeedsReview | MixedFilm | None
    """Why the film is not what was asked for; None where it is."""


def produce(run: Run, runtime: Runtime) -> Production:
    """Render the keyframes of *run* and cut its film. A shot that fails does not stop the others.

    Another run of the same film is waited for.

    Raises:
        UndercardError: the run cannot go on, for another cause than a shot that failed.
    """
    run.plan.store.sweep()
    with alone(run, runtime.log) as run:
        return _produce(run, runtime)


def _produce(run: Run, runtime: Runtime) -> Production:
    plan = run.plan
    progress.current().expect(cost(plan))
    runtime.log.info("%s: %d of %d shots", plan.shot_list.title, len(plan.shots), len(plan.shot_list.shots))
    keyframes = render_keyframes(run, runtime)
    assembly = assemble(run, keyframes, runtime)
    problem = keyframes.problem or assembly.problem
    # Where both need review, the film's message says where to look at it.
    if isinstance(problem, NeedsReview) and isinstance(assembly.problem, NeedsReview):
        problem = assembly.problem
    return Production(run.folder, assembly.rows, assembly.film, problem)


@dataclass(slots=True)
class Handover:
    """A run that was begun before the flow that carries it out, and what came of it."""

    run: Run
    made: Production | None = None


_handover: ContextVar[Handover | None] = ContextVar("undercard_handover", default=None)


@contextmanager
def hand_over(run: Run) -> Iterator[Handover]:
    """Let the flow that starts inside this context carry out *run*: whoever checked it first planned it already."""
    given = Handover(run)
    token = _handover.set(given)
    try:
        yield given
    finally:
        _handover.reset(token)


def handed_over(options: RunOptions) -> Handover | None:
    """Return what was handed over to this flow, where it is the run of *options*."""
    given = _handover.get()
    return given if given is not None and given.run.options == options else None
