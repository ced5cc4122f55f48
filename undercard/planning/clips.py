"""Which shots a video model makes clips for, and what they show where none can be made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from undercard.backends import clips
from undercard.errors import BackendUnavailable, BadInput
from undercard.film.motion.motions import CLIP
from undercard.settings import Settings
from undercard.shotlist.clips import fallbacks
from undercard.shotlist.fields import nearest
from undercard.shotlist.models import Shot

ALLOWING = "say what may stand in, with `clip: {fallback: flow}` in the shot or UNDERCARD_CLIP_FALLBACK"


@dataclass(frozen=True, slots=True)
class Fallen:
    """A shot that shows another motion than `clip`."""

    shot: str
    motion: str
    why: str

    def __str__(self) -> str:
        return f"{self.motion} in place of clip: {self.why}"


def fallen(shots: Sequence[Shot], settings: Settings) -> tuple[Fallen, ...]:
    """Return which of *shots* show another motion because no clip can be made here; told before anything renders.

    A video model that was there once and is away now is waited for when it is needed.

    Raises:
        BackendUnavailable: a shot has the motion `clip`, none can be made, and nothing may stand in.
        BadInput: a setting names what does not exist.
    """
    wanting = [shot for shot in shots if shot.motion == CLIP]
    why = _why_none(settings) if wanting else ""
    if not why:
        return ()
    motions = {shot.id: fallback(shot, settings) for shot in wanting}
    strict = [shot for shot, motion in motions.items() if not motion]
    if strict:
        many = len(strict) > 1
        named = f"{', '.join(map(repr, strict[:5]))}{' …' if len(strict) > 5 else ''}"
        raise BackendUnavailable(
            f"shot{'s' * many} {named}: the motion is clip, and {why}; or {ALLOWING}; or choose another motion"
        )
    return tuple(Fallen(shot, motion, why) for shot, motion in motions.items())


def fallback(shot: Shot, settings: Settings) -> str:
    """Return the motion that may stand in for a clip of *shot*: its own, else the settings'; empty for none.

    Raises:
        BadInput: the setting names no such motion.
    """
    if shot.clip is not None and shot.clip.fallback:
        return shot.clip.fallback
    chosen = settings.clip_fallback
    if chosen and chosen not in fallbacks():
        raise BadInput(f"UNDERCARD_CLIP_FALLBACK={chosen!r} is no motion; {nearest(chosen, fallbacks())}")
    return chosen


def described(settings: Settings) -> str:
    """Return in a line whether clips can be made here, and what would change that.

    Raises:
        BadInput: the setting names what does not exist.
    """
    name = settings.clips
    if not name:
        return f"off; UNDERCARD_CLIPS={' or '.join(clips.names())} turns them on"
    reason = clips.clip_backend(name).unavailable(settings)
    return f"{name}: {reason}" if reason else f"{name} makes them"


def _why_none(settings: Settings) -> str:
    """Return why no clip can be made here, and what to do; empty where one can."""
    name = settings.clips
    if not name:
        return f"no video model is set up; start one and set UNDERCARD_CLIPS to {' or '.join(clips.names())}"
    found = clips.clip_backend(name)
    reason = found.unavailable(settings)
    return "" if reason is None or found.recipe(settings) else str(reason)
