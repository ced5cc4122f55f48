"""What becomes of a job whose process is killed: the server stops working for nobody."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from tests import here
from tests.backends.comfy.rendering import DEVICE, SIZE, during, opened, request, running
from tests.fakes.comfyui.server import FakeComfy
from undercard import backends
from undercard.backends import Work
from undercard.backends.comfy.client import Client
from undercard.backends.comfy.guard import Guard, main
from undercard.errors import BackendError, DeviceFault
from undercard.production.sessions.session import Session


def until(holds: Callable[[], bool], within_seconds: float = 20.0) -> None:
    deadline = time.monotonic() + within_seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def session(hang_seconds: float = 60.0) -> Session:
    return Session(
        backends.backend("comfyui").rungs(Work(SIZE), DEVICE, here.settings())[0],
        DEVICE,
        here.settings().model_copy(update={"hang_seconds": hang_seconds}),
        look=lambda: DEVICE,
    )


def test_a_job_whose_process_is_killed_is_interrupted(comfyui: FakeComfy) -> None:
    comfyui.behaviour.step_seconds = 0.5
    with session() as child:
        failures: list[BackendError] = []

        def render() -> None:
            try:
                child.render(request())
            except BackendError as exc:
                failures.append(exc)

        waiting = threading.Thread(target=render)
        waiting.start()
        until(lambda: "execute KSampler" in comfyui.log)
        child.close()
        waiting.join(20)

    until(lambda: "interrupt" in comfyui.log)
    assert [str(failure).split(" at ")[0] for failure in failures] == ["the session was closed"]


def test_pictures_and_errors_pass_through_a_process_of_their_own(comfyui: FakeComfy) -> None:
    with session() as child:
        rendered = child.render(request())
        for prompt, message in (
            ("fault: value at KSampler", "no meaning"),
            ("fault: oom at KSampler", "out of memory"),
        ):
            with pytest.raises(BackendError, match=message) as failure:
                child.render(request(prompt))
            assert failure.value.stage == "denoise"

    assert rendered.image.size == SIZE
    assert "interrupt" not in comfyui.log


def test_a_job_that_stands_still_is_ended_with_its_process(comfyui: FakeComfy) -> None:
    with session() as child:
        child.render(request())
        child.settings = child.settings.model_copy(update={"hang_seconds": 2.0})
        comfyui.behaviour.step_seconds = 60.0
        with pytest.raises(DeviceFault, match="no sign of life for 2 s at denoise"):
            child.render(request(seed=2))
        until(lambda: "interrupt" in comfyui.log)


def test_jobs_that_ended_are_left_alone_and_the_others_cancelled(comfyui: FakeComfy) -> None:
    comfyui.behaviour.step_seconds = 10.0
    with opened() as renderer, ThreadPoolExecutor(1) as pool:
        rendering = pool.submit(renderer.render, request())
        during(comfyui, "KSampler")
        first = running(comfyui)
        with comfyui.wake:
            comfyui.pending.append({"id": "second", "graph": {}, "client": None, "outputs": []})
        asked = len(comfyui.log)

        main(io.StringIO(f"{comfyui.url}\nbegin {first}\nbegin second\nend {first}\n"))

        assert comfyui.log[asked:] == ["delete"]
        assert comfyui.pending == []
        assert running(comfyui) == first
        main(io.StringIO(f"{comfyui.url}\nbegin {first}\n"))
        with pytest.raises(BackendError, match="interrupted"):
            rendering.result(20)


def test_a_server_that_is_gone_keeps_the_guard_from_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    cancel = Client.cancel

    def ask(client: Client, job: str) -> None:
        asked.append(job)
        cancel(client, job)

    monkeypatch.setattr(Client, "cancel", ask)

    main(io.StringIO("http://127.0.0.1:1\nbegin a\nbegin b\n"))

    assert asked == ["a", "b"]


def test_the_guard_shows_no_password_to_who_lists_processes_and_ends_with_its_owner() -> None:
    guard = Guard("http://me:secret@127.0.0.1:1")
    with guard.watching("a"):
        assert guard.process is not None
        process = psutil.Process(guard.process.pid)
        assert "secret" not in " ".join(process.cmdline())
    guard.close()

    assert not process.is_running()


def test_a_guard_that_was_killed_is_followed_by_another() -> None:
    guard = Guard("http://127.0.0.1:1")
    pids = []
    for job in ("a", "b"):
        with guard.watching(job):
            assert guard.process is not None
            pids.append(guard.process.pid)
            guard.process.kill()
            guard.process.wait()
    guard.close()

    assert len(set(pids)) == 2
