"""Pieces of a film, encoded by steps of their own while what draws them is open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from undercard import backends
from undercard.domain import progress
from undercard.film.timeline.timeline import Piece
from undercard.planning.choose import PREVIZ
from undercard.planning.plan import Plan
from undercard.production.assembly.clips import Clips
from undercard.production.assembly.pieces import CutPiece, Takes, cut_piece
from undercard.production.runtime import Pending, Runtime


@contextmanager
def encoding(
    plan: Plan, takes: Takes, clips: Clips, pieces: Sequence[Piece], runtime: Runtime
) -> Iterator[list[Pending[CutPiece]]]:
    """Give the steps that encode *pieces*, in their order, inside the context."""
    # A model draws nothing between its keyframes, so it need not be opened.
    drawing = plan.backend if plan.animates else PREVIZ
    rung = backends.fastest(drawing, plan.work, plan.device, plan.settings)
    with backends.backend(drawing).open(plan.device, rung, plan.settings) as renderer:
        yield [
            runtime.submit(
                f"segment {piece.name}",
                (),
                cut_piece,
                plan=plan,
                piece=piece,
                takes=takes,
                renderer=renderer,
                meter=progress.current(),
                clips=clips,
            )
            for piece in pieces
        ]
