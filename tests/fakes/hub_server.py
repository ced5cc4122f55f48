"""A small hub on loopback that speaks the real one's protocol, and fails when it is told to.

As the real one, it keeps large files elsewhere: `resolve` answers with a redirect to another origin, where the bytes
are served by ranges. tests/models/test_hub_server.py holds it to huggingface_hub's own downloader.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

OUTSIDE_GIT = (".safetensors", ".gguf")
PIECE_BYTES = 4096


@dataclass
class Repository:
    """Files at one commit."""

    files: dict[str, bytes]
    commit: str = "c0ffee0000000000000000000000000000000001"
    gated: bool = False


@dataclass
class Fault:
    """Something that goes wrong with the files whose path ends so, a number of times."""

    ending: str
    kind: str
    """`status`, `cut`, `flip`, `whole` (ranges are ignored), `short`, `long` or `slow`."""
    times: int = 1
    status: int = 500
    after: int = 0
    """Bytes before the connection is cut."""
    pause: float = 0.0
    """Seconds before each piece."""


@dataclass
class Asked:
    """A request, as it came."""

    method: str
    path: str
    headers: Mapping[str, str]


@dataclass
class Published:
    """What the hub holds, what goes wrong with it, and what it was asked."""

    repositories: dict[str, Repository] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    url: str = ""
    storage: str = ""

    def fault(self, path: str, *kinds: str) -> Fault | None:
        """Return the fault of one of *kinds* that befalls *path* now, and count it."""
        with self.lock:
            for fault in self.faults:
                if fault.kind in kinds and fault.times > 0 and path.endswith(fault.ending):
                    fault.times -= 1
                    return fault
        return None

    def paths(self, method: str = "GET") -> list[str]:
        """Return the paths that were asked for."""
        return [asked.path for asked in self.asked if asked.method == method]

    def content(self, digest: str) -> tuple[str, bytes]:
        """Return path and bytes of the file with that SHA-256."""
        for repository in self.repositories.values():
            for path, content in repository.files.items():
                if sha256(content) == digest:
                    return path, content
        raise KeyError(digest)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def is_large(path: str) -> bool:
    return path.endswith(OUTSIDE_GIT)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    published: Published

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        pass

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def note(self) -> str:
        path = unquote(self.path)
        with self.published.lock:
            self.published.asked.append(Asked(self.command, path, dict(self.headers)))
        return urlsplit(path).path

    def answer(self) -> None:
        raise NotImplementedError

    def reply(self, status: int, content: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def refuse(self, status: int, code: str, message: str) -> None:
        self.reply(status, b"", {"X-Error-Code": code, "X-Error-Message": message})


class _Hub(_Handler):
    def answer(self) -> None:
        path = self.note()
        fault = self.published.fault(path, "status") if "/resolve/" not in path or self.command == "GET" else None
        if fault is not None:
            self.refuse(fault.status, "", "Internal Error - We're working hard to fix this as soon as possible!")
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/revision/([^/]+)", path):
            self.info(found[1], found[2])
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self.resolve(found[1], found[2], found[3])
        else:
            self.refuse(404, "", f"no such page: {path}")

    def at(self, name: str, revision: str) -> Repository | None:
        repository = self.published.repositories.get(name)
        if repository is None:
            # As the real one, which does not tell strangers what is private and what is not there.
            self.refuse(401, "RepoNotFound", "Invalid username or password.")
        elif revision not in {"main", repository.commit}:
            self.refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
            return None
        return repository

    def info(self, name: str, revision: str) -> None:
        repository = self.at(name, revision)
        if repository is None:
            return
        siblings = []
        for path, content in repository.files.items():
            described: dict[str, object] = {"rfilename": path, "size": len(content), "blobId": blob(content)}
            if is_large(path):
                described["lfs"] = {"sha256": sha256(content), "size": len(content), "pointerSize": 135}
            siblings.append(described)
        about = {"id": name, "sha": repository.commit, "private": False, "gated": False, "siblings": siblings}
        self.reply(200, json.dumps(about).encode(), {"Content-Type": "application/json"})

    def resolve(self, name: str, revision: str, path: str) -> None:
        repository = self.at(name, revision)
        if repository is None:
            return
        content = repository.files.get(path)
        if repository.gated:
            self.refuse(403, "GatedRepo", f"Access to model {name} is restricted.")
        elif content is None:
            self.refuse(404, "EntryNotFound", "Entry not found")
        elif is_large(path):
            location = f"{self.published.storage}/{sha256(content)}?signature=secret"
            headers = {
                "X-Repo-Commit": repository.commit,
                "X-Linked-Size": str(len(content)),
                "X-Linked-ETag": f'"{sha256(content)}"',
                # Offered to every client; ours does not take it up.
                "X-Xet-Hash": sha256(content),
                "Link": f'<{self.published.url}/api/models/{name}/xet-read-token/{repository.commit}>; rel="xet-auth"',
                "Location": location,
            }
            self.reply(302, b"", headers)
        else:
            self.reply(200, content, {"X-Repo-Commit": repository.commit, "ETag": f'"{blob(content)}"'})


class _Storage(_Handler):
    def answer(self) -> None:
        digest = self.note().removeprefix("/")
        path, content = self.published.content(digest)
        if (fault := self.published.fault(path, "flip", "long", "short")) is not None:
            changed = bytearray(content)
            changed[-1] ^= 1
            content = {"flip": bytes(changed), "long": content + b"more", "short": content[:-7]}[fault.kind]
        start, status, headers = 0, 200, {"ETag": f'"{digest}"', "Accept-Ranges": "bytes"}
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked and self.published.fault(path, "whole") is None:
            start, status = int(asked[1]), 206
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content) - start)}.items():
            self.send_header(name, value)
        self.end_headers()
        cut, slow = self.published.fault(path, "cut"), self.published.fault(path, "slow")
        for offset in range(start, len(content), PIECE_BYTES):
            end = min(offset + PIECE_BYTES, len(content))
            if cut is not None and end - start > cut.after:
                self.wfile.write(content[offset : start + cut.after])
                self.wfile.flush()
                self.close_connection = True
                return
            if slow is not None:
                time.sleep(slow.pause)
            try:
                self.wfile.write(content[offset:end])
                self.wfile.flush()
            except (BrokenPipeError, ConnectionResetError):
                # The client went away in the middle, as a killed one does.
                self.close_connection = True
                return


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # The default of 5 makes a client that opens several connections at once wait a second.
    request_queue_size = 64


@contextmanager
def serving(published: Published) -> Iterator[Published]:
    """Serve *published* on two ports of loopback: the hub's own, and that of its storage."""
    servers = []
    for kind in (_Hub, _Storage):
        handler = type("Handler", (kind,), {"published": published})
        server = _Server(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
    published.url, published.storage = (f"http://127.0.0.1:{server.server_address[1]}" for server in servers)
    try:
        yield published
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
