"""ComfyUI's HTTP API: questions, uploads, the queue and pictures, with its failures in undercard's terms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self, TypeAlias
from urllib.parse import quote

import httpx

from undercard.backends.comfy import faults
from undercard.backends.comfy.nodes import Graph, Picture, Schema, as_json, schema
from undercard.errors import BackendError, DeviceFault

CONNECT_SECONDS, READ_SECONDS = 5.0, 60.0
"""A server answers slowly while it loads a model: Python lets one thread run at a time."""
UPLOADS = "undercard"
"""Folder in the server's input folder for the references."""

Place: TypeAlias = Literal["running", "pending"]
"""Where a job is in the server's queue."""


class ServerGone(DeviceFault):
    """The server does not answer; it may be on its way back."""

    slow: bool = False
    """It took the connection, and then too long."""


@dataclass(frozen=True, slots=True)
class History:
    """What became of a job."""

    pictures: Mapping[str, tuple[Picture, ...]]
    """By the node that made them."""
    messages: tuple[tuple[str, Mapping[str, object]], ...]
    """What the server said while it ran, oldest first."""


@dataclass(slots=True)
class Client:
    """One server; a context manager that may be used from several threads."""

    url: str
    connect_seconds: float = CONNECT_SECONDS
    read_seconds: float = READ_SECONDS
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        timeout = httpx.Timeout(self.read_seconds, connect=self.connect_seconds)
        # Proxies of the environment are for the web: a server of one's own is not behind them.
        # Loading the authorities' certificates takes longer than all that is asked, and plain HTTP needs none.
        verify = self.url.startswith("https")
        self.http = httpx.Client(base_url=self.url, timeout=timeout, trust_env=False, verify=verify)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()

    @property
    def shown(self) -> str:
        """The server's address as messages may show it, without a password."""
        return shown(self.url)

    def schemas(self, kinds: Iterable[str]) -> dict[str, Schema]:
        """Return what the server says of nodes of *kinds*; those that it does not have are left out.

        Raises:
            ServerGone: it does not answer.
            BackendError: what answers is no ComfyUI.
        """
        found = {}
        for kind in kinds:
            # One at a time: all of them together are megabytes where extensions are installed.
            content = _mapping(self._json("GET", f"/object_info/{quote(kind, safe='')}"))
            if kind in content:
                found[kind] = schema(kind, content[kind])
        return found

    def upload(self, name: str, content: bytes) -> str:
        """Upload a picture, and return what a graph calls it.

        The same picture under the same name is kept once; a file of that name with other content is left alone, and
        the picture gets another name.

        Raises:
            ServerGone: it does not answer.
            BackendError: it does not take the picture.
        """
        files = {"image": (name, content, "image/png")}
        told = _mapping(self._json("POST", "/upload/image", files=files, data={"type": "input", "subfolder": UPLOADS}))
        given, folder = told.get("name"), told.get("subfolder")
        if not isinstance(given, str):
            raise BackendError(f"{self.shown} took a picture and did not say what it calls it: {told}")
        return f"{folder}/{given}" if folder else given

    def submit(self, graph: Graph, job: str, listener: str) -> None:
        """Put *graph* into the queue.

        Args:
            graph: what to execute.
            job: its id, a UUID in its usual form.
            listener: the id of the websocket that hears of it.

        Raises:
            ServerGone: it does not answer; the job may be in the queue all the same.
            BackendError: it refuses the graph, or a part of it; nothing is in the queue.
        """
        body = {"prompt": as_json(graph), "prompt_id": job, "client_id": listener}
        answer = self._answer("POST", "/prompt", json=body)
        told = _mapping(_content(answer, self.shown) if answer.status_code in {200, 400} else {})
        if answer.status_code == 200 and not told.get("node_errors"):
            return
        if answer.status_code == 200:
            # What is left of the graph would be executed without the part that was refused.
            self.cancel(job)
        elif answer.status_code != 400:
            raise self._unexpected(answer)
        raise faults.refusal(told, graph)

    def history(self, job: str) -> History | None:
        """Return what became of *job*, or None while nothing has.

        Raises:
            ServerGone: it does not answer.
        """
        told = _mapping(self._json("GET", f"/history/{job}")).get(job)
        return None if told is None else _history(_mapping(told))

    def place(self, job: str) -> Place | None:
        """Return where *job* is in the queue, or None where it is not.

        Raises:
            ServerGone: it does not answer.
        """
        told = _mapping(self._json("GET", "/queue"))
        places: tuple[tuple[Place, str], ...] = (("running", "queue_running"), ("pending", "queue_pending"))
        return next((place for place, key in places if job in _jobs(told.get(key))), None)

    def cancel(self, job: str) -> None:
        """Take *job* out of the queue, or interrupt it where it is being executed; nothing happens where it is neither.

        Raises:
            ServerGone: it does not answer.
        """
        place = self.place(job)
        if place == "pending":
            self._answer("POST", "/queue", json={"delete": [job]})
            # It may have begun between the two.
            place = self.place(job)
        if place == "running":
            # Old servers do not read the id and interrupt whatever they execute, which is this job.
            self._answer("POST", "/interrupt", json={"prompt_id": job})

    def free(self) -> None:
        """Let the server unload its models and give their memory back before its next job.

        Raises:
            ServerGone: it does not answer.
        """
        self._answer("POST", "/free", json={"unload_models": True, "free_memory": True})

    def view(self, picture: Picture) -> bytes | None:
        """Return the file of *picture*, or None where the server has it no more.

        Raises:
            ServerGone: it does not answer.
            BackendError: it does not give it.
        """
        where = {"filename": picture.filename, "subfolder": picture.subfolder, "type": picture.type}
        answer = self._answer("GET", "/view", params=where)
        if answer.status_code == 404:
            return None
        if answer.status_code != 200:
            raise self._unexpected(answer)
        return answer.content

    def _json(self, method: str, path: str, **what: object) -> object:
        answer = self._answer(method, path, **what)
        if answer.status_code != 200:
            raise self._unexpected(answer)
        return _content(answer, self.shown)

    def _answer(self, method: str, path: str, **what: object) -> httpx.Response:
        try:
            answer = self.http.request(method, path, **what)  # type: ignore[arg-type]  # httpx names each argument
        except (httpx.TransportError, httpx.InvalidURL) as exc:
            gone = ServerGone(f"ComfyUI at {self.shown} does not answer: {str(exc) or type(exc).__name__}")
            gone.slow = isinstance(exc, httpx.ReadTimeout)
            raise gone from exc
        if answer.status_code in {502, 503, 504}:
            # What a proxy says whose server is away.
            raise ServerGone(f"ComfyUI at {self.shown} does not answer: status {answer.status_code}")
        return answer

    def _unexpected(self, answer: httpx.Response) -> BackendError:
        asked = f"{answer.request.method} {answer.request.url.path}"
        said = answer.text.strip()[:200] or answer.reason_phrase
        return BackendError(f"{self.shown} answers {asked} with status {answer.status_code} ({said}); is it a ComfyUI?")


def shown(url: str) -> str:
    """Return *url* as messages may show it, without a password."""
    return str(httpx.URL(url).copy_with(username=None, password=None)).rstrip("/")


def _content(answer: httpx.Response, whose: str) -> object:
    try:
        content: object = answer.json()
    except ValueError as exc:
        said = answer.text.strip()[:100]
        raise BackendError(
            f"{whose} answers {answer.request.url.path} with no JSON ({said}); is it a ComfyUI?"
        ) from exc
    return content


def _mapping(told: object) -> Mapping[str, object]:
    return told if isinstance(told, dict) else {}


def _jobs(told: object) -> list[object]:
    """Return the ids of the jobs of a queue: each is a list with its number first and its id second."""
    entries = told if isinstance(told, list) else []
    return [entry[1] for entry in entries if isinstance(entry, list) and len(entry) > 1]


def _history(told: Mapping[str, object]) -> History:
    pictures = {}
    for node, made in _mapping(told.get("outputs")).items():
        images = _mapping(made).get("images")
        found = [_picture(_mapping(image)) for image in images] if isinstance(images, list) else []
        pictures[node] = tuple(picture for picture in found if picture.filename)
    said = _mapping(told.get("status")).get("messages")
    messages = [(str(one[0]), _mapping(one[1])) for one in said if len(one) == 2] if isinstance(said, list) else []
    return History(pictures, tuple(messages))


def _picture(told: Mapping[str, object]) -> Picture:
    filename, subfolder, kind = (str(told.get(key) or "") for key in ("filename", "subfolder", "type"))
    return Picture(filename, subfolder, kind or "output")
