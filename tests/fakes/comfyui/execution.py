"""How the fake server executes jobs: one after the other, from caches where it can, telling whoever listens."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.websockets import WebSocket

from tests.fakes.comfyui.nodes import FAULT, Execution, NodeError, raise_fault, run
from tests.fakes.comfyui.validation import Json


class Interrupted(Exception):
    """Somebody asked for it."""


@dataclass
class Behaviour:
    """What goes otherwise than it should."""

    history_seconds: float = 0.0
    """From the websocket's `execution_success` to the history."""
    early_history: bool = False
    """The history comes before that."""
    answer_seconds: float = 0.0
    """Before it describes its nodes."""
    socket_seconds: float = 0.0
    """Before each event is sent."""
    deaf: bool = False
    """No websocket is offered."""
    rude: bool = False
    """Each is closed as soon as it is open."""
    lose_pictures: bool = False
    """Files are gone as soon as they were saved."""
    step_seconds: float = 0.0


class _Failed(Exception):
    def __init__(self, about: Json) -> None:
        self.about = about
        super().__init__(str(about))


@dataclass
class Executor:
    """A queue, and the thread that works through it."""

    folder: Path
    info: Json
    behaviour: Behaviour = field(default_factory=Behaviour)
    pending: list[Json] = field(default_factory=list)
    running: Json | None = None
    history: dict[str, Json] = field(default_factory=dict)
    cache: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    sockets: dict[str, WebSocket] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    """What it was asked and did, for tests to look at."""
    interrupted: bool = False
    ended: bool = False
    happened: set[str] = field(default_factory=set)
    """Faults that happen once, and did."""
    wake: threading.Condition = field(default_factory=threading.Condition)
    loop: asyncio.AbstractEventLoop | None = None

    def work(self) -> None:
        """Execute one job after the other until the server ends."""
        while True:
            with self.wake:
                while not self.pending and not self.ended:
                    self.wake.wait()
                if self.ended:
                    return
                self.running, self.interrupted = self.pending.pop(0), False
            self._execute(self.running)

    def _execute(self, job: Json) -> None:
        messages: list[tuple[str, Json]] = []

        def say(kind: str, **about: Any) -> None:
            stamped = {**about, "prompt_id": job["id"], "timestamp": int(time.time() * 1000)}
            messages.append((kind, stamped))
            self._send(job, kind, stamped)

        say("execution_start")
        signatures = {name: self._signature(job["graph"], name) for name in job["graph"]}
        say("execution_cached", nodes=[name for name in signatures if signatures[name] in self.cache])
        outputs: Json = {}
        name = ""
        try:
            for name in job["outputs"]:
                self._run(job, name, signatures, outputs)
            ending, about = "execution_success", {}
        except Interrupted:
            ending, about = "execution_interrupted", {"node_id": name}
        except _Failed as failed:
            ending, about = "execution_error", failed.about
        if self.ended:
            return
        entry = {"outputs": outputs, "status": {"status_str": "success", "completed": True, "messages": messages}}
        if ending != "execution_success":
            entry["status"] = {"status_str": "error", "completed": False, "messages": messages}
        if self.behaviour.early_history:
            messages.append((ending, about | {"prompt_id": job["id"]}))
            self._done(job, entry)
            self._send(job, ending, about | {"prompt_id": job["id"]})
        else:
            say(ending, **about)
            time.sleep(self.behaviour.history_seconds)
            self._done(job, entry)
        self._send(job, "executing", {"node": None, "prompt_id": job["id"]})

    def _done(self, job: Json, entry: Json) -> None:
        with self.wake:
            self.running = None
            self.wake.notify_all()
            self.history[job["id"]] = entry

    def _run(self, job: Json, name: str, signatures: dict[str, str], outputs: Json) -> tuple[Any, ...]:
        """Execute the node *name* and those before it, unless it was done before."""
        node = job["graph"][name]
        if signatures[name] in self.cache:
            made = self.cache[signatures[name]]
        else:
            sources = {key: value for key, value in node["inputs"].items() if isinstance(value, list)}
            given = {key: self._run(job, at, signatures, outputs)[slot] for key, (at, slot) in sources.items()}
            if self.interrupted or self.ended:
                raise Interrupted
            self._send(job, "executing", {"node": name, "display_node": name, "prompt_id": job["id"]})
            made = self._made(job, name, {**node["inputs"], **given}, signatures[name])
            self.cache[signatures[name]] = made
        if self.info[node["class_type"]]["output_node"]:
            outputs[name] = made[0]
            self._send(job, "executed", {"node": name, "output": made[0], "prompt_id": job["id"]})
        return made

    def _made(self, job: Json, name: str, inputs: Json, signature: str) -> tuple[Any, ...]:
        kind = job["graph"][name]["class_type"]
        self.log.append(f"execute {kind}")

        def progress(value: int, most: int) -> None:
            self._send(job, "progress", {"value": value, "max": most, "node": name, "prompt_id": job["id"]})

        def pause() -> None:
            with self.wake:
                if self.wake.wait_for(lambda: self.interrupted or self.ended, self.behaviour.step_seconds):
                    raise Interrupted

        try:
            self._go_wrong(job, kind)
            made = run(kind, inputs, Execution(self.folder, signature, progress, pause))
        except NodeError as exc:
            about = {"node_id": name, "node_type": kind, "exception_type": exc.kind, "exception_message": f"{exc}\n"}
            raise _Failed({**about, "traceback": [], "current_inputs": {}, "executed": []}) from exc
        if self.behaviour.lose_pictures and kind == "SaveImage":
            for picture in made[0]["images"]:
                (self.folder / "output" / picture["subfolder"] / picture["filename"]).unlink()
        return made

    def _go_wrong(self, job: Json, kind: str) -> None:
        """Do what the prompts of the job ask for at nodes of *kind*."""
        texts = {str(value) for node in job["graph"].values() for value in node["inputs"].values()}
        for found in (FAULT.search(text) for text in texts):
            if found is not None and found[2] == kind and found[0] not in self.happened:
                if found[3]:
                    self.happened.add(found[0])
                raise_fault(found[1])

    def _signature(self, graph: Json, name: str) -> str:
        """Return what decides the results of a node: its kind, its values, its files, and the nodes before it."""
        node = graph[name]
        inputs: Json = {}
        for key, value in node["inputs"].items():
            if isinstance(value, list):
                inputs[key] = [self._signature(graph, value[0]), value[1]]
            elif node["class_type"] == "LoadImage":
                inputs[key] = hashlib.sha256((self.folder / "input" / value).read_bytes()).hexdigest()
            else:
                inputs[key] = value
        content = json.dumps([node["class_type"], inputs], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def _send(self, job: Json, kind: str, about: Json) -> None:
        socket = self.sockets.get(job["client"])
        if socket is None or self.loop is None or self.ended:
            return
        time.sleep(self.behaviour.socket_seconds)
        with contextlib.suppress(Exception):
            asyncio.run_coroutine_threadsafe(socket.send_json({"type": kind, "data": about}), self.loop).result(5)
