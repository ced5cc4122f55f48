"""What a server can do, looked at now and then: the way to render with it, or why there is none."""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from dataclasses import asdict, astuple, dataclass, field
from pathlib import Path
from typing import Protocol

from undercard import settings, store
from undercard.comfyui import files, validation, workflow
from undercard.comfyui.client import Client, ServerGone, shown
from undercard.comfyui.files import Files, Wanted
from undercard.comfyui.graph import KINDS, OwnGraph
from undercard.comfyui.nodes import Graph, Values
from undercard.errors import BackendError, BackendUnavailable, BadWorkflow, StoreError
from undercard.requests import content_key

LOOK_SECONDS = 2.0
"""That a look may take in all: a command that only asks what there is must not hang on a host that swallows packets."""
FRESH_SECONDS = 5.0
"""How long what was seen is taken for what is."""


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

    @property
    def steps(self) -> int:
        """Denoising steps of a keyframe."""
        return self.files.steps


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look at a server found."""

    at: float
    """By the monotonic clock."""
    way: Way | None = None
    reason: str = ""
    """Why there is no way to render with it."""
    lasting: bool = True
    """The reason is not that it did not answer, which may be over in a moment."""
    slow: bool = False
    """It is there, and too busy to say more."""


@dataclass(slots=True)
class Memory:
    """What this process saw of the servers that it was asked for."""

    last: dict[tuple[object, ...], Seen] = field(default_factory=dict)
    good: dict[tuple[object, ...], Seen] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def forget(self) -> None:
        """Look anew the next time."""
        with self.lock:
            self.last.clear()
            self.good.clear()


memory = Memory()


def wishes() -> Wishes:
    """Return what the settings say now."""
    chosen = settings.load()
    return Wishes(
        url=str(chosen.comfyui).rstrip("/"),
        workflow=chosen.comfyui_workflow,
        files=Wanted(chosen.comfyui_unet, chosen.comfyui_clip, chosen.comfyui_vae, chosen.comfyui_lora, chosen.steps),
        wait_seconds=chosen.comfyui_wait_seconds,
    )


def look(wanted: Wishes, *, anew: bool = False) -> Seen:
    """Return what the server that *wanted* names can do, as seen a moment ago or now; in two seconds at the most.

    A server that answered before and does not now is taken to be on its way back for as long as it would be waited for
    in the middle of a picture, and one that only takes its time to be busy.

    Args:
        wanted: what the settings say.
        anew: now, whatever was seen a moment ago.
    """
    key = (*astuple(wanted), _stamp(wanted.workflow))
    with memory.lock:
        now = time.monotonic()
        last, good = memory.last.get(key), memory.good.get(key)
        if anew or last is None or now - last.at > FRESH_SECONDS:
            last = memory.last[key] = _timely(wanted)
        if last.way is not None:
            memory.good[key] = last
        elif good is not None and not last.lasting and (last.slow or now - good.at <= wanted.wait_seconds):
            return good
        return last


def present(wanted: Wishes) -> Way:
    """Return the way to render with the server that *wanted* names.

    Raises:
        ServerGone: it does not answer.
        BackendUnavailable: it lacks something, or cannot execute the user's workflow.
    """
    seen = look(wanted, anew=True)
    if seen.way is not None:
        return seen.way
    raise BackendUnavailable(seen.reason) if seen.lasting else ServerGone(seen.reason)


def recipe(wanted: Wishes) -> str:
    """Return what decides the pixels of *wanted*, such as `4 steps 1f0c9a…`: the workflow, or the names of the files.

    Where the server does not answer, it is what it last was; empty where it never was anything.
    """
    if wanted.workflow is not None:
        try:
            digest = workflow.read(wanted.workflow).digest
        except BadWorkflow:
            return ""
        return f"{wanted.steps} steps {digest[:32]}"
    way = look(wanted).way
    chosen = asdict(way.files) if isinstance(way, OwnGraph) else _remembered(wanted)
    return f"{wanted.steps} steps {content_key(chosen)[:32]}" if chosen else ""


def _timely(wanted: Wishes) -> Seen:
    """Look at the server, and give up where that takes too long: the system may look up a name for half a minute."""
    found: list[Seen] = []
    looking = threading.Thread(target=lambda: found.append(_seen(wanted)), daemon=True)
    looking.start()
    looking.join(LOOK_SECONDS)
    return found[0] if found else _silent(wanted)


def _seen(wanted: Wishes) -> Seen:
    try:
        with Client(wanted.url, connect_seconds=LOOK_SECONDS / 2, read_seconds=LOOK_SECONDS / 2) as client:
            way = _way(client, wanted)
    except ServerGone as gone:
        if gone.slow:
            return _silent(wanted)
        return Seen(time.monotonic(), reason=_absent(wanted, "nothing answers"), lasting=False)
    except (BackendError, BadWorkflow) as exc:
        return Seen(time.monotonic(), reason=str(exc))
    if isinstance(way, OwnGraph):
        _remember(wanted, way.files)
    return Seen(time.monotonic(), way=way)


def _silent(wanted: Wishes) -> Seen:
    return Seen(time.monotonic(), reason=_absent(wanted, "it is silent"), lasting=False, slow=True)


def _way(client: Client, wanted: Wishes) -> Way:
    """Return the way to render with the server behind *client*.

    Raises:
        ServerGone: it does not answer.
        BackendUnavailable: it lacks a file, or an extension.
        BadWorkflow: it cannot execute the user's workflow.
        BackendError: it is no ComfyUI.
    """
    if wanted.workflow is not None:
        own = workflow.read(wanted.workflow)
        return workflow.checked(own, client.schemas(own.kinds))
    schemas = client.schemas(KINDS)
    graph = OwnGraph(files.choose(files.listed(schemas), wanted.files))
    for sparing in (False, True):
        sample = Values("two boxers", "", 1, 1024, 576, ("image.png",), wanted.steps, "undercard", sparing)
        if problems := validation.problems(graph.built(sample)[0], schemas):
            told = "; ".join(f"{one.where}: {one.what}; {one.remedy}" for one in problems)
            raise BackendUnavailable(f"this ComfyUI cannot render Qwen-Image-Edit: {told}; update it")
    return graph


def _absent(wanted: Wishes, why: str) -> str:
    return f"no ComfyUI is at {shown(wanted.url)} ({why}); start it, or set UNDERCARD_COMFYUI to where it is"


def _stamp(path: Path | None) -> tuple[int, int] | None:
    """Return what changes when the file at *path* does."""
    try:
        found = path.stat() if path is not None else None
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size) if found else None


def _remember(wanted: Wishes, chosen: Files) -> None:
    """Keep what was chosen, so that requests have the same names while the server is away."""
    known = _known()
    if known.get(_name(wanted)) != asdict(chosen):
        content = {**known, _name(wanted): asdict(chosen)}
        # Without it, pictures are rendered again that need not be.
        with suppress(StoreError):
            store.write_atomically(_path(), json.dumps(content, indent=1).encode())


def _remembered(wanted: Wishes) -> object:
    return _known().get(_name(wanted))


def _known() -> dict[str, object]:
    try:
        known = json.loads(_path().read_bytes())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _name(wanted: Wishes) -> str:
    return content_key([shown(wanted.url), asdict(wanted.files)])[:16]


def _path() -> Path:
    return settings.load().store_root / "comfyui.json"
