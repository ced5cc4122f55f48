"""The film as whole shots, each a file of its own, with real transitions between them, for editors to move."""

from __future__ import annotations

from pathlib import Path

from undercard.film.interchange import editors, handles
from undercard.planning.plan import Plan
from undercard.production.assembly.clips import Clips
from undercard.production.assembly.encoding import encoding
from undercard.production.assembly.pieces import Takes
from undercard.production.runtime import Runtime, value_of


def write_whole_shots(
    plan: Plan, takes: Takes, clips: Clips, film: Path, runtime: Runtime, *, silent: bool
) -> tuple[Path, ...]:
    """Encode every shot of *plan* that is not there yet whole, and write timelines of them beside *film*.

    Args:
        plan: of the film.
        takes: of its shots.
        clips: of its shots of the motion `clip`.
        film: the finished film, whose sound the timelines use.
        runtime: what encodes.
        silent: the film has no sound.

    Raises:
        BadFilm: a shot does not show what was drawn.
        FilmError: a timeline cannot be written.
    """
    shots = handles.whole_shots(plan.timeline)
    with encoding(plan, takes, clips, shots, runtime) as steps:
        pieces = [value_of(step) for step in steps]
    folder = film.with_name(f"{film.stem}-shots")
    media: dict[str, str] = {}
    for number, (shot, piece) in enumerate(zip(shots, pieces, strict=True), start=1):
        path = folder / f"{number:03d}-{shot.name}.mp4"
        plan.store.copy_out(piece, path)
        media[shot.name] = f"{folder.name}/{path.name}"
    edit = handles.timeline_of(plan.shot_list.title, plan.timeline, media, "" if silent else film.name)
    return editors.write(edit, film.parent, plan.size, f"{film.stem}-shots")
