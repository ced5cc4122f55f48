"""Pieces of a film, encoded by tasks of their own while what draws them is open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from prefect.futures import PrefectFuture

from tasks import film as film_tasks
from tasks import whole
from undercard import backends
from undercard.domain import progress
from undercard.film.timeline.timeline import Piece
from undercard.planning.plan import Plan
from undercard.production.assembly.clips import Clips
from undercard.production.assembly.pieces import CutPiece, Takes
from undercard.production.folders import results_folder


@contextmanager
def encoding(
    plan: Plan, takes: Takes, clips: Clips, pieces: Sequence[Piece]
) -> Iterator[list[PrefectFuture[CutPiece]]]:
    """Give the task runs that encode *pieces*, in their order, inside the context."""
    task = film_tasks.cut_piece.with_options(result_storage=results_folder())
    # A model draws nothing between its keyframes, so it need not be opened.
    drawing = plan.backend if plan.animates else "previz"
    rung = backends.fastest(drawing, plan.work, plan.device)
    with backends.backend(drawing).open(plan.device, rung) as renderer:
        yield [
            task.submit(
                piece=whole(piece),
                plan=whole(plan),
                takes=whole(takes),
                renderer=whole(renderer),
                meter=whole(progress.current()),
                clips=whole(clips),
            )
            for piece in pieces
        ]
