"""A ComfyUI on loopback that keeps to the real one's protocol, with node schemas that were recorded from real ones.

It validates, queues, executes, caches, reports and forgets as that does; only its models are names, and its pictures
the first reference with grain that everything decides which decides a picture. `fault: KIND at NODE [once]` in a
prompt goes wrong there (see fake_nodes.py); what goes wrong around the nodes is set on `Behaviour`.

    python -m tests.fakes.comfyui.server FOLDER PORT     # as a process of its own, to be killed
"""

from __future__ import annotations

import asyncio
import contextlib
import email.parser
import email.policy
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.fakes.comfyui.execution import Behaviour, Executor
from tests.fakes.comfyui.validation import Json, validated
from tests.paths import DATA

ANSWERS = DATA / "comfyui"
FILES = {
    ("UnetLoaderGGUF", "unet_name"): ["qwen-image-edit-2511-Q4_K_M.gguf", "qwen-image-edit-2511-Q8_0.gguf"],
    ("UNETLoader", "unet_name"): ["qwen_image_edit_2509_fp8_e4m3fn.safetensors"],
    ("CLIPLoader", "clip_name"): ["qwen_2.5_vl_7b_fp8_scaled.safetensors", "t5xxl_fp16.safetensors"],
    ("VAELoader", "vae_name"): ["ae.safetensors", "qwen_image_vae.safetensors"],
    ("LoraLoaderModelOnly", "lora_name"): [
        "Qwen-Image-Edit-2509-Lightning-4steps-V1.0-bf16.safetensors",
        "Qwen-Image-Edit-2511-Lightning-4steps-V1.0-bf16.safetensors",
        "Qwen-Image-Edit-2511-Lightning-8steps-V1.0-bf16.safetensors",
    ],
}
"""What the published files are called, in place of the tiny ones that the schemas were recorded with."""
VERSION = "0.33.0"


@dataclass
class FakeComfy(Executor):
    """One server; `serving` runs it."""

    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/object_info", self.object_info),
                Route("/object_info/{kind}", self.object_info),
                Route("/upload/image", self.upload, methods=["POST"]),
                Route("/prompt", self.prompt, methods=["POST"]),
                Route("/history/{job}", self.get_history),
                Route("/queue", self.queue, methods=["GET", "POST"]),
                Route("/interrupt", self.interrupt, methods=["POST"]),
                Route("/free", self.free, methods=["POST"]),
                Route("/view", self.view),
                Route("/system_stats", self.system_stats),
                WebSocketRoute("/ws", self.socket),
            ]
        )

    def begin_anew(self, folder: Path) -> None:
        """Forget everything, once what is being executed is interrupted."""
        with self.wake:
            self.pending, self.interrupted = [], True
            self.wake.notify_all()
            self.wake.wait_for(lambda: self.running is None)
        self.folder, self.info, self.behaviour = folder, recorded(), Behaviour()
        for known in (self.history, self.cache, self.log, self.happened):
            known.clear()

    # ---- what it is asked

    async def object_info(self, request: Request) -> Response:
        await asyncio.sleep(self.behaviour.answer_seconds)
        kind = request.path_params.get("kind")
        return JSONResponse({name: told for name, told in self.info.items() if kind in (None, name)})

    async def upload(self, request: Request) -> Response:
        fields = _fields(request.headers["content-type"], await request.body())
        name, content = fields["image"]
        subfolder = fields["subfolder"][1].decode()
        folder = self.folder / "input" / subfolder
        folder.mkdir(parents=True, exist_ok=True)
        stem, number = Path(name), 1
        while (folder / name).exists() and (folder / name).read_bytes() != content:
            name = f"{stem.stem} ({number}){stem.suffix}"
            number += 1
        (folder / name).write_bytes(content)
        self.log.append(f"upload {subfolder}/{name}")
        return JSONResponse({"name": name, "subfolder": subfolder, "type": "input"})

    async def prompt(self, request: Request) -> Response:
        body = await request.json()
        error, outputs, node_errors = validated(body["prompt"], self.info, self._has_upload)
        if error is not None:
            self.log.append(f"refuse {error['type']}")
            return JSONResponse({"error": error, "node_errors": node_errors}, 400)
        job = {"id": body["prompt_id"], "graph": body["prompt"], "client": body.get("client_id"), "outputs": outputs}
        with self.wake:
            self.pending.append(job)
            self.log.append("prompt")
            self.wake.notify_all()
        return JSONResponse({"prompt_id": job["id"], "number": len(self.log), "node_errors": node_errors})

    async def get_history(self, request: Request) -> Response:
        job = request.path_params["job"]
        return JSONResponse({job: self.history[job]} if job in self.history else {})

    async def queue(self, request: Request) -> Response:
        if request.method == "POST":
            gone = (await request.json())["delete"]
            with self.wake:
                self.pending = [job for job in self.pending if job["id"] not in gone]
            self.log.append("delete")
            return Response()
        with self.wake:
            running = [self.running] if self.running else []
            return JSONResponse({"queue_running": _listed(running), "queue_pending": _listed(self.pending)})

    async def interrupt(self, request: Request) -> Response:
        body = json.loads(await request.body() or b"{}")
        with self.wake:
            if self.running and body.get("prompt_id") in (None, self.running["id"]):
                self.interrupted = True
                self.wake.notify_all()
        self.log.append("interrupt")
        return Response()

    async def free(self, request: Request) -> Response:
        self.log.append("free")
        return Response()

    async def system_stats(self, _request: Request) -> Response:
        return JSONResponse({"system": {"comfyui_version": VERSION}, "devices": []})

    async def view(self, request: Request) -> Response:
        where = request.query_params
        path = self.folder / where["type"] / where["subfolder"] / where["filename"]
        return FileResponse(path) if path.is_file() else Response(status_code=404)

    async def socket(self, socket: WebSocket) -> None:
        if self.behaviour.deaf:
            await socket.close()
            return
        await socket.accept()
        if self.behaviour.rude:
            await socket.close()
            return
        listener = socket.query_params["clientId"]
        self.sockets[listener] = socket
        self.log.append("listen")
        await socket.send_json({"type": "status", "data": {"status": {"exec_info": {}}, "sid": listener}})
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                await socket.receive_text()
        self.sockets.pop(listener, None)

    def _has_upload(self, name: str) -> bool:
        return (self.folder / "input" / name).is_file()


def _listed(jobs: list[Json]) -> list[list[Any]]:
    return [[number, job["id"], job["graph"], {}, job["outputs"]] for number, job in enumerate(jobs)]


def _fields(content_type: str, body: bytes) -> dict[str, tuple[str, bytes]]:
    """Read a form of several parts: by name, each one's file name and content."""
    head = f"content-type: {content_type}\r\n\r\n".encode()
    parts = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
    found = {}
    for part in parts.iter_parts():
        name = part.get_param("name", header="content-disposition")
        found[str(name)] = (part.get_filename() or "", part.get_payload(decode=True))
    return found  # type: ignore[return-value]  # a part that is no multipart decodes to bytes


def recorded() -> Json:
    """Return the recorded schemas with the published files' names."""
    info: Json = {}
    for file in sorted(ANSWERS.glob("object_info*.json")):
        info |= json.loads(file.read_text())
    for (kind, key), names in FILES.items():
        info[kind]["input"]["required"][key][0] = list(names)
    return info


@contextmanager
def serving(folder: Path, port: int = 0, *, info: Json | None = None) -> Iterator[FakeComfy]:
    """Run a server in threads of this process, on 127.0.0.1 and *port*, or one that is free."""
    fake = FakeComfy(folder, recorded() if info is None else info)
    with listening(fake, port):
        yield fake


@contextmanager
def listening(fake: FakeComfy, port: int = 0) -> Iterator[None]:
    """Let *fake* answer; at the end it hangs up at once, as a process does that ends."""
    # With its protocol named, asyncio sets TCP_NODELAY on it; without, each answer waits 40 ms for the one before.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    fake.port = listener.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(fake.app(), log_level="critical", lifespan="off"))

    async def serve() -> None:
        fake.loop = asyncio.get_running_loop()
        await server.serve(sockets=[listener])

    threads = [threading.Thread(target=lambda: asyncio.run(serve())), threading.Thread(target=fake.work)]
    for thread in threads:
        thread.start()
    while not server.started:
        time.sleep(0.005)
    try:
        yield
    finally:
        with fake.wake:
            fake.ended = True
            fake.wake.notify_all()
        server.should_exit = server.force_exit = True
        for thread in threads:
            thread.join()
        listener.close()


if __name__ == "__main__":
    with serving(Path(sys.argv[1]), int(sys.argv[2])) as alone:
        alone.behaviour.step_seconds = 0.3
        print(alone.port, flush=True)  # noqa: T201  # whoever started it waits for this line
        threading.Event().wait()
