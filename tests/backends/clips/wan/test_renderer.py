"""Clips from a server that keeps to ComfyUI's protocol: sizes, caches, faults, interruptions, the user's workflow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests import here
from tests.backends.clips.wan import wan
from tests.backends.clips.wan.wan import opened, pixels, request
from tests.backends.comfy.rendering import idle, kinds
from tests.fakes.comfyui.server import FakeComfy
from undercard.backends.clips import clip_backend, renderer_name
from undercard.backends.clips.wan.renderer import on_canvas, within
from undercard.backends.comfy import server
from undercard.backends.comfy.client import Client
from undercard.domain import progress
from undercard.domain.canvas import canvas
from undercard.errors import BackendError, BackendUnavailable, DeviceFault, MissingObject, OutOfMemory


@pytest.fixture(autouse=True)
def _wan(comfyui: FakeComfy) -> None:
    wan.give(comfyui.info)


@pytest.mark.parametrize("size", [(64, 36), (100, 60), (38, 66)])
def test_a_clip_passes_from_its_first_picture_to_its_last_at_the_size_of_the_film(
    comfyui: FakeComfy, size: tuple[int, int]
) -> None:
    with opened() as renderer:
        made = renderer.render(request(size=size))

    shown = [pixels(frame) for frame in made.frames]
    assert [frame.shape for frame in shown] == [(size[1], size[0], 3)] * 9
    assert [int(np.median(frame)) for frame in shown] == [40, 60, 80, 100, 120, 140, 160, 180, 200]
    assert made.detail == "Wan 2.2 FP8"
    assert made.notes == ()


def test_a_large_film_gets_a_smaller_clip_enlarged_of_the_same_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERCARD_CLIP_PIXELS", str(256 * 256))
    shown = within((1920, 1080), 256 * 256)

    assert shown == (341, 192)
    assert canvas(shown) == (352, 192)
    ramp = Image.linear_gradient("L").rotate(90).resize((1920, 1080)).convert("RGB")
    laid = np.asarray(on_canvas(ramp, shown))
    assert laid.shape == (192, 352, 3)
    # The picture is whole, and its edge goes on into the margin.
    assert laid[90, 5].tolist() == laid[90, 0].tolist()
    with opened() as renderer:
        made = renderer.render(request(size=(640, 360), frames=5))
    assert [pixels(frame).shape for frame in made.frames] == [(360, 640, 3)] * 5


def test_the_same_clip_again_comes_from_the_servers_cache_and_teaches_no_time(comfyui: FakeComfy) -> None:
    with opened() as renderer:
        first = renderer.render(request())
        before = kinds(comfyui)
        again = renderer.render(request())

    assert kinds(comfyui) == before
    assert again.frames == first.frames
    assert (again.seconds, again.notes) == (0.0, ("the server had made it before",))


def test_frames_that_somebody_removed_are_saved_again(comfyui: FakeComfy) -> None:
    with opened() as renderer:
        first = renderer.render(request())
        for saved in list((comfyui.folder / "output" / "undercard").iterdir())[:2]:
            saved.unlink()
        again = renderer.render(request())

    assert again.frames == first.frames
    assert kinds(comfyui).count("KSamplerAdvanced") == 2


@pytest.mark.parametrize(
    ("fault", "cause", "stage"),
    [
        ("oom at KSamplerAdvanced", OutOfMemory, "denoise"),
        ("driver at VAEDecode", OutOfMemory, "decode"),
        ("card at KSamplerAdvanced", DeviceFault, "denoise"),
        ("value at WanFirstLastFrameToVideo", BackendError, ""),
    ],
)
def test_what_goes_wrong_at_the_server_has_its_cause(fault: str, cause: type[BackendError], stage: str) -> None:
    with opened() as renderer, pytest.raises(cause) as failure:
        renderer.render(request(f"a jab fault: {fault}"))

    assert type(failure.value) is cause
    assert failure.value.stage == stage


def test_sparingly_the_server_frees_its_memory_and_decodes_in_tiles(comfyui: FakeComfy) -> None:
    with opened() as renderer:
        made = renderer.render(request(), sparing=True)

    assert "free" in comfyui.log
    assert "VAEDecodeTiled" in kinds(comfyui)
    assert made.notes == ("text encoded on the processor, decoded in tiles",)


def test_it_tells_how_far_it_is(comfyui: FakeComfy) -> None:
    comfyui.behaviour.step_seconds = 0.01
    heard: list[str] = []
    with opened() as renderer, progress.listening(lambda stage: heard.append(str(stage))):
        renderer.render(request())

    assert {"denoise 2/10", "denoise 10/10", "decode"} <= set(heard)


def test_who_interrupts_the_wait_takes_the_job_from_the_server(comfyui: FakeComfy) -> None:
    comfyui.behaviour.step_seconds = 30.0

    def interrupt(stage: progress.Stage) -> None:
        if stage.name == "denoise":
            raise KeyboardInterrupt

    with opened() as renderer, pytest.raises(KeyboardInterrupt), progress.listening(interrupt):
        renderer.render(request())

    assert "interrupt" in comfyui.log
    assert idle(comfyui)


def test_a_server_that_stands_still_is_given_up_and_rid_of_the_job(
    comfyui: FakeComfy, monkeypatch: pytest.MonkeyPatch
) -> None:
    comfyui.behaviour.step_seconds = 60.0
    monkeypatch.setenv("UNDERCARD_HANG_SECONDS", "1")

    with opened() as renderer, pytest.raises(DeviceFault, match="no sign of life for 1 s"):
        renderer.render(request())

    assert "interrupt" in comfyui.log


def test_what_the_server_lacks_is_told_before_anything_is_queued(comfyui: FakeComfy) -> None:
    del comfyui.info["WanFirstLastFrameToVideo"]

    assert "no nodes of the kind WanFirstLastFrameToVideo" in str(clip_backend("comfyui").unavailable(here.settings()))
    with pytest.raises(BackendUnavailable, match=r"cannot make clips with Wan 2\.2 FP8"), opened():
        pass
    assert "prompt" not in comfyui.log


def test_the_recipe_names_the_files_and_stays_while_the_server_is_away(
    comfyui: FakeComfy, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = renderer_name("comfyui", here.settings())
    assert before.endswith(" · comfyui 1")
    with monkeypatch.context() as patch:
        patch.setattr(Client, "schemas", wan.gone)
        server.memory.forget()
        assert renderer_name("comfyui", here.settings()) == before
    server.memory.forget()
    wan.give(comfyui.info, [], wan.LORAS)
    assert renderer_name("comfyui", here.settings()) != before
    monkeypatch.setenv("UNDERCARD_CLIP_PIXELS", "100000")
    assert clip_backend("comfyui").recipe(here.settings()).startswith("100000 px ")


OWN: dict[str, Any] = {
    "first": {"class_type": "LoadImage", "inputs": {"image": "{{first}}"}},
    "last": {"class_type": "LoadImage", "inputs": {"image": "{{last}}"}},
    "clip": {"class_type": "CLIPLoader", "inputs": {"clip_name": wan.TEXT_ENCODER, "type": "wan"}},
    "vae": {"class_type": "VAELoader", "inputs": {"vae_name": wan.AUTOENCODER}},
    "unet": {"class_type": "UNETLoader", "inputs": {"unet_name": wan.PAIR[0], "weight_dtype": "default"}},
    "text": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["clip", 0], "text": "film, {{prompt}}"}},
    "between": {
        "class_type": "WanFirstLastFrameToVideo",
        "inputs": {
            "positive": ["text", 0],
            "negative": ["text", 0],
            "vae": ["vae", 0],
            "width": "{{width}}",
            "height": "{{height}}",
            "length": "{{frames}}",
            "batch_size": 1,
            "start_image": ["first", 0],
            "end_image": ["last", 0],
        },
    },
    "sampler": {
        "class_type": "KSampler",
        "inputs": {
            "model": ["unet", 0],
            "positive": ["between", 0],
            "negative": ["between", 1],
            "latent_image": ["between", 2],
            "seed": "{{seed}}",
            "steps": 3,
            "cfg": 1.0,
            "sampler_name": "euler",
            "scheduler": "simple",
            "denoise": 1.0,
        },
    },
    "decoded": {"class_type": "VAEDecode", "inputs": {"samples": ["sampler", 0], "vae": ["vae", 0]}},
    "save": {"class_type": "SaveImage", "inputs": {"images": ["decoded", 0], "filename_prefix": "{{output}}"}},
}


def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **changes: dict[str, Any]) -> None:
    graph = json.loads(json.dumps(OWN))
    for name, inputs in changes.items():
        graph[name]["inputs"].update(inputs)
    (tmp_path / "mine.json").write_text(json.dumps(graph))
    monkeypatch.setenv("UNDERCARD_CLIP_WORKFLOW", str(tmp_path / "mine.json"))


def test_the_users_own_workflow_makes_the_clip(
    comfyui: FakeComfy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own(tmp_path, monkeypatch)
    with opened() as renderer:
        made = renderer.render(request(frames=13))

    assert made.detail == "mine"
    assert len(made.frames) == 13
    assert np.median(pixels(made.frames[-1])) == 200
    assert "KSampler" in kinds(comfyui)


def test_a_workflow_that_makes_another_number_of_frames_is_taken_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own(tmp_path, monkeypatch, between={"length": 5}, text={"text": "{{frames}} {{prompt}}"})
    with opened() as renderer:
        made = renderer.render(request(frames=13))

    assert made.notes == ("the workflow gave 5 frames for 13, which were spread evenly",)


def test_a_workflow_of_the_users_is_tried_again_with_the_servers_memory_freed(
    comfyui: FakeComfy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own(tmp_path, monkeypatch)
    with opened() as renderer:
        made = renderer.render(request(), sparing=True)

    assert "free" in comfyui.log
    assert made.notes == ("after the server freed its memory",)


def test_frames_of_another_shape_are_cut_to_the_films_and_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own(tmp_path, monkeypatch, between={"width": 64, "height": 64}, text={"text": "{{width}} {{height}} {{prompt}}"})
    with opened() as renderer:
        made = renderer.render(request())

    assert {pixels(frame).shape for frame in made.frames} == {(36, 64, 3)}
    assert made.notes == ("the workflow gave frames of 64×64 px",)


def test_a_workflow_without_what_a_clip_needs_is_refused_with_every_reason(
    comfyui: FakeComfy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own(tmp_path, monkeypatch, last={"image": "{{image2}}"}, between={"length": 81}, unet={"unet_name": "none"})
    with pytest.raises(BackendUnavailable) as failure, opened():
        pass

    told = str(failure.value)
    assert "mine.json: node last (LoadImage) › image: {{image2}} is no placeholder; use one of first, last" in told
    assert "has no {{last}}: no clip would end with its keyframe" in told
    assert "has no {{frames}}: no clip would be as long as it must" in told
    assert "node unet (UNETLoader) › unet_name: the server has no 'none'" in told
    assert "prompt" not in comfyui.log


def test_a_workflow_that_saves_one_picture_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own(tmp_path, monkeypatch, save={"images": ["first", 0]}, text={"text": "{{frames}} {{seed}} {{last}}"})
    with opened() as renderer, pytest.raises(BackendError, match="mine gave 1 frame; its output must be a SaveImage"):
        renderer.render(request())


def test_a_keyframe_that_the_store_has_lost_is_named() -> None:
    with opened() as renderer, pytest.raises(MissingObject, match="is gone"):
        renderer.render(request(first="0" * 64))
