"""The animated preview of a film, from its accepted takes."""

from __future__ import annotations

from pathlib import Path

from undercard.film.sheet import preview
from undercard.planning.plan import Plan
from undercard.production.assembly.pieces import Takes
from undercard.store import write_atomically


def publish(plan: Plan, takes: Takes, film: Path) -> Path:
    """Write `preview.webp` beside *film*: the keyframe in the middle of each of its shots.

    Raises:
        UnreadableImage: a take cannot be decoded.
    """
    # The film of an excerpt has a preview of its own.
    path = film.with_name("preview.webp" if film.stem == "film" else f"{film.stem}-preview.webp")
    middles = [takes[shot.id][len(takes[shot.id]) // 2] for shot in plan.shots]
    write_atomically(path, preview.animated([plan.store.path_of(take.picture) for take in middles], plan.size))
    return path
