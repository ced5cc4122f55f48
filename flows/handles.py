"""The film as whole shots, each a file of its own, with real transitions between them, for editors to move."""

from __future__ import annotations

from pathlib import Path

from flows.encoding import encoding
from undercard import store
from undercard.film.interchange import editors, handles
from undercard.planning.plan import Plan
from undercard.production.assembly import sound_cues
from undercard.production.assembly.clips import Clips
from undercard.production.assembly.pieces import Takes


def write(plan: Plan, takes: Takes, clips: Clips, film: Path) -> tuple[Path, ...]:
    """Encode every shot of *plan* that is not there yet whole, and write timelines of them beside *film*.

    Raises:
        BadFilm: a shot does not show what was drawn.
        FilmError: a timeline cannot be written.
    """
    shots = handles.whole_shots(plan.timeline)
    with encoding(plan, takes, clips, shots) as runs:
        pieces = [run.result() for run in runs]
    folder = film.with_name(f"{film.stem}-shots")
    media: dict[str, str] = {}
    for number, (shot, piece) in enumerate(zip(shots, pieces, strict=True), start=1):
        path = folder / f"{number:03d}-{shot.name}.mp4"
        store.copy_out(piece, path)
        media[shot.name] = f"{folder.name}/{path.name}"
    mix = "" if sound_cues.score(plan).silent else film.name
    edit = handles.timeline_of(plan.shot_list.title, plan.timeline, media, mix)
    return editors.write(edit, film.parent, plan.size, f"{film.stem}-shots")
