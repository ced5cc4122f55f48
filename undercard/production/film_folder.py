"""Which folder a film goes to, and whose turn it is there: one folder a shot list, one run of a film at a time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict

from undercard.errors import BadInput, StoreError
from undercard.planning.plan import Plan, output_folder
from undercard.production.options import RunOptions, find
from undercard.store import Store, write_atomically

MANIFEST = "manifest.json"
RUN = "run.json"
"""In a film's folder: whose it is, and what the last run there was asked for."""
WRITING_SECONDS = 60.0
"""How long to wait for another process that only writes a file, which takes it a few milliseconds."""


class LastRun(BaseModel):
    """The last run of a film; its shot list has an absolute path."""

    model_config = ConfigDict(frozen=True)

    options: RunOptions


def folder_of(plan: Plan, shot_list: Path) -> Path:
    """Return the folder of the film that *plan* makes of the file *shot_list*; nothing is written.

    It is named after the film's title. Two shot lists may have one title: if the folder belongs to another list that
    still exists, the name ends in a digest of this list's path.
    """
    usual, here = output_folder(plan), shot_list.resolve()
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


@contextmanager
def turn(folder: Path, wait: Callable[[], object]) -> Iterator[bool]:
    """Keep every other run out of *folder*; yield whether one had to be waited for.

    The turn of a process that dies ends with it.

    Args:
        folder: of a film.
        wait: called before this run waits for another one.

    Raises:
        StoreError: it cannot be written.
    """
    path = folder / ".run"
    with ExitStack() as stack:
        try:
            stack.enter_context(_lock(path, 0.0))
            waited = False
        except Timeout:
            wait()
            stack.enter_context(_lock(path, -1.0))
            waited = True
        yield waited


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep out other processes and threads that lock the same *path* to write it.

    Raises:
        StoreError: the lock cannot be written, or somebody has had it for `WRITING_SECONDS`.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(_lock(path, WRITING_SECONDS))
        except Timeout as exc:
            raise StoreError(
                f"{path} was locked by another process for {WRITING_SECONDS:.0f} s; try again when that has ended"
            ) from exc
        yield


@contextmanager
def _lock(path: Path, seconds: float) -> Iterator[None]:
    """Lock *path*, which need not exist; wait for that many *seconds*, or for as long as it takes if negative."""
    # Threads of a pool may enter and leave it.
    lock = FileLock(path.with_name(f".{path.name.removeprefix('.')}.lock"), timeout=seconds, thread_local=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise
    except OSError as exc:
        raise StoreError(f"cannot write in {path.parent}: {exc.strerror}; free space or set UNDERCARD_STORE") from exc
    try:
        yield
    finally:
        lock.release()


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
