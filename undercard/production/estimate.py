"""What a planned run would render, and about how long it would take."""

from __future__ import annotations

from dataclasses import dataclass

from undercard.planning.piece_costs import drawn_in, piece_cost
from undercard.planning.plan import Plan
from undercard.production import manifest, options
from undercard.production.assembly.pieces import accepted_keyframes


@dataclass(frozen=True, slots=True)
class ShotEstimate:
    """One shot of a plan."""

    number: int
    shot: str
    frames: int
    motion: str
    keyframes: int
    done: int
    """Keyframes that an earlier run had accepted."""
    drawn: int
    """Frames drawn between keyframes."""
    seconds: float


def rows(plan: Plan, take_seconds: float | None = None) -> list[ShotEstimate]:
    """Return an estimate for each selected shot.

    Args:
        plan: the run.
        take_seconds: for one take of a keyframe; the backend's own estimate when None.
    """
    records = manifest.remembered(options.folder_of(plan))
    # The previz's take is its own control image, which takes longer than the picture alone.
    if take_seconds is None or plan.backend == "previz":
        keyframe_seconds = plan.keyframe_seconds
    else:
        keyframe_seconds = plan.control_seconds + take_seconds
    estimates = []
    for shot in plan.shots:
        keyframes = plan.keyframes(shot)
        done = accepted_keyframes(keyframes, records)
        pieces = [piece for piece in plan.timeline.pieces() if piece.spans[-1].clip.shot == shot.id]
        rendering = keyframe_seconds * (len(keyframes) - done)
        estimates.append(
            ShotEstimate(
                number=shot.number,
                shot=shot.id,
                frames=shot.frames,
                motion=plan.motion(shot),
                keyframes=len(keyframes),
                done=done,
                drawn=sum(len(drawn_in(plan, span)) for piece in pieces for span in piece.spans),
                seconds=rendering + sum(piece_cost(plan, piece) for piece in pieces),
            )
        )
    return estimates


def total(plan: Plan) -> float:
    """Return about how many seconds the run takes; cached segments make it shorter."""
    return sum(row.seconds for row in rows(plan))
