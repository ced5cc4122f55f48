"""A server in a process of its own that is really killed in the middle of a picture, and started again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.backends.comfy.rendering import SIZE, opened, request
from undercard.domain import progress
from undercard.domain.progress import Stage
from undercard.errors import DeviceFault


@dataclass
class Server:
    """The process, which can be killed and started again at the same place."""

    folder: Path
    port: int = 0
    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.fakes.comfyui.server", str(self.folder), str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    running = Server(tmp_path / "comfyui")
    running.start()
    monkeypatch.setenv("UNDERCARD_COMFYUI", f"http://127.0.0.1:{running.port}")
    yield running
    running.kill()


def at_each(stage: str, happens: Callable[[], None], times: int) -> Callable[[Stage], None]:
    left = [happens] * times

    def hear(told: Stage) -> None:
        if str(told) == stage and left:
            left.pop()()

    return hear


def test_a_keyframe_is_submitted_again_to_a_server_that_was_killed_and_started_again(server: Server) -> None:
    def restart() -> None:
        server.kill()
        server.start()

    with opened() as renderer:
        with progress.listening(at_each("denoise 3/4", restart, times=1)):
            rendered = renderer.render(request())
        # The server has it in its cache now, and the same pixels.
        assert renderer.render(request()).image.tobytes() == rendered.image.tobytes()

    assert rendered.image.size == SIZE


def test_a_server_that_ends_twice_in_the_middle_of_a_keyframe_gets_it_no_third_time(server: Server) -> None:
    def restart() -> None:
        server.kill()
        server.start()

    with (
        opened() as renderer,
        progress.listening(at_each("denoise 2/4", restart, times=2)),
        pytest.raises(DeviceFault, match="ended 2 times while it rendered this"),
    ):
        renderer.render(request())


def test_a_server_that_does_not_come_back_is_waited_for_no_longer_than_is_set(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERCARD_COMFYUI_WAIT_SECONDS", "0.5")
    with (
        opened() as renderer,
        progress.listening(at_each("denoise 2/4", server.kill, times=1)),
        pytest.raises(DeviceFault, match=r"does not answer: .*UNDERCARD_COMFYUI_WAIT_SECONDS"),
    ):
        renderer.render(request())
