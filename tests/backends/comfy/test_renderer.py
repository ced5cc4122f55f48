"""Requests to pictures on a server that keeps to ComfyUI's protocol: sizes, uploads, caches, workflows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.backends.comfy import rendering
from tests.backends.comfy.rendering import idle, kinds, opened, picture, request
from tests.fakes.comfyui.server import FakeComfy
from undercard.errors import BackendError


@pytest.mark.parametrize("size", [(64, 48), (64, 36), (100, 60), (17, 33)])
def test_a_picture_is_the_middle_of_a_canvas_of_sixteens(comfyui: FakeComfy, size: tuple[int, int]) -> None:
    with opened() as renderer:
        rendered = renderer.render(request(size=size))

    assert (rendered.image.mode, rendered.image.size, rendered.notes) == ("RGB", size, ())
    (job,) = comfyui.history
    (saved,) = (comfyui.folder / "output" / "undercard").iterdir()
    assert saved.stem.startswith(request(size=size).key[:16])
    assert job


def test_a_reference_is_uploaded_under_the_digest_of_its_bytes(comfyui: FakeComfy) -> None:
    ring, mara = picture(), picture(90)
    with opened() as renderer:
        renderer.render(request(references=[ring, mara]))
        renderer.render(request(references=[ring, mara], seed=2))

    assert kinds(comfyui, "upload") == [f"undercard/{digest}.png" for digest in (ring, mara, ring, mara)]
    assert len(list((comfyui.folder / "input" / "undercard").iterdir())) == 2


def test_another_likeness_prompt_or_number_of_steps_gives_another_picture(
    comfyui: FakeComfy, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = picture()
    requests = [
        request(references=[ring]),
        request("two boxers rest", references=[ring]),
        request(references=[ring, picture(90)]),
    ]
    with opened() as renderer:
        made = {renderer.render(one).image.tobytes() for one in requests}
    monkeypatch.setenv("UNDERCARD_STEPS", "8")
    with opened() as renderer:
        made.add(renderer.render(requests[0]).image.tobytes())

    assert len(made) == 4


def test_a_request_without_a_reference_says_what_to_give(comfyui: FakeComfy) -> None:
    with opened() as renderer, pytest.raises(BackendError, match="give it a reference"):
        renderer.render(request(references=[]))

    assert "prompt" not in comfyui.log


def test_the_same_request_again_is_answered_from_the_servers_cache(comfyui: FakeComfy) -> None:
    with opened() as renderer:
        first = renderer.render(request())
        before = kinds(comfyui)
        again = renderer.render(request())

    assert kinds(comfyui) == before
    assert again.image.tobytes() == first.image.tobytes()
    assert again.notes == ("the server had rendered it before",)
    # What the cache took teaches nothing.
    assert again.seconds == 0.0 < first.seconds


def test_a_cached_picture_that_somebody_removed_is_saved_again(comfyui: FakeComfy) -> None:
    with opened() as renderer:
        first = renderer.render(request())
        for saved in (comfyui.folder / "output" / "undercard").iterdir():
            saved.unlink()
        again = renderer.render(request())

    assert again.image.tobytes() == first.image.tobytes()
    assert kinds(comfyui).count("KSampler") == 1


def test_a_server_that_keeps_no_picture_is_told(comfyui: FakeComfy) -> None:
    comfyui.behaviour.lose_pictures = True
    with opened() as renderer, pytest.raises(BackendError, match="made a picture and has it no more"):
        renderer.render(request())


def test_the_sparing_rung_has_the_server_free_its_memory_and_says_what_it_did(comfyui: FakeComfy) -> None:
    with opened(rung=1) as renderer:
        rendered = renderer.render(request())

    assert comfyui.log[: comfyui.log.index("listen")].count("free") == 1
    assert "VAEDecodeTiled" in kinds(comfyui)
    assert rendered.notes == ("text encoded on the processor, decoded in tiles",)


def test_a_graph_of_which_the_server_refuses_a_part_is_not_executed_without_it(
    comfyui: FakeComfy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    comfyui.behaviour.step_seconds = 0.1
    mark = {"class_type": "SaveImage", "inputs": {"images": ["load", 0], "filename_prefix": "{{output}}"}}
    monkeypatch.setenv("UNDERCARD_COMFYUI_WORKFLOW", str(workflow(tmp_path, mark=mark)))
    with opened() as renderer:
        comfyui.info["ImageBlend"]["input"]["required"]["blend_mode"][1]["options"].remove("normal")
        with pytest.raises(BackendError, match=r"node blend \(ImageBlend\): Value not in list"):
            renderer.render(request())

    assert idle(comfyui)


def workflow(tmp_path: Path, **nodes: dict[str, Any]) -> Path:
    """Write a workflow that needs no model: the reference scaled and blended with a colour of the seed's."""
    graph = {
        "load": {"class_type": "LoadImage", "inputs": {"image": "{{image1}}"}},
        "scale": {
            "class_type": "ImageScale",
            "inputs": {
                "image": ["load", 0],
                "upscale_method": "lanczos",
                "width": "{{width}}",
                "height": "{{height}}",
                "crop": "center",
            },
        },
        "tint": {
            "class_type": "EmptyImage",
            "inputs": {"width": "{{width}}", "height": "{{height}}", "batch_size": 1, "color": "{{seed}}"},
        },
        "blend": {
            "class_type": "ImageBlend",
            "inputs": {"image1": ["scale", 0], "image2": ["tint", 0], "blend_factor": 0.25, "blend_mode": "normal"},
        },
        "save": {"class_type": "SaveImage", "inputs": {"images": ["blend", 0], "filename_prefix": "{{prompt}}"}},
        **nodes,
    }
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(graph))
    return path


def test_the_users_own_workflow_renders(comfyui: FakeComfy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERCARD_COMFYUI_WORKFLOW", str(workflow(tmp_path)))
    with opened() as renderer:
        made = [renderer.render(request(seed=seed)) for seed in (0, 255)]

    assert [one.image.size for one in made] == [rendering.SIZE] * 2
    assert made[0].image.getpixel((30, 18)) != made[1].image.getpixel((30, 18))
    assert kinds(comfyui).count("ImageBlend") == 2


def test_a_workflow_that_gives_another_size_is_scaled_and_says_so(
    comfyui: FakeComfy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = {"class_type": "PreviewImage", "inputs": {"images": ["load", 0]}}
    words = {"class_type": "PrimitiveString", "inputs": {"value": "{{prompt}} {{seed}}"}}
    path = workflow(tmp_path, save=save, words=words)
    monkeypatch.setenv("UNDERCARD_COMFYUI_WORKFLOW", str(path))
    with opened() as renderer:
        rendered = renderer.render(request(references=[picture(size=(200, 50)), picture(90)]))

    assert rendered.image.size == rendering.SIZE
    assert rendered.notes == (
        "the workflow gave 200×50 px, which were scaled",
        "the workflow takes 1 of 2 references",
    )
