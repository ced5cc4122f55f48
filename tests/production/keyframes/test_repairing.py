"""What is done about a take that was rejected, and how often."""

from __future__ import annotations

import pytest

from tests.production.keyframes.conftest import EXACT, PRECISE, REWORDED, Film
from undercard import backends
from undercard.backends import Needs, Rung
from undercard.domain.takes import Attempt, Remedy
from undercard.gate.contract import Fault, Verdict


@pytest.mark.parametrize("tiled", [True, False])
def test_only_a_picture_that_was_decoded_in_tiles_is_decoded_whole(
    film: Film, tiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "heeded", lambda *_: frozenset({"whole"}))
    made = Attempt(rung="hungry", backend="hungry", exact=True, outcome="rendered", tiled=tiled)
    record = film.record(0, film.take(0, EXACT, made), passed=False)
    finding = record.takes[0].verdict.findings[0].model_copy(update={"fault": Fault.TILED})
    judged = record.takes[0].model_copy(update={"verdict": Verdict(findings=(finding,))})
    (pursuit, *_) = film.begun(record.model_copy(update={"takes": (judged,)}))

    pursuit.repair(None, finer=False)

    assert (pursuit.approach.repairs[0].remedy is Remedy.DECODED_WHOLE) is tiled


def test_what_more_steps_would_mend_says_what_they_lack(film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "undercard.models.lightning.lacking", lambda backend, steps, _settings: f"{backend} lacks {steps}"
    )
    record = film.record(0, film.take(0, EXACT), passed=False)
    finding = record.takes[0].verdict.findings[0].model_copy(update={"fault": Fault.SOFT})
    soft = record.takes[0].model_copy(update={"verdict": Verdict(findings=(finding,))})

    (posed, *_) = film.begun(record)
    (softened, *_) = film.begun(record.model_copy(update={"takes": (soft,)}))

    assert posed.lacks_steps == ""
    assert softened.lacks_steps == "hungry lacks 8"
    monkeypatch.setattr(backends, "heeded", lambda *_: frozenset({"steps"}))
    assert softened.lacks_steps == ""


def test_after_a_rejection_the_next_run_repairs_it_and_remembers_what_was_tried(film: Film) -> None:
    rejected = film.take(0, EXACT, number=2, approach=REWORDED)
    pursuit = film.begun(film.record(0, rejected, passed=False))[0]

    pursuit.repair(None, finer=False)

    assert [judged.take for judged in pursuit.judged] == [rejected]
    assert pursuit.approach.draw == 3
    assert [repair.remedy for repair in pursuit.approach.repairs] == [Remedy.REWORDED, Remedy.NEW_SEED]
    assert [(repair.after, repair.cause) for repair in pursuit.approach.repairs] == [(1, ""), (2, "off")]


def test_the_keyframes_of_a_shot_share_what_a_run_may_spend_on_repairs(film: Film) -> None:
    first, second = film.begun(repairs=1)
    for index, pursuit in enumerate((first, second)):
        pursuit.judged = list(film.record(index, film.take(index, EXACT), passed=False).takes)
        pursuit.next_take = 2
        pursuit.repair(None, finer=False)

    assert (first.pending, second.pending) == (True, False)
    assert "its shot has had all" in second.record.cause
    assert second.record.needs_review


def test_a_run_may_always_go_on_with_one_take_of_each_keyframe(film: Film) -> None:
    pursuit = film.begun(film.record(0, film.take(0, EXACT), passed=False), repairs=0)[0]

    pursuit.repair(None, finer=False)

    assert pursuit.pending


def test_after_a_numerical_failure_only_exact_pixels_will_do(film: Film) -> None:
    pursuit = film.begun()[0]
    pursuit.approach = PRECISE
    needs = Needs(1, 1, 1.0)

    assert pursuit.is_choosy
    assert pursuit.takes_to(Rung("hungry", exact=True, needs=needs))
    assert not pursuit.takes_to(Rung("coarse", exact=False, needs=needs))
