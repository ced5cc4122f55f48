"""What the parent makes of what a child says and of how it ends; a real backend in one: test_session.py."""

from __future__ import annotations

import multiprocessing
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection

import pytest

from undercard.domain.progress import Stage
from undercard.errors import BackendError, DeviceFault, HostMemoryExhausted, OutOfMemory, UndercardError
from undercard.production.sessions import child as child_module
from undercard.production.sessions.child import Child
from undercard.production.sessions.worker import Failure, Picture, Ready

PICTURE = Picture((1, 1), b"rgb", 0.5, 0, 0, (), False)
Start = Callable[[str], tuple[Child, Connection]]
DYING = "import os, signal; os.kill(os.getpid(), signal.{})"


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Return what starts a process with a program of its own; the test says at the other end what a child would."""
    monkeypatch.setattr(child_module, "TICK_SECONDS", 0.01)
    started: list[tuple[Child, Connection]] = []

    def begin(program: str) -> tuple[Child, Connection]:
        ours, theirs = multiprocessing.Pipe()
        log = tempfile.TemporaryFile()  # noqa: SIM115  # the child closes it
        process = subprocess.Popen([sys.executable, "-S", "-c", program], stdin=subprocess.PIPE, stdout=log, stderr=log)
        started.append((Child(process, ours, log, lambda _stage: None), theirs))
        return started[-1]

    yield begin
    for child, theirs in started:
        theirs.close()
        child.end()
        assert child.process.stdin is not None
        child.process.stdin.close()


def test_an_answer_of_the_kind_that_is_waited_for_is_returned_and_stages_are_heard_on_the_way(start: Start) -> None:
    child, theirs = start("input()")
    heard: list[Stage] = []
    child.listen = heard.append
    for told in (Stage("open"), Ready(), Stage("denoise", 1, 4), PICTURE):
        theirs.send(told)

    assert child.wait(Ready, 10.0) == Ready()
    assert child.wait(Picture, 10.0) == PICTURE
    assert heard == [Stage("open"), Stage("denoise", 1, 4)]
    assert child.stage == Stage("denoise", 1, 4)


def test_a_failure_is_raised_with_the_most_that_was_held_and_the_process_goes_on(start: Start) -> None:
    child, theirs = start("input()")
    theirs.send(Failure(OutOfMemory("too large", stage="decode"), 9, 2**60))
    theirs.send(Failure(UndercardError("another"), 0, 5))

    with pytest.raises(OutOfMemory, match="too large") as caught:
        child.wait(Picture, 10.0)
    with pytest.raises(UndercardError, match="another"):
        child.wait(Picture, 10.0)

    assert (caught.value.stage, caught.value.peak_vram_bytes, child.peak_host_bytes) == ("decode", 9, 2**60)
    assert child.process.poll() is None


def ended(start: Start, program: str) -> BackendError:
    """Return what the end of a process that runs *program* means, after its second step of four."""
    child, theirs = start(program)
    theirs.send(Stage("denoise", 2, 4))
    theirs.close()
    with pytest.raises(BackendError) as caught:
        child.wait(Picture, 10.0)
    return caught.value


@pytest.mark.parametrize("name", ["SIGABRT", "SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE"])
def test_the_signals_that_drivers_end_a_process_with_are_faults_of_the_device(start: Start, name: str) -> None:
    error = ended(start, "print('loading'); print('illegal access', flush=True); print();" + DYING.format(name))

    assert type(error) is DeviceFault
    assert str(error) == f"the process crashed at denoise 2/4 with {name}: illegal access"


def test_a_process_that_the_system_killed_took_too_much_memory(start: Start) -> None:
    error = ended(start, DYING.format("SIGKILL"))

    assert type(error) is HostMemoryExhausted
    assert str(error).startswith("the process was killed at denoise 2/4, holding ")


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("raise SystemExit(3)", "with status 3"),
        ("raise SystemExit('no such file')", "with status 1: no such file"),
        (DYING.format("SIGTERM"), "with status -15"),
        # Of a long log the last line is told, and of a long line its end.
        ("import sys; print('9' * 5000 + 'end'); sys.exit(1)", f"with status 1: {'9' * 1996}end"),
    ],
)
def test_any_other_end_is_told_with_its_status_and_last_words(start: Start, program: str, words: str) -> None:
    error = ended(start, program)

    assert type(error) is BackendError
    assert str(error) == f"the process ended at denoise 2/4 {words}"


def test_a_silent_process_is_ended_and_one_that_tells_of_itself_is_waited_for(start: Start) -> None:
    child, theirs = start("input()")
    theirs.send(Stage("encode"))

    with pytest.raises(DeviceFault, match="no sign of life for 0 s at encode; the process was ended"):
        child.wait(Picture, 0.05)

    assert child.process.wait(10) == -signal.SIGKILL
    assert not child.serves


def test_a_child_that_was_closed_says_that_it_was_and_can_be_asked_for_nothing(start: Start) -> None:
    child, theirs = start("input()")
    child.opened = True
    assert child.serves
    theirs.close()
    # The answer shows that it is gone, not the question.
    child.ask(Ready())  # type: ignore[arg-type]  # anything that is sent
    child.ended = True

    with pytest.raises(BackendError, match=r"^the session was closed at open$"):
        child.wait(Picture, 10.0)

    assert not child.serves
