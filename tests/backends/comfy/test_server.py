"""What is known of a server before it renders: quickly, for a moment, and through its restarts."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests import here
from tests.backends.comfy.rendering import DEVICE
from tests.fakes.comfyui.server import FakeComfy, listening, recorded, serving
from undercard import backends
from undercard.backends import Renderer, Work
from undercard.backends.comfy import server
from undercard.domain import progress
from undercard.domain.progress import Stage
from undercard.domain.unavailable import Cause
from undercard.errors import BackendUnavailable, DeviceFault

BACKEND = backends.backend("comfyui")


@pytest.fixture(autouse=True)
def _forgetful() -> None:
    server.memory.forget()


def reason() -> str:
    return str(BACKEND.unavailable(DEVICE, here.settings()))


def cause() -> Cause:
    found = BACKEND.unavailable(DEVICE, here.settings())
    assert found is not None
    return found.cause


def test_where_nothing_answers_the_reason_says_what_to_start_or_set() -> None:
    assert "no ComfyUI is at http://127.0.0.1:1 (nothing answers); start it, or set UNDERCARD_COMFYUI" in reason()
    assert cause() is Cause.UNREACHABLE_SERVER


def test_a_server_with_the_files_can_render(comfyui: FakeComfy) -> None:
    assert BACKEND.unavailable(DEVICE, here.settings()) is None


@contextlib.contextmanager
def silent() -> Iterator[str]:
    """Take connections and never answer, as a host does that swallows packets."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_host_that_never_answers_is_waited_for_once_and_not_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "LOOK_SECONDS", 0.3)
    with silent() as url:
        monkeypatch.setenv("UNDERCARD_COMFYUI", url)
        first = reason()
        asked: list[server.Wishes] = []
        monkeypatch.setattr(server, "_timely", asked.append)
        assert reason() == first
        assert asked == []

    assert f"no ComfyUI is at {url}" in first


def test_what_is_no_comfyui_is_told(comfyui: FakeComfy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERCARD_COMFYUI", f"{comfyui.url}/elsewhere")

    assert "status 404 (Not Found); is it a ComfyUI?" in reason()


def test_a_password_in_the_address_is_shown_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERCARD_COMFYUI", "http://me:secret@127.0.0.1:1")

    assert "secret" not in reason()
    assert "http://127.0.0.1:1" in reason()


def test_a_server_without_the_files_is_told_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = recorded()
    info["UnetLoaderGGUF"]["input"]["required"]["unet_name"][0][:] = ["flux1-dev-Q4_K_M.gguf"]
    info["UNETLoader"]["input"]["required"]["unet_name"][0][:] = []
    with serving(tmp_path, info=info) as fake:
        monkeypatch.setenv("UNDERCARD_COMFYUI", fake.url)

        assert "no Qwen-Image-Edit 2511 or 2509 (it has flux1-dev-Q4_K_M.gguf)" in reason()
        assert cause() is Cause.UNABLE_SERVER
        with pytest.raises(BackendUnavailable, match=r"flux1-dev-Q4_K_M\.gguf"):
            BACKEND.open(DEVICE, BACKEND.rungs(Work((64, 36)), DEVICE, here.settings())[0], here.settings())


def test_a_server_that_lacks_a_kind_of_node_is_to_be_updated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = recorded()
    del info["FluxKontextMultiReferenceLatentMethod"]
    with serving(tmp_path, info=info) as fake:
        monkeypatch.setenv("UNDERCARD_COMFYUI", fake.url)

        assert "no nodes of the kind FluxKontextMultiReferenceLatentMethod" in reason()
        assert "update it" in reason()


def test_a_workflow_is_checked_with_the_server_and_again_when_its_file_changes(
    comfyui: FakeComfy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"1": {"class_type": "Missing", "inputs": {"text": "{{prompt}} {{seed}} {{image1}}"}}}))
    monkeypatch.setenv("UNDERCARD_COMFYUI_WORKFLOW", str(path))
    assert "mine.json: node 1 (Missing): the server has no nodes of the kind Missing" in reason()

    path.write_text("{}")

    assert "no workflow in the API format" in reason()
    assert cause() is Cause.WRONG_FILE


def test_a_server_that_was_there_is_taken_to_be_on_its_way_back_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "FRESH_SECONDS", 0.0)
    with serving(tmp_path) as fake:
        monkeypatch.setenv("UNDERCARD_COMFYUI", fake.url)
        assert BACKEND.unavailable(DEVICE, here.settings()) is None
    label = BACKEND.rungs(Work((64, 36)), DEVICE, here.settings())[0].label

    assert BACKEND.unavailable(DEVICE, here.settings()) is None
    assert label == "comfyui · 2511 Q4_K_M"
    wanted = server.wishes(here.settings())
    seen = server.memory.good.popitem()
    assert wanted.wait_seconds == 120
    assert seen[1].way is not None
    assert "nothing answers" in reason()


def test_a_server_that_is_too_busy_to_answer_is_there_for_whoever_knows_it(
    comfyui: FakeComfy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "FRESH_SECONDS", 0.0)
    monkeypatch.setenv("UNDERCARD_COMFYUI_WAIT_SECONDS", "0")
    assert BACKEND.unavailable(DEVICE, here.settings()) is None
    monkeypatch.setattr(server, "LOOK_SECONDS", 0.2)
    monkeypatch.setattr(comfyui.behaviour, "answer_seconds", 0.5)

    assert BACKEND.unavailable(DEVICE, here.settings()) is None
    server.memory.forget()
    assert "(it is silent)" in reason()


def test_requests_keep_their_names_while_the_server_is_away_and_in_other_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert backends.renderer_name("comfyui", here.settings(), exact=False) == "comfyui 1"
    with serving(tmp_path) as fake:
        monkeypatch.setenv("UNDERCARD_COMFYUI", fake.url)
        name = backends.renderer_name("comfyui", here.settings(), exact=False)
    server.memory.forget()

    assert name.startswith("4 steps ")
    assert name.endswith(" · comfyui 1")
    assert backends.renderer_name("comfyui", here.settings(), exact=False) == name


def test_a_request_is_named_for_the_files_and_not_for_this_machines_model(
    comfyui: FakeComfy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = backends.renderer_name("comfyui", here.settings(), exact=False)
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    monkeypatch.setenv("UNDERCARD_MODEL", str(tmp_path))
    assert backends.renderer_name("comfyui", here.settings(), exact=False) == name

    monkeypatch.setenv("UNDERCARD_COMFYUI_UNET", "qwen-image-edit-2511-Q8_0.gguf")
    assert backends.renderer_name("comfyui", here.settings(), exact=False) != name


def test_a_workflow_names_requests_without_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mine.json"
    monkeypatch.setenv("UNDERCARD_COMFYUI_WORKFLOW", str(path))
    names = []
    for seed in (1, 2):
        path.write_text(json.dumps({"1": {"class_type": "KSampler", "inputs": {"seed": seed}}}))
        names.append(backends.renderer_name("comfyui", here.settings(), exact=False))

    assert len(set(names)) == 2
    assert all(name.startswith("4 steps ") for name in names)


def test_opening_waits_for_a_server_that_is_being_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("UNDERCARD_COMFYUI", f"http://127.0.0.1:{port}")
    rung = BACKEND.rungs(Work((64, 36)), DEVICE, here.settings())[0]
    monkeypatch.setenv("UNDERCARD_COMFYUI_WAIT_SECONDS", "0.2")
    with pytest.raises(DeviceFault, match=r"nothing answers.*waited for 0 s \(UNDERCARD_COMFYUI_WAIT_SECONDS\)"):
        BACKEND.open(DEVICE, rung, here.settings())

    monkeypatch.setenv("UNDERCARD_COMFYUI_WAIT_SECONDS", "30")
    heard: list[Stage] = []

    def open_it() -> AbstractContextManager[Renderer]:
        with progress.listening(heard.append):
            return BACKEND.open(DEVICE, rung, here.settings())

    fake = FakeComfy(tmp_path, recorded())
    with ThreadPoolExecutor(1) as pool:
        opening = pool.submit(open_it)
        while Stage("wait") not in heard:
            time.sleep(0.01)
        with listening(fake, port), opening.result(20):
            assert fake.port == port


def test_a_workflow_has_one_rung_and_the_own_graph_two(
    comfyui: FakeComfy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, sparing = BACKEND.rungs(Work((1024, 576)), DEVICE, here.settings())
    assert (usual.label, sparing.label) == ("comfyui · 2511 Q4_K_M", "comfyui · 2511 Q4_K_M, sparing")
    assert usual.served
    assert sparing.needs.vram_bytes < usual.needs.vram_bytes
    assert sparing.needs.seconds > usual.needs.seconds

    monkeypatch.setenv("UNDERCARD_COMFYUI_WORKFLOW", str(tmp_path / "mine.json"))
    assert len(BACKEND.rungs(Work((1024, 576)), DEVICE, here.settings())) == 1


def test_looking_takes_no_longer_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "LOOK_SECONDS", 0.2)
    monkeypatch.setattr(server, "_seen", lambda wanted: time.sleep(2))

    assert "it is silent" in reason()
