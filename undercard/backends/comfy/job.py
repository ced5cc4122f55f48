"""One graph from the queue to its pictures, whatever becomes of the server meanwhile."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from undercard.backends.comfy import faults
from undercard.backends.comfy.client import Client, History, ServerGone
from undercard.backends.comfy.events import Event, Events, listening
from undercard.backends.comfy.guard import Guard
from undercard.backends.comfy.nodes import Graph, Picture
from undercard.backends.comfy.patience import RETURN_SECONDS, patiently
from undercard.domain import progress
from undercard.errors import BackendError, DeviceFault

LOOK_SECONDS = 1.0
"""How often the history is asked where the websocket says nothing."""
ENDING_SECONDS = 0.1
"""The same once the websocket has said that the job ended: the history follows at once."""
ENDINGS = frozenset({"execution_success", "execution_error", "execution_interrupted"})
MOST_TIMES = 2
"""A server that ends twice in the middle of a job ends because of it."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What a job made."""

    pictures: Mapping[str, tuple[Picture, ...]]
    """By the node that made them."""
    seconds: float
    """That the server worked on it; 0 where it does not say."""
    was_there: bool
    """The server had all of it from an earlier job."""


@dataclass(slots=True)
class Job:
    """A graph on its way through one server's queue."""

    client: Client
    guard: Guard
    graph: Graph
    wait_seconds: float
    """How long to wait for a server that answers no more."""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    listener: str = field(default_factory=lambda: uuid.uuid4().hex)
    submitted: bool = False
    """It may be in the queue."""
    times: int = 0
    """That the server took it."""
    ended: bool = False
    """The websocket said so."""
    hang_seconds: float = math.inf
    """How long the server may execute it without a word; whoever is watched from outside needs no limit here."""
    heard: float = 0.0
    """When it last said one, or had other work to do first; by the monotonic clock."""

    def run(self) -> Finished:
        """Return what came of it; whatever ends the wait before takes the job from the server.

        Raises:
            OutOfMemory: the server's memory ran out, at the stage of the node that it ran out in.
            DeviceFault: its card failed, or it answers no more.
            BackendError: it refused the graph, a node failed, or somebody took the job out of its queue.
        """
        with self.guard.watching(self.id):
            try:
                return self._run()
            except BaseException:
                with suppress(BackendError):
                    self.client.cancel(self.id)
                raise

    def _run(self) -> Finished:
        while True:
            try:
                # Before the job is submitted: what is said before one listens is lost.
                with listening(self.client.url, self.listener) as events:
                    return self._outcome(self._handed_in() or self._awaited(events))
            except ServerGone:
                self._wait_for_server()

    def _handed_in(self) -> History | None:
        """Put the job into the queue unless it is there; return its history where it was executed meanwhile.

        A server that was restarted has forgotten it.
        """
        if self.submitted:
            if (found := self.client.history(self.id)) is not None:
                return found
            if self.client.place(self.id) is not None:
                return None
        if self.times >= MOST_TIMES:
            raise DeviceFault(f"ComfyUI ended {self.times} times while it rendered this")
        # Noted before: where the answer is lost, the server may have it all the same.
        self.submitted = True
        self.client.submit(self.graph, self.id, self.listener)
        self.times += 1
        return None

    def _awaited(self, events: Events) -> History:
        """Return the history of the job once it has one."""
        self.ended, looked = False, time.monotonic()
        self.heard = looked
        while True:
            seconds = ENDING_SECONDS if self.ended else LOOK_SECONDS
            event = events.next(seconds)
            if event is not None and event.job == self.id:
                self.heard = time.monotonic()
                self._hear(event)
            if event is not None and not self.ended and time.monotonic() - looked < LOOK_SECONDS:
                continue
            looked = time.monotonic()
            if (found := self._look(events)) is not None:
                return found

    def _look(self, events: Events) -> History | None:
        """Ask what became of the job; None while it is waited for.

        Raises:
            BackendError: the server knows nothing of it any more.
        """
        found = self.client.history(self.id)
        if found is not None:
            return found
        place = self.client.place(self.id)
        if place == "pending":
            self.heard = time.monotonic()
            progress.tell("wait")
        elif place == "running" and events.hears and time.monotonic() - self.heard > self.hang_seconds:
            raise DeviceFault(f"ComfyUI showed no sign of life for {self.hang_seconds:.0f} s; restart it if it goes on")
        if place is not None:
            return None
        # It may have ended between the two questions, or the server that is asked now is not the one that had it.
        if (found := self.client.history(self.id)) is None:
            events.drain()
            raise BackendError(
                f"ComfyUI at {self.client.shown} has the job no more: somebody took it out of its queue;"
                " run the same again with `failed` to go on"
            )
        return found

    def _hear(self, event: Event) -> None:
        """Pass on how far the job is."""
        self.ended = self.ended or event.kind in ENDINGS
        # A node may stand for others while it is executed, which have names that the graph does not know.
        names = (str(event.about.get(key)) for key in ("node", "display_node"))
        node = next((self.graph[name] for name in names if name in self.graph), None)
        stage = faults.stage_of(node.kind) if node else ""
        if not stage:
            return
        step, steps = event.about.get("value"), event.about.get("max")
        if event.kind == "executing":
            progress.tell(stage)
        elif event.kind == "progress" and isinstance(step, int) and isinstance(steps, int):
            # What the server counts is done; what we tell is being done.
            progress.tell(stage, min(step + 1, steps), steps)

    def _outcome(self, history: History) -> Finished:
        cached: set[str] = set()
        times: dict[str, float] = {}
        for kind, about in history.messages:
            if kind == "execution_error":
                raise faults.failure(about)
            if kind == "execution_interrupted":
                raise faults.interruption(about)
            if kind == "execution_cached" and isinstance(nodes := about.get("nodes"), list):
                cached.update(map(str, nodes))
            if isinstance(stamp := about.get("timestamp"), int | float):
                times[kind] = stamp / 1000
        seconds = times.get("execution_success", 0.0) - times.get("execution_start", 0.0)
        return Finished(history.pictures, max(0.0, seconds), was_there=cached >= self.graph.keys())

    def _wait_for_server(self) -> None:
        """Return once the server answers again.

        Raises:
            ServerGone: it does not, for too long.
        """
        progress.tell("wait")
        # A server that hangs up at once, each time, is asked no faster than one that is gone.
        time.sleep(min(RETURN_SECONDS, self.wait_seconds))
        patiently(lambda: self.client.place(self.id), self.wait_seconds)
