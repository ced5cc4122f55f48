"""What a server can do, looked at now and then: the way to render with it, or why there is none."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict, astuple, dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from undercard.backends.comfy import files, known, validation, workflow
from undercard.backends.comfy.client import Client, ServerGone, shown
from undercard.backends.comfy.files import Wanted
from undercard.backends.comfy.graph import KINDS, OwnGraph
from undercard.backends.comfy.nodes import Graph, Values
from undercard.domain.keys import content_key
from undercard.domain.unavailable import Cause, Unavailable, from_error
from undercard.errors import BackendError, BackendUnavailable, BadWorkflow
from undercard.settings import Settings
from undercard.store import Store

W_co = TypeVar("W_co", covariant=True)
W = TypeVar("W")

LOOK_SECONDS = 2.0
"""That a look may take in all: a command that only asks what there is must not hang on a host that swallows packets."""
FRESH_SECONDS = 5.0
"""How long what was seen is taken for what is."""


class Asked(Protocol[W_co]):
    """A server, and what it is to render with."""

    @property
    def url(self) -> str:
        """Its address."""

    @property
    def workflow(self) -> Path | None:
        """The user's own; None for one that is made."""

    @property
    def files(self) -> Any:
        """A dataclass of the files that were asked for by name."""

    @property
    def wait_seconds(self) -> float:
        """How long to wait for a server that stopped responding."""

    @property
    def store(self) -> Store:
        """Where what servers were seen to have is remembered."""

    def find(self, client: Client) -> W_co:
        """Return the way to render with the server behind *client*.

        Raises:
            ServerGone: it does not answer.
            BackendUnavailable: it lacks a file, or an extension.
            BadWorkflow: it cannot execute the user's workflow.
            BackendError: it is no ComfyUI.
        """


@runtime_checkable
class HasFiles(Protocol):
    """A way to render that chose among the server's files."""

    files: Any
    """A dataclass of their names."""


class Way(Protocol):
    """How a server renders: what a request becomes there."""

    @property
    def detail(self) -> str:
        """What people call it."""

    @property
    def references(self) -> int:
        """How many reference images it takes."""

    def built(self, values: Values) -> tuple[Graph, str]:
        """Return the graph that draws *values*, and its node that makes the picture."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the settings say of the server and what it is to render with."""

    url: str
    workflow: Path | None
    files: Wanted
    wait_seconds: float
    store: Store

    @property
    def steps(self) -> int:
        """Denoising steps of a keyframe."""
        return self.files.steps

    def find(self, client: Client) -> Way:
        """Return the way to render keyframes with the server behind *client*; see `Asked`."""
        if self.workflow is not None:
            own = workflow.read(self.workflow)
            return workflow.checked(own, client.schemas(own.kinds))
        schemas = client.schemas(KINDS)
        graph = OwnGraph(files.choose(files.listed(schemas), self.files))
        for sparing in (False, True):
            sample = Values("two boxers", "", 1, 1024, 576, ("image.png",), self.steps, "undercard", sparing)
            if problems := validation.problems(graph.built(sample)[0], schemas):
                told = "; ".join(f"{one.where}: {one.what}; {one.remedy}" for one in problems)
                raise BackendUnavailable(f"this ComfyUI cannot render Qwen-Image-Edit: {told}; update it")
        return graph


@dataclass(frozen=True, slots=True)
class Seen(Generic[W]):
    """What one look at a server found."""

    at: float
    """By the monotonic clock."""
    way: W | None = None
    reason: Unavailable | None = None
    """Why there is no way to render with it; None where there is one."""
    slow: bool = False
    """It is there, and too busy to say more."""


@dataclass(slots=True)
class Memory:
    """What this process saw of the servers that it was asked for."""

    last: dict[tuple[object, ...], Seen[Any]] = field(default_factory=dict)
    good: dict[tuple[object, ...], Seen[Any]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def forget(self) -> None:
        """Look anew the next time."""
        with self.lock:
            self.last.clear()
            self.good.clear()


memory = Memory()


def wishes(settings: Settings) -> Wishes:
    """Return what *settings* say."""
    return Wishes(
        url=str(settings.comfyui).rstrip("/"),
        workflow=settings.comfyui_workflow,
        files=Wanted(
            settings.comfyui_unet, settings.comfyui_clip, settings.comfyui_vae, settings.comfyui_lora, settings.steps
        ),
        wait_seconds=settings.comfyui_wait_seconds,
        store=Store(settings.store_root),
    )


def look(wanted: Asked[W], *, anew: bool = False) -> Seen[W]:
    """Return what the server that *wanted* names can do, as seen a moment ago or now; in two seconds at the most.

    A server that answered before and does not now is taken to be on its way back for as long as it would be waited for
    in the middle of a picture, and one that only takes its time to be busy.

    Args:
        wanted: what the settings say.
        anew: now, whatever was seen a moment ago.
    """
    key = _key(wanted)
    with memory.lock:
        now = time.monotonic()
        last, good = memory.last.get(key), memory.good.get(key)
        if anew or last is None or now - last.at > FRESH_SECONDS:
            last = memory.last[key] = _timely(wanted)
        if last.way is not None:
            memory.good[key] = last
        elif good is not None and _is_away(last) and (last.slow or now - good.at <= wanted.wait_seconds):
            return good
        return last


def present(wanted: Asked[W]) -> W:
    """Return the way to render with the server that *wanted* names.

    Raises:
        ServerGone: it does not answer.
        BackendUnavailable: it lacks something, or cannot execute the user's workflow.
    """
    seen = look(wanted, anew=True)
    if seen.way is not None:
        return seen.way
    raise (ServerGone if _is_away(seen) else BackendUnavailable)(str(seen.reason))


def recipe(wanted: Wishes) -> str:
    """Return what decides the pixels of *wanted*, such as `4 steps 1f0c9a…`; empty where nothing is known of it."""
    found = digest(wanted)
    return f"{wanted.steps} steps {found}" if found else ""


def digest(wanted: Asked[W]) -> str:
    """Return a short digest of what *wanted* renders with: the workflow, or the names of the files.

    Where the server does not answer, it is what it last was; empty where it never was anything.
    """
    if wanted.workflow is not None:
        try:
            return workflow.read(wanted.workflow).digest[:32]
        except BadWorkflow:
            return ""
    way = look(wanted).way
    chosen = (
        asdict(way.files) if isinstance(way, HasFiles) else known.remembered(wanted.store, wanted.url, wanted.files)
    )
    return content_key(chosen)[:32] if chosen else ""


def _timely(wanted: Asked[W]) -> Seen[W]:
    """Look at the server, and give up where that takes too long: the system may look up a name for half a minute."""
    found: list[Seen[W]] = []
    looking = threading.Thread(target=lambda: found.append(_seen(wanted)), daemon=True)
    looking.start()
    looking.join(LOOK_SECONDS)
    return found[0] if found else _silent(wanted)


def _seen(wanted: Asked[W]) -> Seen[W]:
    try:
        with Client(wanted.url, connect_seconds=LOOK_SECONDS / 2, read_seconds=LOOK_SECONDS / 2) as client:
            way = wanted.find(client)
    except ServerGone as gone:
        if gone.slow:
            return _silent(wanted)
        return Seen(time.monotonic(), reason=_absent(wanted, "nothing answers"))
    except BackendError as exc:
        return Seen(time.monotonic(), reason=from_error(exc, Cause.UNABLE_SERVER))
    except BadWorkflow as exc:
        return Seen(time.monotonic(), reason=from_error(exc, Cause.WRONG_FILE))
    if isinstance(way, HasFiles):
        known.remember(wanted.store, wanted.url, wanted.files, way.files)
    return Seen(time.monotonic(), way=way)


def _silent(wanted: Asked[W]) -> Seen[W]:
    return Seen(time.monotonic(), reason=_absent(wanted, "it is silent"), slow=True)


def _is_away(seen: Seen[Any]) -> bool:
    return seen.reason is not None and seen.reason.cause is Cause.UNREACHABLE_SERVER


def _absent(wanted: Asked[W], why: str) -> Unavailable:
    what, remedy = f"no ComfyUI is at {shown(wanted.url)} ({why})", "start it, or set UNDERCARD_COMFYUI to where it is"
    return Unavailable(what, remedy, Cause.UNREACHABLE_SERVER)


def _key(wanted: Asked[W]) -> tuple[object, ...]:
    files = (type(wanted.files).__name__, *astuple(wanted.files))
    return wanted.url, wanted.workflow, _stamp(wanted.workflow), wanted.wait_seconds, *files


def _stamp(path: Path | None) -> tuple[int, int] | None:
    """Return what changes when the file at *path* does."""
    try:
        found = path.stat() if path is not None else None
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size) if found else None
