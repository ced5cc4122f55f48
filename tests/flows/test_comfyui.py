"""Films that a ComfyUI renders: one that steps down within the server's rungs, and one that it cannot finish."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.produce import produce
from tests.fakes.comfyui.server import FakeComfy
from tests.flows.conftest import plant, road, takes
from undercard import backends
from undercard.errors import MixedFilm

pytestmark = pytest.mark.usefixtures("prefect_server")

USUAL, SPARING = "comfyui · 2511 Q4_K_M", "comfyui · 2511 Q4_K_M, sparing"


@pytest.fixture(autouse=True)
def _no_other_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "names", lambda: ("comfyui", "previz"))


def test_a_keyframe_that_runs_out_of_memory_steps_down_and_says_so(film: Path, store: Path, comfyui: FakeComfy) -> None:
    plant(film, guard="card at KSampler once", victory="oom at VAEDecode")

    made = produce(shot_list=film, backend="comfyui")

    # One backend drew all of it, so that it is the film.
    assert made.name == "film.mp4"
    assert made.parent.name.endswith("-128x72-qwen-image-edit")
    by_label = takes(store)
    assert road(by_label["guard-01"]) == [(USUAL, "device fault", "denoise"), (USUAL, "rendered", "")]
    assert road(by_label["victory-01"]) == [(USUAL, "out of memory", "decode"), (SPARING, "rendered", "")]
    out, rendered = by_label["victory-01"]["attempts"]
    assert "ComfyUI ran out of memory at node decoded (VAEDecode): CUDA out of memory" in out["detail"]
    assert rendered["detail"] == "text encoded on the processor, decoded in tiles"
    assert {by_label[label]["rung"] for label in ("jab-01", "jab-02")} <= {USUAL, SPARING}

    submitted = comfyui.log.count("prompt")
    produce(shot_list=film, backend="comfyui")
    assert comfyui.log.count("prompt") == submitted


def test_what_no_rung_of_the_server_can_render_the_previz_draws_and_the_film_is_called_mixed(
    film: Path, store: Path, comfyui: FakeComfy
) -> None:
    plant(film, jab="oom at KSampler")

    with pytest.raises(MixedFilm, match="jab"):
        produce(shot_list=film, backend="comfyui")

    by_label = takes(store)
    assert road(by_label["jab-01"]) == [
        (USUAL, "out of memory", "denoise"),
        (SPARING, "out of memory", "denoise"),
        ("previz", "rendered", ""),
    ]
    assert by_label["victory-01"]["backend"] == "comfyui"
    assert next((store / "films").rglob("mixed.mp4")).is_file()
