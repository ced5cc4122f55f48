"""Where a keyframe stands when a run begins, and where it ends."""

from __future__ import annotations

from tests.production.keyframes.conftest import COARSE, EXACT, REWORDED, Film
from undercard.domain.takes import Approach
from undercard.gate.contract import Opinion, Verdict
from undercard.gate.critic.opinions import with_opinion
from undercard.gate.judging import REVISION
from undercard.production.keyframes.pursuit import begin
from undercard.production.keyframes.takes import usable_take


def test_an_accepted_take_stands_whichever_rung_made_it(film: Film) -> None:
    pursuits = film.begun(film.record(0, film.take(0, EXACT)), film.record(1, film.take(1, COARSE)))

    assert [pursuit.pending for pursuit in pursuits] == [False, False]


def test_a_run_for_exact_pixels_renders_again_what_is_not_exact_with_the_same_seed(film: Film) -> None:
    records = film.record(0, film.take(0, EXACT)), film.record(1, film.take(1, COARSE, number=2))

    pursuits = film.begun(*records, exact=True)

    assert [pursuit.pending for pursuit in pursuits] == [False, True]
    assert pursuits[1].next_take == 2
    assert len(pursuits[1].record.takes) == 1


def test_what_was_accepted_without_the_judge_is_shown_to_him_and_not_drawn_otherwise(film: Film) -> None:
    record = film.record(0, film.take(0, EXACT))
    heard = with_opinion(record.takes[0].verdict, Opinion(judge="a · prompt 1", heard=True))
    by_him = record.model_copy(update={"takes": (record.takes[0].model_copy(update={"verdict": heard}),)})

    for remembered, judge, pending in ((record, "", False), (record, "a · prompt 1", True)):
        (first, *_) = begin(film.keyframes, {record.label: remembered}, 3, exact=False, judge=judge)
        assert (first.pending, first.next_take) == (pending, 1)
    for judge, pending in (("a · prompt 1", False), ("", False), ("b · prompt 1", True)):
        (first, *_) = begin(film.keyframes, {record.label: by_him}, 3, exact=False, judge=judge)
        assert first.pending is pending


def test_what_he_rejected_is_judged_again_once_he_is_not_the_judge(film: Film) -> None:
    record = film.record(0, film.take(0, EXACT))
    opinion = Opinion(judge="a · prompt 1", heard=True, accepts=False, words="three arms")
    verdict = with_opinion(record.takes[0].verdict, opinion)
    record = record.model_copy(update={"takes": (record.takes[0].model_copy(update={"verdict": verdict}),)})

    same, *_ = begin(film.keyframes, {record.label: record}, 3, exact=False, judge="a · prompt 1")
    without, *_ = begin(film.keyframes, {record.label: record}, 3, exact=False)

    assert (same.next_take, same.rejected is not None) == (2, True)
    assert (without.next_take, without.judged) == (1, [])


def test_the_control_image_of_a_take_that_stands_is_used_again(film: Film) -> None:
    take = film.take(1, COARSE)

    pursuits = film.begun(film.record(0, film.take(0, EXACT)), film.record(1, take), exact=True)

    assert pursuits[1].control == take.control


def test_after_a_rejection_the_next_take_has_the_next_number(film: Film) -> None:
    pursuits = film.begun(film.record(0, film.take(0, EXACT), passed=False))

    assert (pursuits[0].next_take, pursuits[0].last_take) == (2, 4)


def test_giving_up_the_only_take_fails_the_keyframe(film: Film) -> None:
    pursuit = film.begun()[0]

    pursuit.give_up("no rung is left")

    assert pursuit.record.cause == "jab-01: no rung is left"


def test_a_take_of_a_release_that_knew_no_repairs_stands(film: Film) -> None:
    old = film.take(0, EXACT, number=2).model_copy(update={"approach": Approach()})

    pursuits = film.begun(film.record(0, old))

    assert pursuits[0].accepted == old


def test_what_another_gate_rejected_is_judged_again_as_it_was_made(film: Film) -> None:
    record = film.record(0, film.take(0, EXACT), passed=False).model_copy(update={"gate": REVISION - 1})

    pursuit = film.begun(record)[0]

    assert (pursuit.next_take, pursuit.approach, pursuit.judged) == (1, Approach(draw=1), [])


def test_what_another_gate_accepted_is_judged_again_as_it_was_made(film: Film) -> None:
    take = film.take(0, EXACT, number=2, approach=REWORDED)
    record = film.record(0, take).model_copy(update={"gate": REVISION - 1})

    pursuit = film.begun(record)[0]

    assert (pursuit.next_take, pursuit.approach, pursuit.pending) == (2, REWORDED, True)


def test_what_was_approved_by_hand_stands_under_any_gate_until_its_request_changes(film: Film) -> None:
    record = film.record(0, film.take(0, EXACT), passed=False).model_copy(update={"gate": REVISION - 1})
    approved = record.model_copy(update={"takes": (record.takes[0].model_copy(update={"approved": True}),)})

    assert not film.begun(approved)[0].pending
    other = approved.takes[0].take.model_copy(update={"key": "another"})
    changed = approved.model_copy(update={"takes": (approved.takes[0].model_copy(update={"take": other}),)})
    assert film.begun(changed)[0].pending


def test_the_best_of_rejected_takes_is_kept_for_review(film: Film) -> None:
    takes = [film.take(0, EXACT, number=number) for number in (1, 2, 3)]
    record = film.record(0, *takes, passed=False)
    scores = (9.0, 0.6, 2.0)
    judged = tuple(
        one.model_copy(
            update={"verdict": Verdict(findings=(one.verdict.findings[0].model_copy(update={"score": score}),))}
        )
        for one, score in zip(record.takes, scores, strict=True)
    )

    kept = record.model_copy(update={"takes": judged})

    assert kept.needs_review
    assert kept.best == takes[1]
    assert usable_take(kept, film.keyframes[0], exact=False) == takes[1]
    assert usable_take(film.record(0, film.take(0, COARSE), passed=False), film.keyframes[0], exact=True) is None
