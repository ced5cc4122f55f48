"""What a piece of the film costs: the moments that are drawn for it, and the frames that only repeat the one before."""

from __future__ import annotations

from undercard.film.base.timing import Moment
from undercard.film.encoding.segments import standing_frames
from undercard.film.lettering.graphics import shown_in
from undercard.film.motion.motions import drawn_frames, repeated_frames
from undercard.film.timeline.timeline import Piece, Span
from undercard.planning.plan import Plan


def drawn_in(plan: Plan, span: Span) -> tuple[Moment, ...]:
    """Return the moments that are drawn for *span*, rather than made from its shot's keyframes."""
    shot = plan.shot(span.clip.shot)
    if not plan.animates:
        return ()
    falls = [keyframe.at for keyframe in shot.keyframes]
    return drawn_frames(span.clip.motion, falls, span.start, span.stop, span.clip.timing)


def piece_cost(plan: Plan, piece: Piece) -> float:
    """Estimate the seconds that *piece* takes to draw and encode."""
    drawn = sum(len(drawn_in(plan, span)) for span in piece.spans)
    repeated = _repeated_in(plan, piece)
    encoding = plan.encode_seconds * (piece.frame_count - repeated) + plan.repeat_seconds * repeated
    return encoding + plan.draw_seconds * drawn


def _repeated_in(plan: Plan, piece: Piece) -> int:
    """Return how many frames of *piece* are repeats that nothing is encoded for; a running clock lets none stand."""
    if piece.transition is not None:
        return 0
    (span,) = piece.spans
    if any(graphic.seconds_left is not None for graphic in shown_in(span.clip.graphics, span.start, span.stop)):
        return 0
    falls = [keyframe.at for keyframe in plan.shot(span.clip.shot).keyframes]
    least = standing_frames(plan.shot_list.fps)
    return repeated_frames(span.clip.motion, falls, span.start, span.stop, least, span.clip.timing)
