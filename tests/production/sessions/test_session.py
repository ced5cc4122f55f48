"""A backend in a child process, for real: killed, crashed, hung, out of memory, and left alone by its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from PIL import Image

from tests import here
from tests.fakes.hungry_backends.hungry import BACKEND
from tests.fakes.paper_card import GB, FakeCard
from tests.fakes.stagings import staging
from tests.paths import FAKES
from undercard import backends, settings
from undercard.backends import Work
from undercard.domain.progress import Stage
from undercard.domain.requests import RenderRequest
from undercard.errors import (
    BackendError,
    DeviceBusy,
    DeviceFault,
    HostMemoryExhausted,
    OutOfMemory,
)
from undercard.production.sessions.session import Session, alone_on

SIZE = (32, 18)
FOLDER = FAKES / "hungry_backends"


@pytest.fixture(autouse=True)
def hungry_backends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "__path__", [*backends.__path__, str(FOLDER)])
    monkeypatch.setenv("PYTHONPATH", str(FOLDER.parent.parent))


@pytest.fixture
def card(store: Path) -> FakeCard:
    return FakeCard(store)


def session_on(card: FakeCard, rung: int = 0, *, hang_seconds: float = 60.0) -> Session:
    device = card.look()
    rungs = BACKEND.rungs(Work(SIZE), device, here.settings())
    settings = here.settings().model_copy(update={"hang_seconds": hang_seconds})
    return Session(rungs[rung], alone_on(device, device.gpus[0]), settings, look=card.look)


@pytest.fixture
def session(card: FakeCard) -> Iterator[Session]:
    with session_on(card) as opened:
        yield opened


def request(prompt: str = "two boxers") -> RenderRequest:
    with here.store().scratch(".png") as path:
        Image.linear_gradient("L").resize(SIZE).convert("RGB").save(path)
        control = here.store().put_file(path).sha256
    return RenderRequest(prompt, "", 3, SIZE, staging(), "", control=control, references=(control,))


def gone(pid: int, within_seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


def child_of(session: Session) -> int:
    assert session.child is not None
    return session.child.process.pid


def test_a_picture_comes_from_another_process_that_sees_one_card_only(session: Session, card: FakeCard) -> None:
    rendered = session.render(request())

    assert (rendered.image.mode, rendered.image.size) == ("RGB", SIZE)
    assert rendered.peak_host_bytes > 1_000_000
    assert card.events[0] == "open hungry · all resident on GPU-paper-0"


def test_the_backend_is_opened_once_for_many_pictures_and_told_what_is_to_come(
    session: Session, card: FakeCard
) -> None:
    asked = [request(f"round {number}") for number in range(3)]
    session.encode(asked)
    for one in asked:
        session.render(one)

    assert [event.split()[0] for event in card.events] == ["open", "encode", "denoised", "denoised", "denoised"]


def test_stages_are_heard_while_a_picture_is_made(card: FakeCard) -> None:
    heard: list[Stage] = []
    with session_on(card) as session:
        session.listen = heard.append
        session.render(request())

    assert "denoise 2/4" in [str(stage) for stage in heard]


def test_an_error_of_undercard_arrives_as_itself_with_the_stage_it_ended_at(session: Session) -> None:
    with pytest.raises(OutOfMemory, match="CUDA out of memory in decode") as failure:
        session.render(request("fault: decode"))

    assert failure.value.stage == "decode"
    assert failure.value.wanted_bytes == GB
    assert failure.value.peak_host_bytes > 1_000_000


def test_after_an_out_of_memory_the_process_is_gone_and_the_next_picture_has_a_new_one(session: Session) -> None:
    session.render(request())
    before = child_of(session)
    with pytest.raises(OutOfMemory):
        session.render(request("fault: denoise"))
    assert gone(before)

    session.render(request("a quiet round"))

    assert child_of(session) != before


def test_an_error_of_a_library_is_told_by_type_and_message_and_the_process_goes_on(session: Session) -> None:
    session.render(request())
    before = child_of(session)

    with pytest.raises(BackendError, match="ZeroDivisionError: the prompt has no words"):
        session.render(request("fault: crash"))

    session.render(request("a quiet round"))
    assert child_of(session) == before


def test_a_process_that_is_killed_is_told_with_what_it_held_and_what_was_free(session: Session) -> None:
    with pytest.raises(HostMemoryExhausted, match=r"killed at denoise 2/4, holding .* GB .* were free") as failure:
        session.render(request("fault: kill"))

    assert failure.value.stage == "denoise"


def test_a_process_that_crashes_is_a_fault_of_the_device_with_its_last_words(session: Session) -> None:
    with pytest.raises(DeviceFault, match=r"crashed at denoise 2/4 with SIGABRT: .*illegal memory access"):
        session.render(request("fault: abort"))


def test_a_process_that_shows_no_sign_of_life_is_ended(card: FakeCard) -> None:
    with session_on(card, hang_seconds=4.0) as session:
        session.render(request())
        child = child_of(session)
        session.settings = session.settings.model_copy(update={"hang_seconds": 1.0})
        with pytest.raises(DeviceFault, match="no sign of life for 1 s at denoise 2/4"):
            session.render(request("fault: hang"))
        assert gone(child)


def test_an_out_of_memory_is_the_fault_of_who_took_the_memory(session: Session, card: FakeCard) -> None:
    session.render(request())
    card.fill(tenant=12.0)

    with pytest.raises(DeviceBusy, match=r"other processes hold 12\.0 GB of the card, and 18\.5 GB were needed"):
        session.render(request("a quiet round"))


def test_a_servers_out_of_memory_is_blamed_on_nobody_who_uses_this_machines_card(
    session: Session, card: FakeCard
) -> None:
    session.rung = replace(session.rung, served=True)
    session.render(request())
    card.fill(tenant=12.0)

    with pytest.raises(OutOfMemory) as failure:
        session.render(request("a quiet round"))

    assert failure.value.peak_vram_bytes == 0


def test_a_backend_that_is_not_there_is_told_before_anything_is_rendered(card: FakeCard) -> None:
    with session_on(card) as session:
        session.rung = replace(session.rung, backend="nothing")
        with pytest.raises(BackendError, match="'nothing' does not exist"):
            session.render(request())


def test_closing_a_session_ends_the_picture_that_another_thread_waits_for(card: FakeCard) -> None:
    session = session_on(card)
    failures: list[BaseException] = []

    def wait() -> None:
        try:
            session.render(request("fault: hang"))
        except BackendError as exc:
            failures.append(exc)

    waiting = threading.Thread(target=wait)
    waiting.start()
    deadline = time.monotonic() + 20
    while not any(event.startswith("open") for event in card.events):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    child = child_of(session)
    session.close()
    waiting.join(10)

    assert [str(failure).split(" at ")[0] for failure in failures] == ["the session was closed"]
    assert gone(child)


PARENT = """
import sys
from pathlib import Path
from tests.production.sessions import test_session
from tests.fakes.paper_card import FakeCard
from undercard import backends, settings
backends.__path__.append(str(test_session.FOLDER))
card = FakeCard(settings.load().store_root)
with test_session.session_on(card) as session:
    session.render(test_session.request())
    print(test_session.child_of(session), flush=True)
    session.render(test_session.request("fault: hang"))
"""


def test_when_the_parent_is_killed_its_child_ends_in_the_middle_of_a_picture(tmp_path: Path) -> None:
    environment = settings.child_environment({"UNDERCARD_STORE": str(tmp_path / "orphan")})
    parent = subprocess.Popen([sys.executable, "-c", PARENT], env=environment, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert psutil.pid_exists(child)

    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()

    assert gone(child)
