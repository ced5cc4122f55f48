"""The timeline: which shot shows when, how shots follow each other, and the pieces that the film is encoded in."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from undercard.domain.requests import Size
from undercard.errors import BadInput
from undercard.film.base.timing import REAL_TIME, Timing
from undercard.film.lettering.graphics import Graphic, graphic_kind
from undercard.film.motion.motions import motion_kind
from undercard.film.motion.transitions import transition_kind

MAX_FPS = 1000
"""Far above any film; an fps beyond it is a slip of the keyboard."""
MAX_FPS_TERM = 1_000_000
"""Of an fps as a fraction. MP4 counts time in 32 bits; 24000/1001 and its like are far below."""


@dataclass(frozen=True, slots=True)
class Transition:
    """How a shot follows the one before it."""

    kind: str
    """A name in `transition.TRANSITIONS`."""
    frames: int
    """A crossfade of n overlaps the last n frames of the outgoing shot with the first n of the incoming one, and
    shortens the film by n. A dip of n takes n // 2 frames of the outgoing shot and the rest of the incoming one. A
    cut has 0."""


CUT = Transition("cut", 0)


@dataclass(frozen=True, slots=True)
class Clip:
    """A shot on the timeline."""

    shot: str
    frames: int
    motion: str
    """A name in `motion.MOTIONS`."""
    transition_in: Transition = CUT
    caption: str = ""
    timing: Timing = REAL_TIME
    """How the shot's action runs over its frames."""
    graphics: tuple[Graphic, ...] = ()
    """What is laid over its frames, from the lowest up."""


@dataclass(frozen=True, slots=True)
class Span:
    """Frames [start, stop) of a clip, counted from the clip's own first frame."""

    clip: Clip
    start: int
    stop: int

    @property
    def frame_count(self) -> int:
        """Number of frames."""
        return self.stop - self.start


@dataclass(frozen=True, slots=True)
class Piece:
    """What is encoded, and cached, on its own.

    The body of a clip has one span and no transition. A transition has the span of the outgoing clip and that of the
    incoming one; the transition that opens the film has the incoming one alone. A body thus depends on its own shot
    only, whatever becomes of its neighbours, as long as the transitions keep their lengths.
    """

    spans: tuple[Span, ...]
    transition: Transition | None = None

    @property
    def frame_count(self) -> int:
        """Number of frames in the film."""
        if self.transition is not None and transition_kind(self.transition.kind).overlaps:
            return self.spans[-1].frame_count
        return sum(span.frame_count for span in self.spans)

    @property
    def name(self) -> str:
        """`jab` for a body, `jab → cross` for a transition, `→ jab` for the one that opens the film."""
        shots = [span.clip.shot for span in self.spans]
        if self.transition is None:
            return shots[0]
        return " → ".join(shots) if len(shots) > 1 else f"→ {shots[0]}"


@dataclass(frozen=True, slots=True)
class Timeline:
    """The whole film.

    Raises:
        BadInput: it cannot be shown as it stands: no clips, a shot twice, a size that yuv420p has no frame for, a
            transition that its shots have no room for.
    """

    fps: Fraction
    size: Size
    clips: tuple[Clip, ...]

    def __post_init__(self) -> None:
        if not 0 < self.fps <= MAX_FPS:
            raise BadInput(f"fps {self.fps} is not between 0 and {MAX_FPS}; use 24, say, or 24000/1001")
        if max(self.fps.numerator, self.fps.denominator) > MAX_FPS_TERM:
            raise BadInput(f"fps {self.fps} is finer than MP4 can time; use {self.fps.limit_denominator(1001)}")
        check_size(self.size)
        if not self.clips:
            raise BadInput("the timeline has no shots; give it at least one")
        _check_clips(self.clips)
        _check_transitions(self.clips)

    @property
    def frame_count(self) -> int:
        """Number of frames in the film."""
        return sum(piece.frame_count for piece in self.pieces())

    @property
    def seconds(self) -> Fraction:
        """Length of the film."""
        return self.frame_count / self.fps

    def pieces(self) -> tuple[Piece, ...]:
        """Return what the film is encoded in, in the film's order; every frame of the film is in one piece."""
        takes = [*_takes(self.clips), (0, 0)]
        pieces: list[Piece] = []
        for index, clip in enumerate(self.clips):
            outgoing, head = takes[index]
            tail = takes[index + 1][0]
            if head or outgoing:
                before = self.clips[index - 1]
                leaving = (Span(before, before.frames - outgoing, before.frames),) if outgoing else ()
                pieces.append(Piece((*leaving, Span(clip, 0, head)), clip.transition_in))
            pieces.append(Piece((Span(clip, head, clip.frames - tail),)))
        return tuple(pieces)

    def starts(self) -> dict[str, int]:
        """Return the frame of the film on which each shot shows its first, be it mixed with the shot before."""
        found: dict[str, int] = {}
        start = 0
        for clip in self.clips:
            if transition_kind(clip.transition_in.kind).overlaps:
                start -= clip.transition_in.frames
            found[clip.shot] = start
            start += clip.frames
        return found


def check_size(size: Size) -> None:
    """Check that yuv420p, which halves the colour's width and height, has a frame of *size*.

    Raises:
        BadInput: it has not.
    """
    if min(size) < 2 or size[0] % 2 or size[1] % 2:
        even = tuple(max(2, side + side % 2) for side in size)
        raise BadInput(
            f"size {size[0]}x{size[1]}: H.264 in yuv420p needs an even width and height; use {even[0]}x{even[1]}"
        )


def _check_clips(clips: tuple[Clip, ...]) -> None:
    seen: set[str] = set()
    for clip in clips:
        if clip.shot in seen:
            raise BadInput(f"shot {clip.shot!r} is on the timeline twice; give each a name of its own")
        seen.add(clip.shot)
        if clip.frames < 1:
            raise BadInput(f"shot {clip.shot!r}: {clip.frames} frames; use at least 1")
        try:
            motion_kind(clip.motion)
            transition_kind(clip.transition_in.kind)
            for graphic in clip.graphics:
                graphic_kind(graphic.kind)
        except BadInput as exc:
            raise BadInput(f"shot {clip.shot!r}: {exc}") from exc


def _takes(clips: tuple[Clip, ...]) -> list[tuple[int, int]]:
    """Return, for each clip's transition, the frames it takes of the clip before and of the clip itself."""
    takes = [transition_kind(clip.transition_in.kind).takes(clip.transition_in.frames) for clip in clips]
    # Before the first clip there is nothing to take: its dip is a fade from black.
    return [(0, takes[0][1]), *takes[1:]]


def _check_transitions(clips: tuple[Clip, ...]) -> None:
    first = clips[0]
    if transition_kind(first.transition_in.kind).overlaps:
        raise BadInput(
            f"shot {first.shot!r}: {first.transition_in.kind} into the first shot has nothing to come from;"
            " use cut, or dip for a fade from black"
        )
    taken = 0
    for index, (clip, (_, head)) in enumerate(zip(clips, _takes(clips), strict=True)):
        _check_length(clip)
        _check_room(clip, clips[index - 1] if index else None, taken)
        taken = head


def _check_length(clip: Clip) -> None:
    transition = clip.transition_in
    instant = transition_kind(transition.kind).instant
    if instant and transition.frames:
        raise BadInput(f"shot {clip.shot!r}: a {transition.kind} takes no frames, not {transition.frames}; use 0")
    if not instant and transition.frames < 1:
        raise BadInput(f"shot {clip.shot!r}: {transition.kind} of {transition.frames} frames; use at least 1, or cut")


def _check_room(clip: Clip, before: Clip | None, taken: int) -> None:
    """Check that both sides keep a frame of their own; *taken* is what *before* gave to its own transition in."""
    kind = transition_kind(clip.transition_in.kind)
    frames = clip.transition_in.frames
    own_room = clip.frames - 1
    room_before = before.frames - 1 - taken if before else 0

    def fits(count: int) -> bool:
        outgoing, incoming = kind.takes(count)
        return incoming <= own_room and (before is None or outgoing <= room_before)

    if fits(frames):
        return
    longest = min(frames, 2 * max(own_room, room_before) + 1)
    most = next((count for count in range(longest, 0, -1) if fits(count)), 0)
    remedy = f"use at most {most}" if most else "use a cut"
    if kind.takes(frames)[1] > own_room or before is None:
        whose = f"its {clip.frames}-frame shot"
    elif taken:
        whose = f"what the {before.frames}-frame shot {before.shot!r} has left after {taken} for its own"
    else:
        whose = f"the {before.frames}-frame shot {before.shot!r} before it"
    raise BadInput(f"shot {clip.shot!r}: transition of {frames} frames exceeds {whose}; {remedy}")
