"""Films with a judge beside the gate: he sends takes back in his own words, is told where he was not heard, and never
lets pass what a check has rejected."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from flows.keyframes import keyframes
from flows.produce import produce
from tests.fakes.judge import FakeJudge, Fault, says
from undercard.errors import BadInput, NeedsReview
from undercard.film.sheet.contact_sheet import Cell, contact_sheet
from undercard.production import report
from undercard.production.options import RunOptions

pytestmark = [pytest.mark.usefixtures("prefect_server", "faulty")]

THREE_ARMS = {"verdict": "reject", "cause": "Red has three arms", "region": None}


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Sequence[Cell], Sequence[Cell]]]:
    """Return what contact sheets were drawn of: subtitle, cells, rejected takes."""
    sheets: list[tuple[str, Sequence[Cell], Sequence[Cell]]] = []

    def seen(title: str, cells: Sequence[Cell], *, subtitle: str, rejected: Sequence[Cell]) -> Image.Image:
        sheets.append((subtitle, cells, rejected))
        return contact_sheet(title, cells, subtitle=subtitle, rejected=rejected)

    monkeypatch.setattr(report, "contact_sheet", seen)
    return sheets


def records(folder: Path) -> dict[str, list[dict[str, Any]]]:
    path = next((folder / "store" / "films").rglob("manifest.json"))
    return {record["label"]: record["takes"] for record in json.loads(path.read_bytes())["keyframes"]}


def test_what_the_judge_sends_back_is_made_again_and_a_second_run_asks_him_nothing(
    film: Path, tmp_path: Path, judge: FakeJudge, shown: list[tuple[str, Sequence[Cell], Sequence[Cell]]]
) -> None:
    judge.faults = [says(THREE_ARMS)]

    made = produce(shot_list=film, backend="flawed", shots="guard")

    first, second = records(tmp_path)["guard-01"]
    assert first["verdict"]["findings"][-1]["cause"] == "the judge: Red has three arms"
    assert second["verdict"]["opinion"]["accepts"]
    assert [repair["remedy"] for repair in second["take"]["approach"]["repairs"]] == ["new seed"]
    (rejected,) = shown[-1][2]
    assert (rejected.note, rejected.answer) == ("the judge: Red has three arms", "new seed: seed 2")

    asked = len(judge.asked)
    assert produce(shot_list=film, backend="flawed", shots="guard") == made
    assert len(judge.asked) == asked


def test_a_film_is_made_without_a_judge_who_is_away_and_he_is_asked_once_he_is_back(
    film: Path,
    tmp_path: Path,
    judge: FakeJudge,
    monkeypatch: pytest.MonkeyPatch,
    shown: list[tuple[str, Sequence[Cell], Sequence[Cell]]],
) -> None:
    monkeypatch.setenv("UNDERCARD_JUDGE_WAIT_SECONDS", "0")
    judge.faults = [Fault(503, b"{}")] * 9

    produce(shot_list=film, backend="flawed", shots="guard")

    (before,) = records(tmp_path)["guard-01"]
    assert not before["verdict"]["opinion"]["heard"]
    assert "1 without the judge" in shown[-1][0]
    assert "the judge not heard" in shown[-1][1][0].note

    judge.faults = []
    produce(shot_list=film, backend="flawed", shots="guard")

    (after,) = records(tmp_path)["guard-01"]
    assert after["verdict"]["opinion"]["heard"]
    assert after["take"]["picture"] == before["take"]["picture"]
    assert "without the judge" not in shown[-1][0]


def test_the_judge_is_not_asked_about_what_a_check_rejects(film: Path, tmp_path: Path, judge: FakeJudge) -> None:
    film.write_text(film.read_text().replace("PROMPT-GUARD", "flaw: never"))

    with pytest.raises(NeedsReview, match="guard-01: nothing in the picture"):
        keyframes(RunOptions(shot_list=film, backend="flawed", shots="guard", take_limit=1))

    assert judge.asked == []
    (only,) = records(tmp_path)["guard-01"]
    assert only["verdict"]["opinion"] is None


def test_a_judge_who_may_not_be_asked_ends_the_run_before_anything_is_rendered(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERCARD_JUDGE", "https://api.example.com/v1")

    with pytest.raises(BadInput, match="UNDERCARD_JUDGE_REMOTE"):
        keyframes(RunOptions(shot_list=film, backend="flawed", shots="guard"))

    assert not list((tmp_path / "store").rglob("*.png"))
