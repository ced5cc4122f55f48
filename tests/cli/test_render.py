"""`undercard render` with a Prefect server: the run that was checked is the run that the flow carries out."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from rich.console import Console

from tests.fakes.counted import count_calls
from undercard.cli.local_server import ServerDidNotStart
from undercard.cli.render import render_film
from undercard.errors import BadShotList
from undercard.production.options import RunOptions

LIST = """\
title: Counted
fps: 24
size: 128x72
cast:
  red: {name: Red, corner: red}
  blue: {name: Blue, corner: blue}
shots:
  - id: jab
    camera: wide
    length: 4
    motion: hold
    keyframes:
      - {at: 0, poses: {red: guard, blue: jab}}
"""


@pytest.mark.usefixtures("prefect_server")
def test_a_render_plans_reads_the_manifest_scores_and_sums_up_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "counted.yaml"
    path.write_text(LIST)
    options = RunOptions(shot_list=path, size="128x72", presets=("hevc",), take_limit=2)
    said, calls = io.StringIO(), count_calls(monkeypatch)

    assert render_film(options, Console(file=said, width=300), verbose=False)

    assert calls == {"plan_film": 1, "read_records": 1, "score": 1, "shot_rows": 1}
    assert "1 shots · 1 accepted · 128×72 · previz" in said.getvalue()
    assert "film-hevc.mp4" in said.getvalue()


def test_a_wrong_shot_list_is_reported_before_a_server_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Path] = []
    monkeypatch.setattr("undercard.cli.render.borrow", started.append)
    path = tmp_path / "wrong.yaml"
    path.write_text(LIST.replace("blue: jab}", "blue: jabb}"))

    with pytest.raises(BadShotList, match="did you mean jab"):
        render_film(RunOptions(shot_list=path), Console(file=io.StringIO()), verbose=False)

    assert started == []


def test_a_configured_server_that_does_not_answer_is_reported_with_what_to_do(tmp_path: Path, store: Path) -> None:
    path = tmp_path / "counted.yaml"
    path.write_text(LIST)

    with (
        temporary_settings({PREFECT_API_URL: "http://127.0.0.1:1/api"}),
        pytest.raises(ServerDidNotStart, match=r"127\.0\.0\.1:1/api.*prefect config unset PREFECT_API_URL"),
    ):
        render_film(RunOptions(shot_list=path), Console(file=io.StringIO()), verbose=False)

    assert not list(store.rglob("*.png"))
