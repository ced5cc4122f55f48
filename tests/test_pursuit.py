"""Where a keyframe stands when a run begins, and what a better rung makes of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests import shot_lists
from undercard import backends, gate, planning, shotlist, store
from undercard.backends import Needs, Rung
from undercard.conditioning import control_request
from undercard.devices import Device
from undercard.gate import Fault, Finding, Opinion, Verdict
from undercard.judge.opinions import with_opinion
from undercard.keyframes import asked, usable_take
from undercard.manifest import Judged, KeyframeRecord
from undercard.planned import PlannedKeyframe
from undercard.pursuit import Pursuit, begin
from undercard.requests import Approach, Attempt, Control, Remedy, Repair, Sheet, Take
from undercard.upgrading import look_higher

EXACT, COARSE, PREVIZ = "", "coarse", "previz"
FELL_FROM_EXACT = Attempt(rung="hungry · all", backend="hungry", exact=True, outcome="out of memory")


@pytest.fixture(autouse=True)
def hungry_backends(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(__file__).parent / "hungry_backends"
    monkeypatch.setattr(backends, "__path__", [*backends.__path__, str(folder)])


@dataclass(frozen=True)
class Film:
    """The keyframes of a film of a model, and records of what came of them."""

    keyframes: tuple[PlannedKeyframe, ...]

    def record(self, index: int, *takes: Take, passed: bool = True) -> KeyframeRecord:
        keyframe = self.keyframes[index]
        fault = None if passed else Fault.WRONG_POSE
        finding = Finding(
            check="pose", score=1.0, threshold=0.5, passed=passed, cause="" if passed else "off", fault=fault
        )
        judged = tuple(Judged(take=take, verdict=Verdict(findings=(finding,)), cached=False) for take in takes)
        return KeyframeRecord(
            label=keyframe.label,
            shot=keyframe.shot.id,
            frame=keyframe.frame,
            key=keyframe.request(1).key,
            gate=gate.REVISION,
            takes=judged,
        )

    def take(self, index: int, kind: str, *detours: Attempt, number: int = 1, approach: Approach | None = None) -> Take:
        keyframe = self.keyframes[index]
        picture = store.put_bytes(f"{index} {kind}".encode(), ".png")
        control = Control(
            key=control_request(keyframe.request(1)).key,
            frame=picture,
            depth=picture,
            normals=picture,
            skeleton=picture,
            keypoints=picture,
            seconds=0.1,
        )
        backend = kind or "hungry"
        approach = approach or Approach(draw=number)
        likenesses = keyframe.likenesses
        sheets = tuple(
            Sheet(key=each.sheet.key, fighter=each.fighter, picture=picture, seconds=0.1)
            for each in likenesses
            if each.sheet is not None
        )
        request = asked(keyframe, backend, approach, control, sheets, exact=not kind)
        return Take(
            key=request.key,
            number=number,
            backend=backend,
            picture=picture,
            control=control,
            sheets=() if kind == PREVIZ else sheets,
            seconds=1.0,
            exact=not kind,
            attempts=detours,
            approach=approach,
        )

    def begun(self, *records: KeyframeRecord, exact: bool = False, repairs: int = 9) -> list[Pursuit]:
        return begin(self.keyframes, {record.label: record for record in records}, 3, exact=exact, repairs=repairs)


@pytest.fixture
def film(tmp_path: Path) -> Film:
    loaded = shotlist.load(shot_lists.write(tmp_path))
    plan = planning.plan(loaded, Device(cores=1, host_bytes=0), backend="previz", size=(128, 72))
    plan = replace(plan, prompted=True, renderer="")
    return Film(plan.keyframes(plan.shots[0]))


def bettered(film: Film, *takes: Take, offered: Collection[str], fresh: bool = False) -> list[bool]:
    pursuits = film.begun(*(film.record(index, take) for index, take in enumerate(takes)))
    look_higher(pursuits, offered, fresh=fresh)
    return [pursuit.bettered is not None for pursuit in pursuits]


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


@pytest.mark.parametrize("tiled", [True, False])
def test_only_a_picture_that_was_decoded_in_tiles_is_decoded_whole(
    film: Film, tiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "heeded", lambda _: frozenset({"whole"}))
    made = Attempt(rung="hungry", backend="hungry", exact=True, outcome="rendered", tiled=tiled)
    record = film.record(0, film.take(0, EXACT, made), passed=False)
    finding = record.takes[0].verdict.findings[0].model_copy(update={"fault": Fault.TILED})
    judged = record.takes[0].model_copy(update={"verdict": Verdict(findings=(finding,))})
    (pursuit, *_) = film.begun(record.model_copy(update={"takes": (judged,)}))

    pursuit.repair(None, finer=False)

    assert (pursuit.approach.repairs[0].remedy is Remedy.DECODED_WHOLE) is tiled


def test_what_more_steps_would_mend_says_what_they_lack(film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("undercard.distilled.lacking", lambda backend, steps: f"{backend} lacks {steps}")
    record = film.record(0, film.take(0, EXACT), passed=False)
    finding = record.takes[0].verdict.findings[0].model_copy(update={"fault": Fault.SOFT})
    soft = record.takes[0].model_copy(update={"verdict": Verdict(findings=(finding,))})

    (posed, *_) = film.begun(record)
    (softened, *_) = film.begun(record.model_copy(update={"takes": (soft,)}))

    assert posed.lacks_steps == ""
    assert softened.lacks_steps == "hungry lacks 8"
    monkeypatch.setattr(backends, "heeded", lambda _: frozenset({"steps"}))
    assert softened.lacks_steps == ""


def test_the_control_image_of_a_take_that_stands_is_used_again(film: Film) -> None:
    take = film.take(1, COARSE)

    pursuits = film.begun(film.record(0, film.take(0, EXACT)), film.record(1, take), exact=True)

    assert pursuits[1].control == take.control


def test_after_a_rejection_the_next_take_has_the_next_number(film: Film) -> None:
    pursuits = film.begun(film.record(0, film.take(0, EXACT), passed=False))

    assert (pursuits[0].next_take, pursuits[0].last_take) == (2, 4)


def test_a_take_that_stepped_down_is_bettered_when_what_it_fell_from_fits(film: Film) -> None:
    takes = film.take(0, EXACT), film.take(1, COARSE, FELL_FROM_EXACT)

    assert bettered(film, *takes, offered={EXACT, COARSE}) == [False, True]
    assert bettered(film, *takes, offered={COARSE}) == [False, False]


def test_what_was_chosen_for_all_of_a_film_is_no_step_down(film: Film) -> None:
    takes = film.take(0, COARSE), film.take(1, COARSE)

    assert bettered(film, *takes, offered={EXACT, COARSE}) == [False, False]


def test_a_film_that_became_mixed_by_an_edit_is_made_exact_where_part_of_it_is(film: Film) -> None:
    takes = film.take(0, EXACT), film.take(1, COARSE)

    assert bettered(film, *takes, offered={EXACT}) == [False, True]


def test_the_previz_always_gives_way_to_a_model(film: Film) -> None:
    takes = film.take(0, PREVIZ), film.take(1, PREVIZ)

    assert bettered(film, *takes, offered={COARSE}) == [True, True]


def test_what_earlier_runs_made_is_left_alone_unless_an_upgrade_is_asked_for(film: Film) -> None:
    takes = film.take(0, EXACT), film.take(1, COARSE, FELL_FROM_EXACT)

    assert bettered(film, *takes, offered={EXACT}, fresh=True) == [False, False]


def test_a_take_that_is_to_be_bettered_keeps_its_seed_and_only_better_rungs_are_for_it(film: Film) -> None:
    pursuits = film.begun(film.record(0, film.take(0, EXACT)), film.record(1, film.take(1, COARSE, number=2)))
    look_higher(pursuits, {EXACT})
    needs = Needs(1, 1, 1.0)

    assert pursuits[1].pending
    assert pursuits[1].next_take == 2
    assert pursuits[1].takes_to(Rung("hungry", exact=True, needs=needs))
    assert not pursuits[1].takes_to(Rung("coarse", exact=False, needs=needs))


def test_giving_up_a_better_take_leaves_the_one_there_is(film: Film) -> None:
    pursuits = film.begun(film.record(0, film.take(0, EXACT)), film.record(1, film.take(1, COARSE)))
    look_higher(pursuits, {EXACT})

    pursuits[1].give_up("no rung is left")

    assert not pursuits[1].pending
    assert pursuits[1].error == ""
    assert pursuits[1].accepted is not None


def test_giving_up_the_only_take_fails_the_keyframe(film: Film) -> None:
    pursuit = film.begun()[0]

    pursuit.give_up("no rung is left")

    assert pursuit.record.cause == "jab-01: no rung is left"


REWORDED = Approach(
    draw=2, repairs=(Repair(remedy=Remedy.REWORDED, detail="about wrong pose", fault=Fault.WRONG_POSE, after=1),)
)
PRECISE = Approach(draw=1, repairs=(Repair(remedy=Remedy.HIGHER_PRECISION, fault=Fault.NUMERICAL, after=1),))


def test_a_take_of_a_release_that_knew_no_repairs_stands(film: Film) -> None:
    old = film.take(0, EXACT, number=2).model_copy(update={"approach": Approach()})

    pursuits = film.begun(film.record(0, old))

    assert pursuits[0].accepted == old


def test_a_repaired_take_stands_and_is_bettered_with_what_repaired_it(film: Film) -> None:
    take = film.take(0, COARSE, FELL_FROM_EXACT, number=2, approach=REWORDED)
    pursuits = film.begun(film.record(0, take))
    assert not pursuits[0].pending

    look_higher(pursuits, {EXACT})

    assert (pursuits[0].next_take, pursuits[0].approach) == (2, REWORDED)


def test_after_a_rejection_the_next_run_repairs_it_and_remembers_what_was_tried(film: Film) -> None:
    rejected = film.take(0, EXACT, number=2, approach=REWORDED)
    pursuit = film.begun(film.record(0, rejected, passed=False))[0]

    pursuit.repair(None, finer=False)

    assert [judged.take for judged in pursuit.judged] == [rejected]
    assert pursuit.approach.draw == 3
    assert [repair.remedy for repair in pursuit.approach.repairs] == [Remedy.REWORDED, Remedy.NEW_SEED]
    assert [(repair.after, repair.cause) for repair in pursuit.approach.repairs] == [(1, ""), (2, "off")]


def test_what_another_gate_rejected_is_judged_again_as_it_was_made(film: Film) -> None:
    record = film.record(0, film.take(0, EXACT), passed=False).model_copy(update={"gate": gate.REVISION - 1})

    pursuit = film.begun(record)[0]

    assert (pursuit.next_take, pursuit.approach, pursuit.judged) == (1, Approach(draw=1), [])


def test_what_another_gate_accepted_is_judged_again_as_it_was_made(film: Film) -> None:
    take = film.take(0, EXACT, number=2, approach=REWORDED)
    record = film.record(0, take).model_copy(update={"gate": gate.REVISION - 1})

    pursuit = film.begun(record)[0]

    assert (pursuit.next_take, pursuit.approach, pursuit.pending) == (2, REWORDED, True)


def test_what_was_approved_by_hand_stands_under_any_gate_until_its_request_changes(film: Film) -> None:
    record = film.record(0, film.take(0, EXACT), passed=False).model_copy(update={"gate": gate.REVISION - 1})
    approved = record.model_copy(update={"takes": (record.takes[0].model_copy(update={"approved": True}),)})

    assert not film.begun(approved)[0].pending
    other = approved.takes[0].take.model_copy(update={"key": "another"})
    changed = approved.model_copy(update={"takes": (approved.takes[0].model_copy(update={"take": other}),)})
    assert film.begun(changed)[0].pending


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


def test_one_keyframe_that_was_repaired_by_exact_pixels_is_no_reason_to_render_all_of_them_so(film: Film) -> None:
    takes = film.take(0, EXACT, approach=PRECISE), film.take(1, COARSE)

    assert bettered(film, *takes, offered={EXACT, COARSE}) == [False, False]


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
