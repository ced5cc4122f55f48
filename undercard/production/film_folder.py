"""Which folder a film goes to, one a shot list although two may have one title, and what its last run was asked for."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from undercard.errors import BadInput
from undercard.planning.plan import Plan
from undercard.production.options import RunOptions, find
from undercard.production.turns import locked
from undercard.store import Store, write_atomically

MANIFEST = "manifest.json"
RUN = "run.json"
"""In a film's folder: whose it is, and what the last run there was asked for."""


class LastRun(BaseModel):
    """The last run of a film; its shot list has an absolute path."""

    model_config = ConfigDict(frozen=True)

    options: RunOptions


def folder_of(plan: Plan, shot_list: Path) -> Path:
    """Return the folder of the film that *plan* makes of the file *shot_list*; nothing is written.

    It is named after the film's title, size and family of backends. Two shot lists may have one title: if the folder
    belongs to another list that still exists, the name ends in a digest of this list's path.
    """
    width, height = plan.size
    usual = plan.store.root / "films" / f"{plan.shot_list.slug}-{width}x{height}-{plan.family}"
    here = shot_list.resolve()
    owner = _owner(usual)
    if owner is None or owner == here:
        return usual
    return usual.with_name(f"{usual.name}-{hashlib.sha256(str(here).encode()).hexdigest()[:8]}")


def claim(plan: Plan, options: RunOptions) -> Path:
    """Return `folder_of`, and let it belong to the shot list of *options* from now on.

    Raises:
        BadInput: the shot list is not there any more.
        StoreError: it cannot be written.
    """
    shot_list = find(options.shot_list).resolve()
    noted = LastRun(options=options.model_copy(update={"shot_list": shot_list}))
    # Two lists of one title may be rendered for the first time at once.
    with locked(plan.store.root / "films.json"):
        folder = folder_of(plan, shot_list)
        write_atomically(folder / RUN, noted.model_dump_json(indent=1).encode() + b"\n")
    return folder


def last_run(store: Store, film: str = "") -> tuple[Path, RunOptions]:
    """Return the folder of *film*, and what the last run there was asked for, whatever became of it.

    Args:
        store: where films are.
        film: the name of a folder there; empty for the film that was rendered last.

    Raises:
        BadInput: there is no such film.
    """
    found = sorted((store.root / "films").glob(f"*/{RUN}"), key=lambda path: path.stat().st_mtime)
    if film:
        found = [path for path in found if path.parent.name == film]
    options = _noted_options(found[-1].parent) if found else None
    if options is None:
        known = ", ".join(sorted(path.parent.name for path in (store.root / "films").glob(f"*/{RUN}")))
        what = f"film {film!r} does not exist" if film else "nothing was rendered yet"
        raise BadInput(f"{what} in {store.root}; {f'name one of {known}' if known else 'render a shot list first'}")
    return found[-1].parent, options


def ended_with_a_film(folder: Path) -> bool:
    """Say whether the last run of the film in *folder* came as far as its film."""
    try:
        begun = (folder / RUN).stat().st_mtime_ns
    except FileNotFoundError:
        # A film of an earlier release.
        return True
    films = (folder / name for name in ("film.mp4", "excerpt.mp4"))
    return any(film.stat().st_mtime_ns >= begun for film in films if film.is_file())


def _owner(folder: Path) -> Path | None:
    """Return the shot list that *folder* belongs to; None where it belongs to none that still exists."""
    options = _noted_options(folder)
    owner = options.shot_list if options is not None else _owner_in_manifest(folder)
    return owner if owner is not None and owner.is_file() else None


def _noted_options(folder: Path) -> RunOptions | None:
    try:
        return LastRun.model_validate_json((folder / RUN).read_bytes()).options
    except (OSError, ValueError):
        return None


def _owner_in_manifest(folder: Path) -> Path | None:
    """Return the shot list that the manifest in *folder* names: a film of an earlier release says it there alone."""
    try:
        return find(Path(json.loads((folder / MANIFEST).read_bytes())["shot_list"])).resolve()
    except (OSError, ValueError, KeyError, TypeError, BadInput):
        return None
