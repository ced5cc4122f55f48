"""Films whose shots a video model moves: the clip itself in the film, caches, faults, and what stands in."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from flows.produce import produce
from tests.backends.clips.wan import wan
from tests.backends.comfy.rendering import kinds
from tests.fakes.comfyui.nodes import BAR
from tests.fakes.comfyui.server import FakeComfy
from tests.film.footage import decoded
from undercard.backends.comfy import server
from undercard.backends.comfy.client import Client
from undercard.cli.render import render_film
from undercard.errors import BackendUnavailable, ClipFailed
from undercard.film.base.pixels import Pixels
from undercard.production.options import RunOptions

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture(autouse=True)
def _wan(comfyui: FakeComfy, monkeypatch: pytest.MonkeyPatch) -> None:
    wan.give(comfyui.info)
    monkeypatch.setenv("UNDERCARD_CLIPS", "comfyui")
    # Several pieces side by side make no film faster on a machine with few cores, but the log of a test longer.
    monkeypatch.setenv("UNDERCARD_WORKERS", "2")


@pytest.fixture
def moved(film: Path) -> Path:
    """The three small shots, the second of which a video model moves: eight frames from its first keyframe on."""
    text = film.read_text().replace("length: 12\n    motion: pose", "length: 14\n    motion: clip")
    film.write_text(text.replace("at: 6,", "at: 8,").replace("PROMPT-JAB", "PROMPT-JAB"))
    return film


def record(film: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((film.parent / "manifest.json").read_bytes())["films"][film.name]
    return content


def bar(frame: Pixels) -> float | None:
    """Return the middle of the white bar that the model draws into a clip, px from the left; None where there is none.

    It goes from the top of the picture to its bottom, as nothing of the ring does.
    """
    columns = np.flatnonzero(frame.min(axis=(0, 2)) > 200)
    return float(columns.mean()) if columns.size else None


def test_the_frames_of_the_film_are_those_of_the_clip(moved: Path, comfyui: FakeComfy) -> None:
    made = produce(shot_list=moved, backend="previz")

    shown = decoded(made)
    assert len(shown) == 8 + 14 + 10 - 4
    # Nine frames between keyframes eight frames apart: each frame of the film is one of the clip's, the last keyframe
    # on its own, and the bar in its place.
    assert [bar(frame) for frame in shown[:9]] == [None] * 9
    places = [bar(frame) for frame in shown[9:16]]
    assert places == pytest.approx([(128 - BAR) * index / 8 + (BAR - 1) / 2 for index in range(1, 8)], abs=1.0)
    assert bar(shown[16]) is None
    assert kinds(comfyui).count("WanFirstLastFrameToVideo") == 1
    assert record(made)["clips"] == {"jab": ["Wan 2.2 FP8"]}
    assert record(made)["fallen"] == {}


def test_a_second_run_makes_no_clip_even_where_the_server_is_away(
    moved: Path, comfyui: FakeComfy, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = produce(shot_list=moved, backend="previz")
    content, asked = made.read_bytes(), comfyui.log.count("prompt")
    server.memory.forget()
    monkeypatch.setattr(Client, "schemas", wan.gone)

    again = produce(shot_list=moved, backend="previz")

    assert again.read_bytes() == content
    assert comfyui.log.count("prompt") == asked
    assert record(again)["clips"] == {"jab": ["Wan 2.2 FP8"]}


def test_memory_that_runs_out_once_gets_a_sparing_clip_that_says_so(moved: Path, comfyui: FakeComfy) -> None:
    moved.write_text(moved.read_text().replace("PROMPT-JAB", "fault: oom at VAEDecode"))

    made = produce(shot_list=moved, backend="previz")

    (said,) = record(made)["clips"].values()
    assert said == ["Wan 2.2 FP8", "text encoded on the processor, decoded in tiles", "after out of memory in decode"]
    assert bar(decoded(made)[12]) is not None


def test_a_clip_that_cannot_be_made_fails_the_film_with_what_to_do(moved: Path, comfyui: FakeComfy) -> None:
    moved.write_text(moved.read_text().replace("PROMPT-JAB", "fault: value at KSamplerAdvanced"))

    with pytest.raises(ClipFailed) as failure:
        produce(shot_list=moved, backend="previz")

    told = str(failure.value)
    assert told.startswith("shot 'jab': its clip could not be made: ComfyUI failed at node high_sampler")
    assert "say what may stand in, with `clip: {fallback: flow}`" in told


def test_where_something_may_stand_in_the_film_is_made_and_everybody_is_told(
    moved: Path, comfyui: FakeComfy, store: Path
) -> None:
    text = moved.read_text().replace("PROMPT-JAB", "fault: value at KSamplerAdvanced")
    moved.write_text(text.replace("motion: clip", "motion: clip\n    clip: crossfade"))
    said = io.StringIO()
    run = RunOptions(shot_list=moved, backend="previz")

    assert render_film(run, Console(file=said, width=300), verbose=False)

    (made,) = (store / "films").rglob("film.mp4")
    told = (
        "crossfade in place of clip: ComfyUI failed at node high_sampler (KSamplerAdvanced): the value has no meaning"
    )
    assert record(made)["fallen"]["jab"].startswith(told)
    assert record(made)["clips"] == {}
    assert f"jab: {told}" in said.getvalue()
    shown = decoded(made)
    assert len(shown) == 28
    assert all(bar(frame) is None for frame in shown)


def test_a_server_that_never_was_there_stops_the_run_before_anything_renders(
    moved: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.memory.forget()
    monkeypatch.setattr(Client, "schemas", wan.gone)

    with pytest.raises(BackendUnavailable, match="shot 'jab': the motion is clip, and no ComfyUI is at"):
        produce(shot_list=moved, backend="previz")

    assert not (store / "objects").exists()
