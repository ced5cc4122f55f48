"""The policy of takes without Prefect: down the ladder, repairs, and what becomes of keyframes that fail."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from tests.fakes.paper_card import FakeCard
from tests.fakes.runtime import InlineRuntime
from tests.paths import FAKES
from undercard import backends, settings
from undercard.errors import NeedsReview, ShotsFailed
from undercard.gate.contract import Fault, Finding
from undercard.gate.evidence import Evidence
from undercard.production import turns
from undercard.production.keyframes.keyframe_set import KeyframeSet, render_keyframes
from undercard.production.options import RunOptions
from undercard.production.run import begin

LIST = """\
title: Policy
fps: 24
size: 128x72
cast:
  red: {name: Red, corner: red, reference: red.png}
  blue: {name: Blue, corner: blue, reference: blue.png}
shots:
  - id: jab
    camera: wide
    length: 4
    prompt: "FAULT"
    keyframes:
      - {at: 0, poses: {red: guard, blue: jab}}
"""


@pytest.fixture
def card(store: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCard:
    monkeypatch.setattr(backends, "names", lambda: ("coarse", "hungry", "previz"))
    # Children find the tests' own modules.
    monkeypatch.setenv("PYTHONPATH", str(FAKES / "hungry_backends" / ".." / ".."))
    monkeypatch.setenv("UNDERCARD_BUSY_SECONDS", "0")
    return FakeCard(store)


@pytest.fixture
def render(tmp_path: Path, card: FakeCard) -> Callable[..., tuple[KeyframeSet, InlineRuntime]]:
    """Return what renders the film of one keyframe whose prompt plants a fault."""
    for fighter in ("red", "blue"):
        Image.new("RGB", (8, 8), fighter).save(tmp_path / f"{fighter}.png")

    def start(fault: str = "", **options: bool) -> tuple[KeyframeSet, InlineRuntime]:
        path = tmp_path / "film.yaml"
        path.write_text(LIST.replace("FAULT", f"fault: {fault}" if fault else "a jab"))
        runtime = InlineRuntime()
        run = begin(RunOptions(shot_list=path, **options), settings.load(), card.look)
        return render_keyframes(run, runtime), runtime

    return start


def takes_of(runtime: InlineRuntime) -> list[str]:
    """Return the rungs on which takes were rendered."""
    return [name.split(" · ", 2)[2] for name in runtime.names if " · take " in name]


def test_a_keyframe_that_runs_out_of_memory_goes_down_the_ladder_and_keeps_every_attempt(
    render: Callable[..., tuple[KeyframeSet, InlineRuntime]],
) -> None:
    made, runtime = render("denoise over 10")

    assert made.problem is None
    take = made.records["jab-01"].accepted
    assert take is not None
    assert [attempt.outcome for attempt in take.attempts] == ["out of memory", "rendered"]
    assert takes_of(runtime) == [attempt.rung for attempt in take.attempts]
    assert len(set(takes_of(runtime))) == 2


def test_an_error_that_is_about_no_rung_fails_the_keyframe_at_once(
    render: Callable[..., tuple[KeyframeSet, InlineRuntime]],
) -> None:
    made, runtime = render("crash")

    assert isinstance(made.problem, ShotsFailed)
    assert "the prompt has no words" in str(made.problem)
    assert len(takes_of(runtime)) == 1
    assert made.records["jab-01"].takes == ()


class Refusal:
    """A check that rejects every picture, for a cause that another seed may mend."""

    name = "refusal"
    cost = 0.0

    def examine(self, evidence: Evidence) -> Finding:
        return Finding(check=self.name, score=1.0, threshold=0.5, passed=False, cause="no", fault=Fault.NUMERICAL)


def test_a_keyframe_that_the_gate_never_accepts_needs_review_and_keeps_a_take(
    render: Callable[..., tuple[KeyframeSet, InlineRuntime]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERCARD_TAKE_LIMIT", "2")
    monkeypatch.setattr("undercard.gate.judging.checks", lambda: (Refusal(),))

    made, runtime = render()

    assert isinstance(made.problem, NeedsReview)
    record = made.records["jab-01"]
    assert [judged.take.number for judged in record.takes] == [1, 2]
    assert [repair.remedy for repair in record.takes[1].take.repairs] == ["new seed"]
    assert record.best is not None
    assert len(runtime.edges) == 2


def test_a_run_again_renders_nothing(render: Callable[..., tuple[KeyframeSet, InlineRuntime]]) -> None:
    first, _ = render()
    again, runtime = render()

    assert runtime.names == []
    assert again.records["jab-01"].accepted == first.records["jab-01"].accepted


def test_a_run_waits_for_the_card_that_another_run_uses_and_steps_down_for_nothing(
    render: Callable[..., tuple[KeyframeSet, InlineRuntime]], card: FakeCard, caplog: pytest.LogCaptureFixture
) -> None:
    path = settings.load().turns / "card-GPU-paper-0"

    with caplog.at_level(logging.WARNING), ThreadPoolExecutor(1) as pool:
        with turns.turn(path, lambda: None):
            # What the other run holds leaves no rung of the model any room.
            card.fill(23.0)
            rendering = pool.submit(render)
            with pytest.raises(TimeoutError):
                rendering.result(3.0)
            card.fill(0.0)
        made, runtime = rendering.result(60.0)

    take = made.records["jab-01"].accepted
    assert take is not None
    assert [attempt.outcome for attempt in take.attempts] == ["rendered"]
    assert len(takes_of(runtime)) == 1
    assert "waiting for another run of this machine to leave a card of paper" in caplog.text


def test_a_run_that_renders_nothing_waits_for_no_card(
    render: Callable[..., tuple[KeyframeSet, InlineRuntime]],
) -> None:
    render()

    with ThreadPoolExecutor(1) as pool, turns.turn(settings.load().turns / "card-GPU-paper-0", lambda: None):
        # In a thread: if it waited, the turn would be left and the test fail, rather than hang.
        _, again = pool.submit(render).result(60.0)

    assert takes_of(again) == []


def test_cards_that_no_turn_can_be_taken_at_are_used_all_the_same(
    render: Callable[..., tuple[KeyframeSet, InlineRuntime]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("UNDERCARD_TURNS", str(tmp_path / "file"))

    with caplog.at_level(logging.WARNING):
        made, _ = render()

    assert made.problem is None
    assert "other runs may use a card of paper at the same time" in caplog.text
