from __future__ import annotations

import io
import json

from rich.console import Console

from benchmarks.gate import report, show
from benchmarks.labelled.tally import Tally
from tests.benchmarks.labelled.test_tally import verdict
from undercard.gate.contract import Fault


def tally() -> Tally:
    counted = Tally()
    for name, strength, said in (
        ("good", "", set()),
        ("previz", "", {Fault.NOISY}),
        ("blur", "moderate", {Fault.SOFT}),
        ("blur", "mild", set()),
        ("third fighter", "moderate", set()),
    ):
        counted.add(name, strength, verdict(said))
    return counted


def test_what_no_check_names_is_listed_and_not_counted() -> None:
    found = report(tally())

    assert found["overall"]["recall"]["value"] == 1.0
    assert Fault.WRONG_COUNT.value in found["without_a_check"]
    assert "wrong count" not in found["by_cause"]


def test_each_cause_has_its_figures_and_the_whole_is_json() -> None:
    found = json.loads(json.dumps(report(tally())))

    assert found["by_cause"]["soft"]["n"] == 1
    assert found["by_cause"]["soft"]["recall_mild"]["value"] == 0.0
    assert found["false_rejection_rate"]["value"] == 0.5
    assert found["mistakes"] == [{"picture": "previz", "said": "noisy", "times": 1}]


def test_the_table_shows_shares_with_their_intervals() -> None:
    console = Console(file=io.StringIO(), width=140)
    times = {"first_seed": 41, "s_per_image": 0.1, "core_s_per_image": 0.1, "core_s_cheap_checks": 0.04}

    show({**report(tally()), **times}, console)

    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "good pictures rejected: 0.500 (0.09–0.91)" in text
    assert "1 × previz: noisy" in text
    assert "held-out" in text


def test_how_many_pictures_could_be_read_stands_beside_what_was_found() -> None:
    counted = tally()
    counted.add("third fighter", "severe", verdict({Fault.WRONG_COUNT}))
    counted.add("third fighter", "severe", verdict(set(), abstaining="stranger"))

    found = report(counted)["by_cause"]["wrong count"]

    assert found["recall"]["value"] == 0.5
    assert found["judged"]["value"] == 0.6667
