"""One job on a server that keeps to ComfyUI's protocol, and everything that can become of it."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.backends.comfy import rendering
from tests.backends.comfy.rendering import during, idle, kinds, opened, request, running
from tests.fakes.comfyui.server import FakeComfy
from undercard.domain import progress
from undercard.domain.progress import Stage
from undercard.errors import BackendError, DeviceFault, OutOfMemory


def test_stages_and_steps_are_told_as_the_server_goes_through_them(comfyui: FakeComfy) -> None:
    heard: list[Stage] = []
    with opened() as renderer, progress.listening(heard.append):
        renderer.render(request())

    told = list(dict.fromkeys(str(stage) for stage in heard))
    assert told == ["encode", "open", "denoise", "denoise 2/4", "denoise 3/4", "denoise 4/4", "decode"]


def test_the_websocket_is_open_before_the_graph_is_submitted(comfyui: FakeComfy) -> None:
    with opened() as renderer:
        renderer.render(request())

    assert comfyui.log.index("listen") < comfyui.log.index("prompt")


@pytest.mark.parametrize(
    ("behaviour", "value"),
    [("history_seconds", 0.4), ("early_history", True), ("socket_seconds", 0.03), ("deaf", True), ("rude", True)],
)
def test_the_history_decides_however_late_or_early_it_comes_and_whatever_the_websocket_says(
    comfyui: FakeComfy, behaviour: str, value: object
) -> None:
    setattr(comfyui.behaviour, behaviour, value)
    with opened() as renderer:
        rendered = renderer.render(request())

    assert rendered.image.size == rendering.SIZE
    assert kinds(comfyui).count("KSampler") == 1


@pytest.mark.parametrize(
    ("fault", "stage", "words"),
    [
        ("oom at KSampler", "denoise", r"ran out of memory at node sampler \(KSampler\): CUDA out of memory"),
        ("driver at VAEDecode", "decode", r"ran out of memory at node decoded \(VAEDecode\): CUDA error: out of mem"),
        ("oom at TextEncodeQwenImageEditPlus", "encode", "ran out of memory at node positive"),
        ("host at CLIPLoader", "open", "ran out of memory at node clip .*can't allocate memory"),
    ],
)
def test_memory_that_runs_out_is_told_with_the_stage_of_its_node(
    comfyui: FakeComfy, fault: str, stage: str, words: str
) -> None:
    with opened() as renderer, pytest.raises(OutOfMemory, match=words) as failure:
        renderer.render(request(f"fault: {fault}"))

    assert failure.value.stage == stage


def test_what_the_allocator_was_asked_for_is_kept(comfyui: FakeComfy) -> None:
    with opened() as renderer, pytest.raises(OutOfMemory) as failure:
        renderer.render(request("fault: oom at KSampler"))

    assert failure.value.wanted_bytes == round(2.5 * 2**30)


def test_a_card_that_fails_is_a_fault_of_the_device(comfyui: FakeComfy) -> None:
    with opened() as renderer, pytest.raises(DeviceFault, match=r"card failed at node sampler .*illegal memory access"):
        renderer.render(request("fault: card at KSampler"))


def test_any_other_error_of_a_node_is_told_with_the_node_and_the_next_request_is_rendered(comfyui: FakeComfy) -> None:
    with opened() as renderer:
        with pytest.raises(
            BackendError, match=r"failed at node norm \(CFGNorm\): .* no meaning \(ValueError\)"
        ) as failed:
            renderer.render(request("fault: value at CFGNorm"))
        rendered = renderer.render(request())

    assert type(failed.value) is BackendError
    assert rendered.image.size == rendering.SIZE


def test_a_websocket_that_breaks_is_opened_again_and_the_job_goes_on(comfyui: FakeComfy) -> None:
    comfyui.behaviour.step_seconds = 0.2
    with opened() as renderer, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(renderer.render, request())
        during(comfyui, "KSampler")
        (socket,) = comfyui.sockets.values()
        assert comfyui.loop is not None
        asyncio.run_coroutine_threadsafe(socket.close(), comfyui.loop).result(5)
        assert waiting.result(20).image.size == rendering.SIZE

    assert (comfyui.log.count("listen"), comfyui.log.count("prompt")) == (2, 1)


def test_a_job_that_somebody_interrupts_fails_and_says_so(comfyui: FakeComfy) -> None:
    comfyui.behaviour.step_seconds = 0.2
    with opened() as renderer, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(renderer.render, request())
        during(comfyui, "KSampler")
        httpx.post(f"{comfyui.url}/interrupt", json={"prompt_id": running(comfyui)})
        with pytest.raises(BackendError, match="somebody interrupted ComfyUI"):
            waiting.result(20)


def test_a_pending_job_that_somebody_takes_out_of_the_queue_is_missed(comfyui: FakeComfy) -> None:
    comfyui.behaviour.step_seconds = 0.4
    heard: list[Stage] = []

    def render(seed: int) -> object:
        with progress.listening(heard.append):
            return renderer.render(request(seed=seed))

    with opened() as renderer, ThreadPoolExecutor(2) as pool:
        first = pool.submit(render, 1)
        during(comfyui, "KSampler")
        second = pool.submit(render, 2)
        while Stage("wait") not in heard:
            threading.Event().wait(0.01)
        with comfyui.wake:
            (pending,) = comfyui.pending
        httpx.post(f"{comfyui.url}/queue", json={"delete": [pending["id"]]})

        with pytest.raises(BackendError, match="has the job no more: somebody took it out of its queue"):
            second.result(20)
        first.result(20)


def test_what_ends_the_wait_takes_the_job_from_the_server(comfyui: FakeComfy) -> None:
    comfyui.behaviour.step_seconds = 0.1

    def hear(stage: Stage) -> None:
        if stage.step == 2:
            raise KeyboardInterrupt

    with opened() as renderer:
        with progress.listening(hear), pytest.raises(KeyboardInterrupt):
            renderer.render(request())
        assert "interrupt" in comfyui.log
        # And others' jobs are left alone.
        assert renderer.render(request(seed=2)).image.size == rendering.SIZE
    assert idle(comfyui)


def test_several_threads_queue_their_jobs_and_each_gets_its_own_picture(comfyui: FakeComfy) -> None:
    comfyui.behaviour.step_seconds = 0.02
    asked = [request(seed=seed) for seed in (1, 2, 3)]
    with opened() as renderer:
        with ThreadPoolExecutor(3) as pool:
            together = [one.image.tobytes() for one in pool.map(renderer.render, asked)]
        alone = [renderer.render(one).image.tobytes() for one in asked]

    assert together == alone
    assert len(set(together)) == 3


def test_a_graph_that_the_server_refuses_is_told_with_every_node_and_not_tried_again(comfyui: FakeComfy) -> None:
    with opened() as renderer:
        # As after somebody took files from the server's folders.
        comfyui.info["VAELoader"]["input"]["required"]["vae_name"][0].remove("qwen_image_vae.safetensors")
        comfyui.info["CLIPLoader"]["input"]["required"]["clip_name"][0].remove("qwen_2.5_vl_7b_fp8_scaled.safetensors")
        with pytest.raises(BackendError, match="ComfyUI refuses the graph") as failure:
            renderer.render(request())

    assert "node vae (VAELoader): Value not in list (vae_name: 'qwen_image_vae.safetensors'" in str(failure.value)
    assert "node clip (CLIPLoader): Value not in list" in str(failure.value)
    assert kinds(comfyui, "refuse") == ["prompt_outputs_failed_validation"]
