"""Films of a model with flaws: each is rejected for its cause, repaired for it, and told; and what is never mended."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from flows.keyframes import keyframes
from flows.produce import produce
from tests.paths import FAKES
from undercard import backends
from undercard.cli.app import app
from undercard.domain.requests import Size
from undercard.errors import NeedsReview
from undercard.film.sheet.contact_sheet import Cell, contact_sheet
from undercard.gate import checks
from undercard.gate.contract import Verdict
from undercard.gate.evidence import Exhibit
from undercard.gate.judging import judge_exhibit
from undercard.production import report
from undercard.production.options import RunOptions
from undercard.store import Store

pytestmark = pytest.mark.usefixtures("prefect_server")

HEAD = """\
title: Twenty shots
fps: 24
size: 128x72
cast:
  red: {name: Red, corner: red, reference: red.png}
  blue: {name: Blue, corner: blue, reference: blue.png}
shots:
"""
SHOT = """\
  - id: %s
    camera: wide
    length: 4
    motion: hold
    prompt: "%s"
    keyframes:
      - {at: 0, poses: {red: guard, blue: jab}}
"""
SECOND = """\
      - {at: 2, prompt: "%s later", poses: {red: jab, blue: guard}}
"""
NAME_ANOTHER = "name a shot or keyframe that does"
MENDED_BY = {
    "blank": [("numerical failure", "new seed")],
    "soft": [("soft", "more steps")],
    "burnt": [("burnt", "more steps"), ("burnt", "new seed")],
    "repeated": [("repeated", "reworded")],
    "tiled": [("tiled", "decoded whole")],
    "pose": [("wrong pose", "stronger control image")] * 2,
    "swapped": [("swapped fighters", "re-anchored")],
    "jump": [("jump", "neighbour shown")],
}


@pytest.fixture(autouse=True)
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the backend and the check into folders that are looked through."""
    folder = FAKES
    monkeypatch.setattr(backends, "__path__", [*backends.__path__, str(folder / "faulty_backends")])
    monkeypatch.setattr(checks, "__path__", [*checks.__path__, str(folder / "planted_gate")])


def film(folder: Path, *flaws: str, good: int = 0) -> Path:
    """Write a shot list with a shot for each of *flaws* among as many *good* ones."""
    shots = [shot(flaw) for flaw in flaws]
    for number in range(good):
        shots.insert(2 * number, SHOT % (f"good-{number}", f"nothing is wrong {number}"))
    path = folder / "film.yaml"
    path.write_text(HEAD + "".join(shots))
    for fighter in ("red", "blue"):
        Image.new("RGB", (8, 8), fighter).save(folder / f"{fighter}.png")
    return path


def shot(flaw: str) -> str:
    text = SHOT % (flaw, f"flaw: {flaw}")
    if flaw == "pose":
        text = text.replace("    length", "    control: skeleton\n    length")
    return text + SECOND % f"flaw: {flaw}" if flaw in {"repeated", "jump"} else text


def records(folder: Path) -> dict[str, dict[str, Any]]:
    path = next((folder / "store" / "films").rglob("manifest.json"))
    return {record["label"]: record for record in json.loads(path.read_bytes())["keyframes"]}


def numbers(record: dict[str, Any]) -> list[int]:
    return [judged["take"]["number"] for judged in record["takes"]]


def repairs(record: dict[str, Any]) -> list[tuple[str, str]]:
    found = record["takes"][-1]["take"]["approach"]["repairs"]
    return [(repair["fault"], repair["remedy"]) for repair in found]


def approve(path: Path, *arguments: str) -> tuple[int, str]:
    said = CliRunner().invoke(app, ["approve", str(path), *arguments, "--backend", "flawed"])
    return said.exit_code, " ".join(said.output.split())


def accepted(judged: dict[str, Any]) -> bool:
    return all(finding["passed"] for finding in judged["verdict"]["findings"])


def test_a_film_with_flaws_in_eight_of_twenty_shots_comes_out_whole_and_names_each_cause_and_repair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheets: list[tuple[Sequence[Cell], Sequence[Cell]]] = []

    def seen(title: str, cells: Sequence[Cell], *, subtitle: str, rejected: Sequence[Cell]) -> Image.Image:
        sheets.append((cells, rejected))
        return contact_sheet(title, cells, subtitle=subtitle, rejected=rejected)

    monkeypatch.setattr(report, "contact_sheet", seen)

    made = produce(shot_list=film(tmp_path, *MENDED_BY, good=12), backend="flawed")

    assert made.name == "film.mp4"
    found = records(tmp_path)
    assert len({record["shot"] for record in found.values()}) == 20
    assert all(accepted(record["takes"][-1]) for record in found.values())
    repaired = {record["shot"]: repairs(record) for record in found.values() if repairs(record)}
    assert repaired == MENDED_BY
    assert all(len(record["takes"]) == 1 for record in found.values() if not repairs(record))
    # Every rejected take is on the sheet in red, with its cause and with what was done about it.
    cells, rejected = sheets[-1]
    assert {cell.status for cell in cells} == {"accepted"}
    assert len(rejected) == sum(map(len, MENDED_BY.values()))
    assert all(cell.status == "failed" and cell.note and cell.answer for cell in rejected)
    # What was repaired stands: a second run renders nothing.
    assert produce(shot_list=tmp_path / "film.yaml", backend="flawed") == made
    again = records(tmp_path)
    assert {label: numbers(record) for label, record in again.items()} == {
        label: numbers(record) for label, record in found.items()
    }
    assert all(judged["cached"] for record in again.values() for judged in record["takes"])


def test_a_rerun_goes_on_with_the_next_repair_and_keeps_what_was_tried(tmp_path: Path) -> None:
    path = film(tmp_path, "pose")
    for run in (1, 2):
        with pytest.raises(NeedsReview, match=r"1 of 1 shots need review: pose \(pose-01: wrong pose"):
            keyframes(RunOptions(shot_list=path, backend="flawed", take_limit=1))
        assert numbers(records(tmp_path)["pose-01"]) == list(range(1, run + 1))

    made = produce(shot_list=path, backend="flawed", take_limit=1, failed=True)

    assert made.name == "film.mp4"
    assert numbers(records(tmp_path)["pose-01"]) == [1, 2, 3]
    details = [one["detail"] for one in records(tmp_path)["pose-01"]["takes"][-1]["take"]["approach"]["repairs"]]
    assert details == ["depth", "frame"]


def test_what_no_take_mends_is_cut_for_review_and_only_a_word_of_somebody_makes_it_the_film(tmp_path: Path) -> None:
    path = film(tmp_path, "never", good=1)
    with pytest.raises(
        NeedsReview, match=r"every take of never-01 \(never-01: nothing in the picture.*review\.mp4"
    ) as refusal:
        produce(shot_list=path, backend="flawed", take_limit=2)
    folder = next((tmp_path / "store" / "films").iterdir())
    assert "undercard approve" in str(refusal.value)
    assert (folder / "review.mp4").is_file()
    assert not (folder / "film.mp4").exists()
    films = json.loads((folder / "manifest.json").read_bytes())["films"]
    assert films["review.mp4"]["review"] == ["never-01"]

    assert approve(path, "good-0") == (2, f"undercard: nothing of good-0 needs review in {folder}; {NAME_ANOTHER}")
    assert approve(path, "never", "--take", "7") == (2, "undercard: never-01 has no take 7; it has 1, 2")
    assert approve(path, "never") == (0, "never-01: take 1 stands")

    made = produce(shot_list=path, backend="flawed")
    assert made.name == "film.mp4"
    judged = records(tmp_path)["never-01"]["takes"]
    assert [(one["approved"], accepted(one), one["cached"]) for one in judged] == [
        (True, False, True),
        (False, False, True),
    ]


def test_the_gate_sees_what_a_take_was_drawn_from_and_what_it_must_differ_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exhibits: dict[str, Exhibit] = {}
    judge = judge_exhibit

    def seen(exhibit: Exhibit, size: Size, store: Store) -> Verdict:
        exhibits[exhibit.label] = exhibit
        return judge(exhibit, size, store)

    monkeypatch.setattr("undercard.gate.judging.judge_exhibit", seen)

    produce(shot_list=film(tmp_path, "jump", "pose"), backend="flawed")

    first, second, third = (exhibits[f"pose-01 take {number}"] for number in (1, 2, 3))
    assert (first.neighbour, first.before, first.takes) == (None, None, ())
    # Each of these has a seed of its own, and may not resemble those before it.
    assert second.takes == (first.picture,)
    assert third.takes == (first.picture, second.picture)
    opening, jump, mended = (exhibits[label] for label in ("jump-01 take 1", "jump-02 take 1", "jump-02 take 2"))
    assert jump.neighbour == jump.before == opening.picture
    assert jump.before_control == opening.control
    assert jump.control is not None
    assert jump.control != opening.control
    assert mended.takes == ()
    assert [len(exhibit.references) for exhibit in exhibits.values()] == [2] * len(exhibits)
    assert {exhibit.backend for exhibit in exhibits.values()} == {"flawed"}
    assert all(exhibit.staging is not None for exhibit in exhibits.values())
