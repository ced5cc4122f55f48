"""What a plan says that a film takes, and that saying so takes no longer than the film is long."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path
from types import FrameType

import pytest

from benchmarks.plan import shot_list
from tests import here
from undercard.domain.requests import Size
from undercard.film.timeline.timeline import Clip, Timeline
from undercard.hardware.devices import Device
from undercard.planning.plan import Plan, plan_film
from undercard.previz import cameras
from undercard.production import estimate
from undercard.shotlist.load import load_shot_list


def planned(folder: Path, shots: int) -> Plan:
    path = folder / f"{shots}.yaml"
    path.write_text(shot_list(shots), encoding="utf-8")
    return plan_film(load_shot_list(path), Device(cores=2, host_bytes=0), here.settings(), backend="previz")


def calls_to_estimate(plan: Plan) -> int:
    """Return how many Python functions are called, and generators resumed, until *plan* is estimated."""
    count = 0

    def seen(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(seen)
    try:
        estimate.total(plan, {})
    finally:
        sys.setprofile(None)
    return count


def test_a_film_four_times_as_long_takes_four_times_the_calls_to_estimate(tmp_path: Path) -> None:
    estimate.total(planned(tmp_path, 2), {})

    short, long = (calls_to_estimate(planned(tmp_path, shots)) for shots in (100, 400))

    assert long < 4.4 * short


def test_a_film_is_laid_out_once_however_many_shots_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    laid_out: list[int] = []

    def timeline(fps: Fraction, size: Size, clips: tuple[Clip, ...]) -> Timeline:
        laid_out.append(len(clips))
        return Timeline(fps, size, clips)

    monkeypatch.setattr("undercard.planning.plan.Timeline", timeline)

    estimate.rows(planned(tmp_path, 20), {})

    assert laid_out == [20]


def test_what_was_never_rendered_is_not_staged_to_be_estimated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cameras, "camera")

    rows = estimate.rows(planned(tmp_path, 3), {})

    assert [(row.keyframes, row.done) for row in rows] == [(3, 0)] * 3
