"""What a backend needs and this machine lacks: planned first, with its size and its place, then fetched."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from undercard.domain.units import gigabytes
from undercard.errors import BadCheckpoint, BadDownload, HubRefused, HubUnreachable, NoRoom
from undercard.models import folders, layouts, lock, presence, weights
from undercard.models.catalogue import KINDS, FileSpec, ModelSpec
from undercard.models.fetching import Fetcher
from undercard.models.hub import Hub, Listing, RemoteFile
from undercard.models.kits import Pick
from undercard.settings import Settings

SPARE_BYTES = 1_000_000_000
"""Left free on a disk, so that whoever else writes to it is not stopped."""
AT_ONCE = 4
"""Files that come at once: one connection seldom fills a line, and the hub slows down whoever opens many."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file to fetch, or to verify where it lies."""

    remote: RemoteFile
    target: Path
    left_bytes: int
    """To come over the network; 0 where only its digest is to be compared."""


@dataclass(frozen=True, slots=True)
class Item:
    """One model of a plan."""

    model: ModelSpec
    path: Path
    """Where it is or will be: its folder or its file."""
    there: bool
    """It can be used as it is."""
    own: bool = False
    """The settings name it."""
    files: tuple[Wanted, ...] = ()
    left_bytes: int = 0
    """To come over the network."""
    exact: bool = True
    """`left_bytes` is what the hub says; else what the catalogue thinks."""
    without_transformer: bool = False
    link_from: Path | None = None
    """Where it lies already, for ComfyUI, whose folder gets a link."""
    wrong: tuple[str, ...] = ()
    """What lies under its name and is not it."""


@dataclass(frozen=True, slots=True)
class FetchPlan:
    """What is there, and what would be fetched."""

    title: str
    items: tuple[Item, ...]
    address: str
    """Of the hub."""
    unreachable: str = ""
    """Why the hub was not asked; sizes are the catalogue's then, and nothing can be fetched."""

    @property
    def left_bytes(self) -> int:
        """To come over the network."""
        return sum(item.left_bytes for item in self.items)

    @property
    def is_done(self) -> bool:
        """Nothing is to be fetched, linked or verified."""
        return all(item.there and not item.files for item in self.items)

    def rooms(self) -> Iterator[tuple[Path, int, int]]:
        """Yield, for every disk that is written to, a folder on it, the bytes that come, and those that are free."""
        disks: dict[int, tuple[Path, int]] = {}
        for item in self.items:
            if item.left_bytes:
                folder = _existing(item.path)
                _, before = disks.get(folder.stat().st_dev, (folder, 0))
                disks[folder.stat().st_dev] = folder, before + item.left_bytes
        for folder, left in disks.values():
            yield folder, left, shutil.disk_usage(folder).free


def plan(title: str, picks: Sequence[Pick], hub: Hub, settings: Settings, *, verify: bool = False) -> FetchPlan:
    """Return what is to be done so that all of *picks* are there; the hub is asked only about what is not.

    Args:
        title: of the plan.
        picks: what is wanted.
        hub: where what is missing comes from.
        settings: where it goes.
        verify: also compare the digest of what is there and was fetched.

    Raises:
        HubRefused: the hub has not what the catalogue says.
        BadDownload: the hub says that a file is another one than the catalogue pins.
    """
    items = []
    listings: dict[tuple[str, str], Listing] = {}
    unreachable = ""
    for pick in picks:
        item = _without_network(pick, settings)
        if item.link_from is None and not item.own and (verify or not item.there or _is_unrecorded(item, settings)):
            try:
                if not unreachable:
                    item = _with_files(item, _listing(pick.model, hub, listings, settings), settings, verify=verify)
            except HubUnreachable as exc:
                unreachable = str(exc)
            except HubRefused:
                # What can be used as it is needs no hub; offline, it refuses everything.
                if verify or not item.there:
                    raise
        items.append(item)
    return FetchPlan(title, tuple(items), hub.address, unreachable)


def fetch(planned: FetchPlan, fetcher: Fetcher) -> None:
    """Bring what *planned* says, several files at once, and note what was verified in models.lock.

    Raises:
        HubUnreachable, HubRefused, BadDownload, NoRoom: see `Fetcher.fetch`; what arrived is kept.
    """
    require_possible(planned)
    jobs = [(item, wanted) for item in planned.items for wanted in item.files]
    for item, wanted in jobs:
        if item.model.revision != wanted.remote.commit:
            lock.pin(fetcher.settings, item.model.repository, item.model.revision, wanted.remote.commit)
    fetcher.meter.expect(sum(wanted.remote.size_bytes for _, wanted in jobs))
    fetcher.meter.begin()
    with ThreadPoolExecutor(AT_ONCE, "fetch") as pool:
        running = [pool.submit(_fetch, fetcher, item, wanted) for item, wanted in jobs]
        try:
            for done in as_completed(running):
                done.result()
        except BaseException:
            # The others leave what they have; the pool waits until they did.
            fetcher.stop.set()
            for future in running:
                future.cancel()
            raise
    for item in planned.items:
        if item.link_from is not None:
            _link(item.link_from, item.path)
        elif item.model.is_folder and item.files:
            _prove_whole(item)
    weights.forget()


def _without_network(pick: Pick, settings: Settings) -> Item:
    model = pick.model
    if pick.path is not None:
        return Item(model, pick.path, there=True, own=pick.look.own, without_transformer=pick.without_transformer)
    wrong = pick.look.wrong
    if pick.in_comfyui:
        target = presence.comfyui_target(model, settings)
        elsewhere = presence.look(model, settings).path
        if elsewhere is not None:
            return Item(model, target, there=False, link_from=elsewhere, wrong=wrong)
    else:
        target = presence.target_of(model, settings)
    return Item(
        model,
        target,
        there=False,
        left_bytes=pick.size_bytes,
        exact=False,
        without_transformer=pick.without_transformer,
        wrong=wrong,
    )


def _is_unrecorded(item: Item, settings: Settings) -> bool:
    """Say whether something of *item* was fetched by us, and by a process that ended before it could note that."""
    if not _is_ours(item.path, settings):
        return False
    known = lock.read(settings)
    files = [path for path in item.path.rglob("*") if path.suffix in KINDS] if item.model.is_folder else [item.path]
    return any(known.verified(path) is None for path in files)


def _is_ours(path: Path, settings: Settings) -> bool:
    return path.is_relative_to(settings.model_store_root)


def _listing(model: ModelSpec, hub: Hub, known: dict[tuple[str, str], Listing], settings: Settings) -> Listing:
    key = model.repository, lock.read(settings).commit(model.repository, model.revision) or model.revision
    if key not in known:
        known[key] = hub.listing(*key)
    return known[key]


def _with_files(item: Item, listing: Listing, settings: Settings, *, verify: bool) -> Item:
    """Return *item* with the files of *listing* that are to be fetched or verified."""
    known, files = lock.read(settings), []
    for spec in item.model.wanted(without_transformer=item.without_transformer):
        for remote in _matching(item.model, spec, listing, settings):
            target = item.path / remote.path if item.model.is_folder else item.path
            entry = known.verified(target)
            if (entry is not None and not verify) or (item.there and not target.exists()):
                continue
            files.append(Wanted(remote, target, Fetcher.left(remote, target)))
    left = sum(wanted.left_bytes for wanted in files)
    return replace(item, files=tuple(files), left_bytes=left, exact=True)


def _matching(model: ModelSpec, spec: FileSpec, listing: Listing, settings: Settings) -> list[RemoteFile]:
    """Return the files of *listing* that *spec* names, once they are known to be what the catalogue pins."""
    found = [remote for path, remote in sorted(listing.files.items()) if spec.matches(path)]
    if not found and spec.path.endswith(presence.SUFFIXES):
        raise HubRefused(
            f"{model.repository} has no {spec.path} at {listing.commit[:12]}: the catalogue is out of date; "
            f"correct {model.name!r} in {settings.catalogue_file}"
        )
    size = sum(remote.size_bytes for remote in found)
    pinned = model.revision == listing.commit and spec.bytes is not None
    if (pinned and size != spec.bytes) or (spec.sha256 and found and found[0].sha256 != spec.sha256):
        raise BadDownload(
            f"{spec.path} of {model.repository} is another file on this hub than the catalogue pins: {size} bytes, "
            f"{spec.bytes} pinned; if HF_ENDPOINT names a mirror, try another"
        )
    return found


def require_possible(planned: FetchPlan) -> None:
    """Return if *planned* can be carried out now.

    Raises:
        HubUnreachable: the hub could not be asked.
        NoRoom: a disk has not the room.
    """
    if planned.unreachable and not all(item.there for item in planned.items):
        raise HubUnreachable(f"{planned.address} cannot be asked now; run the same command again later")
    for folder, left, free in planned.rooms():
        if left + SPARE_BYTES > free:
            short = gigabytes(left + SPARE_BYTES - free)
            raise NoRoom(
                f"{gigabytes(left)} are to come to {folder}, and {gigabytes(free)} are free there: free {short}, or "
                "set UNDERCARD_MODEL_STORE to a folder on another disk"
            )


def _fetch(fetcher: Fetcher, item: Item, wanted: Wanted) -> None:
    remote, model = wanted.remote, item.model
    proof = None if model.is_folder else partial(_prove_file, model)
    sha256 = fetcher.fetch(remote, wanted.target, proof, ours=_is_ours(wanted.target, fetcher.settings))
    lock.note(fetcher.settings, remote.repository, remote.commit, remote.path, wanted.target, remote.size_bytes, sha256)


def _prove_file(model: ModelSpec, path: Path) -> None:
    layouts.prove(path, model)


def _prove_whole(item: Item) -> None:
    try:
        folders.prove_folder(item.path, item.model, without_transformer=item.without_transformer)
    except BadCheckpoint as exc:
        raise BadDownload(f"all of {item.model.repository} arrived whole, but {exc}") from exc


def _link(source: Path, target: Path) -> None:
    """Let ComfyUI see *source* as *target*, without a second copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source.resolve(), target)
    except FileExistsError as exc:
        raise BadDownload(f"{target} is another file than {source}; move it away") from exc
    except OSError:
        # Another disk.
        target.symlink_to(source.resolve())


def _existing(path: Path) -> Path:
    """Return the nearest folder above *path* that is there."""
    return next(folder for folder in path.parents if folder.is_dir())
