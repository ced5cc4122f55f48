"""What is done about a fault: each cause has its answer, none is given twice, and each makes another request."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tests import here
from tests.fakes import shot_lists
from undercard import backends
from undercard.domain import pictures
from undercard.domain.requests import Control
from undercard.domain.takes import Approach, Remedy, Repair
from undercard.gate.contract import Fault, Finding, Verdict
from undercard.gate.repairs import REMEDIES, SAME_SEED, Means, next_draw, repairs_for, severity, treatment
from undercard.hardware.devices import Device
from undercard.planning.keyframe import PlannedKeyframe
from undercard.planning.plan import plan_film
from undercard.production.keyframes.conditioning import control_request, draw_control
from undercard.production.keyframes.takes import asked
from undercard.shotlist import prompts
from undercard.shotlist.load import load_shot_list

ANYTHING = Means(
    prompted=True,
    heeds=frozenset({"steps", "whole"}),
    tiled=True,
    steps=4,
    finer=True,
    control="skeleton",
    renumbers=True,
    knows_somebody=True,
    neighbours_draw=3,
)
"""Where everything can be done."""
BARE = Means(prompted=True)
PREVIZ = Means(prompted=False)
SIZE = (128, 72)


def rejected(*faults: Fault | None, score: float = 1.0) -> Verdict:
    return Verdict(
        findings=tuple(
            Finding(check=f"check {number}", score=score, threshold=0.5, passed=False, cause=f"{fault}!", fault=fault)
            for number, fault in enumerate(faults)
        )
    )


def road(fault: Fault | None, means: Means, takes: int = 8) -> list[str]:
    """Return what is done one take after the other about a fault that nothing mends."""
    done: list[Repair] = []
    for number in range(1, takes):
        repairs = repairs_for(rejected(fault), number, done, means)
        if not repairs:
            break
        done += repairs
        draw = next_draw(repairs, means)
        means = replace(means, draw=draw, drawn=max(draw, means.drawn))
    return [str(repair) for repair in done]


SEEDS = ["new seed: seed 2", "new seed: seed 3", "new seed: seed 4"]


@pytest.mark.parametrize(
    ("fault", "first"),
    [
        (Fault.NUMERICAL, ["higher precision: exact pixels", *SEEDS]),
        (Fault.SOFT, ["more steps: 8", *SEEDS]),
        (Fault.NOISY, ["more steps: 8", *SEEDS]),
        (Fault.BURNT, ["more steps: 8", *SEEDS]),
        (Fault.BANDED, ["decoded whole", "more steps: 8", *SEEDS]),
        (Fault.BLOCKY, ["more steps: 8", "reworded: about blocky", "new seed: seed 3"]),
        (Fault.TILED, ["decoded whole", "more steps: 8", *SEEDS]),
        (Fault.WRONG_FRAME, ["rendered again: seed 2", "rendered again: seed 3"]),
        (Fault.WRONG_LIGHT, ["rendered again: seed 2", "rendered again: seed 3"]),
        (
            Fault.WRONG_POSE,
            ["stronger control image: depth", "stronger control image: frame", "reworded: about wrong pose"],
        ),
        (
            Fault.EXTRA_LIMB,
            ["stronger control image: depth", "stronger control image: frame", "reworded: about extra limb"],
        ),
        (Fault.SWAPPED, ["re-anchored", "reworded: about swapped fighters", "new seed: seed 4"]),
        (Fault.JUMP, ["neighbour's seed: seed 3", "neighbour shown", "new seed: seed 4"]),
        (None, SEEDS),
    ],
)
def test_each_fault_is_answered_in_its_own_order(fault: Fault | None, first: list[str]) -> None:
    assert road(fault, ANYTHING)[: len(first)] == first


@pytest.mark.parametrize("fault", [Fault.NOT_EDITED, Fault.REPEATED])
def test_what_gives_a_picture_back_is_reworded_and_then_sees_another_and_never_gets_a_seed_alone(fault: Fault) -> None:
    made = road(fault, replace(ANYTHING, control="frame"))

    assert made[:2] == [f"reworded: about {fault}", "other control image: depth"]
    assert not any("seed" in repair for repair in made)


@pytest.mark.parametrize("fault", [*Fault, None])
def test_no_repair_is_made_twice_for_a_keyframe(fault: Fault | None) -> None:
    for means in (ANYTHING, BARE, PREVIZ):
        made = road(fault, means)
        assert len(set(made)) == len(made)


def test_what_cannot_be_done_is_passed_over() -> None:
    assert road(Fault.NUMERICAL, BARE)[0] == "new seed: seed 2"
    assert road(Fault.TILED, replace(BARE, heeds=frozenset({"whole"})))[0] == "new seed: seed 2"
    assert road(Fault.TILED, replace(BARE, heeds=frozenset({"whole"}), tiled=True))[0] == "decoded whole"
    assert road(Fault.SOFT, replace(BARE, heeds=frozenset({"steps"}), steps=8))[0] == "new seed: seed 2"
    assert road(Fault.WRONG_COUNT, BARE)[0] == "reworded: about wrong count"
    assert road(Fault.SWAPPED, replace(ANYTHING, renumbers=False))[0] == "reworded: about swapped fighters"
    assert road(Fault.JUMP, BARE)[0] == "new seed: seed 2"


def test_for_what_follows_the_staging_itself_only_its_noise_is_open() -> None:
    assert {fault for fault in Fault if not road(fault, PREVIZ)} == {Fault.NOT_EDITED, Fault.REPEATED}
    assert all("seed" in repair for fault in Fault for repair in road(fault, PREVIZ))


def test_every_fault_is_answered_at_once_but_one_that_spoils_the_picture_speaks_alone() -> None:
    both = repairs_for(rejected(Fault.SOFT, Fault.WRONG_POSE), 1, (), ANYTHING)
    black = repairs_for(rejected(Fault.SOFT, Fault.BURNT, Fault.NUMERICAL, None), 1, (), ANYTHING)

    assert [(repair.fault, repair.remedy) for repair in both] == [
        ("soft", Remedy.MORE_STEPS),
        ("wrong pose", Remedy.STRONGER_CONTROL),
    ]
    assert [(repair.fault, repair.cause, repair.after) for repair in black] == [
        ("numerical failure", "numerical failure!", 1)
    ]


def test_a_seed_stays_where_nothing_but_the_fault_is_to_change() -> None:
    means = replace(ANYTHING, draw=2, drawn=4)
    draws = {remedy: next_draw([Repair(remedy=remedy)], means) for remedy in Remedy}

    assert {remedy for remedy, draw in draws.items() if draw == 2} == SAME_SEED - {Remedy.NEIGHBOURS_SEED}
    assert draws[Remedy.NEIGHBOURS_SEED] == 3
    assert draws[Remedy.NEW_SEED] == draws[Remedy.STRONGER_CONTROL] == draws[Remedy.REWORDED] == 5


def test_the_fewest_and_least_severe_faults_are_the_best() -> None:
    passed = Finding(check="blur", score=0.6, threshold=0.5, passed=True, cause="")
    marginal, far = (rejected(Fault.SOFT, score=score) for score in (0.49, 0.01))

    order = [
        Verdict(findings=(passed,)),
        marginal,
        far,
        rejected(Fault.SOFT, Fault.NOISY, score=0.49),
        rejected(Fault.NUMERICAL, score=0.49),
    ]

    found = [severity(verdict) for verdict in order]
    assert found == sorted(found)
    assert len(set(found)) == len(found)
    assert found[0] == 0.0


# From a repair to the request.


@pytest.fixture
def keyframe(tmp_path: Path) -> PlannedKeyframe:
    for name in ("ray", "sol"):
        Image.new("RGB", (8, 8), "red" if name == "ray" else "blue").save(tmp_path / f"{name}.png")
    film = load_shot_list(
        shot_lists.write(
            tmp_path,
            shot_lists.changed(
                ("corner: red", "corner: red, reference: ray.png"),
                ("corner: blue", "corner: blue, reference: sol.png"),
                ("length: 24", "control: skeleton\n    length: 24"),
            ),
        )
    )
    plan = plan_film(film, Device(cores=1, host_bytes=0), here.settings(), backend="previz", size=SIZE)
    plan = replace(plan, prompted=True, renderer="")
    return plan.keyframes(plan.shots[0])[0]


@pytest.fixture
def control(keyframe: PlannedKeyframe) -> Control:
    return draw_control(control_request(keyframe.request(1)), here.store())


def approach(*remedies: tuple[Remedy, str], fault: Fault = Fault.SWAPPED) -> Approach:
    return Approach(
        draw=1,
        repairs=tuple(Repair(remedy=remedy, detail=detail, fault=fault) for remedy, detail in remedies),
        neighbour=pictures.stored(Image.new("RGB", SIZE, "green"), here.store()),
    )


def test_without_repairs_a_request_is_what_it_was_before_there_were_any(
    keyframe: PlannedKeyframe, control: Control
) -> None:
    request = asked(keyframe, "comfyui", Approach(draw=2), control, exact=False)

    assert (request.steps, request.whole) == (0, False)
    assert request.seed == keyframe.request(2).seed
    assert request.prompt == keyframe.prompt


@pytest.mark.parametrize(
    "repair",
    [
        (Remedy.DECODED_WHOLE, ""),
        (Remedy.MORE_STEPS, "8"),
        (Remedy.STRONGER_CONTROL, "depth"),
        (Remedy.OTHER_CONTROL, "frame"),
        (Remedy.REWORDED, "about swapped fighters"),
        (Remedy.ANCHORED, ""),
        (Remedy.NEIGHBOUR_SHOWN, ""),
    ],
    ids=lambda repair: repair[0],
)
def test_a_repair_makes_another_request_with_the_same_seed(
    keyframe: PlannedKeyframe, control: Control, repair: tuple[Remedy, str]
) -> None:
    plain = asked(keyframe, "comfyui", Approach(draw=1), control, exact=False)
    repaired = asked(keyframe, "comfyui", approach(repair), control, exact=False)

    assert repaired.key != plain.key
    assert repaired.seed == plain.seed
    assert repaired.staging == plain.staging


def test_a_backend_is_asked_for_nothing_that_it_does_not_heed(keyframe: PlannedKeyframe, control: Control) -> None:
    both = approach((Remedy.DECODED_WHOLE, ""), (Remedy.MORE_STEPS, "8"))

    assert asked(keyframe, "cpu-offload", both, control, exact=True) == asked(
        keyframe, "cpu-offload", Approach(draw=1), control, exact=True
    )
    assert asked(keyframe, "previz", both, control, exact=False) == keyframe.request_on("previz", 1, exact=False)


def test_more_steps_are_asked_of_the_weights_that_are_made_for_them(
    keyframe: PlannedKeyframe, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "heeded", lambda *_: frozenset({"steps"}))
    monkeypatch.setattr(
        backends, "renderer_name", lambda name, _settings, *, exact, steps=0: f"{steps or 4} steps of {name}"
    )

    plain = asked(keyframe, "bf16", Approach(draw=1), control, exact=True)
    more = asked(keyframe, "bf16", approach((Remedy.MORE_STEPS, "8")), control, exact=True)

    assert (plain.renderer, plain.steps) == ("4 steps of bf16", 0)
    assert (more.renderer, more.steps) == ("8 steps of bf16", 8)


def test_pictures_and_the_prompt_that_numbers_them_change_places_together(
    keyframe: PlannedKeyframe, control: Control
) -> None:
    plain = asked(keyframe, "comfyui", Approach(draw=1), control, exact=False)
    ray, sol = plain.references[1:]

    anchored = asked(keyframe, "comfyui", approach((Remedy.ANCHORED, "")), control, exact=False)
    shown = approach((Remedy.NEIGHBOUR_SHOWN, ""))
    matched = asked(keyframe, "comfyui", shown, control, exact=False)

    assert anchored.references == (ray, sol, plain.control)
    assert "Picture 1 shows Ray" in anchored.prompt
    assert "Picture 2 shows Sol" in anchored.prompt
    assert "Picture 3 shows the fighters' skeletons" in anchored.prompt
    assert "Who is who comes first: Ray and Sol" in anchored.prompt
    assert shown.neighbour is not None
    assert matched.references == (plain.control, shown.neighbour.sha256, ray)
    assert "Picture 2 is the moment before this one" in matched.prompt
    assert "Picture 3 shows Ray" in matched.prompt
    assert "shows Sol" not in matched.prompt


def test_what_is_insisted_on_is_about_the_fault(keyframe: PlannedKeyframe) -> None:
    told = {
        fault: keyframe.treated(treatment([Repair(remedy=Remedy.REWORDED, fault=fault)], "skeleton")).prompt
        for fault, remedies in REMEDIES.items()
        if fault is not None and Remedy.REWORDED in remedies
    }

    assert all(prompt.startswith(keyframe.prompt) and prompt != keyframe.prompt for prompt in told.values())
    assert len(set(told.values())) == len(told)
    assert "exactly Ray and Sol and nobody else" in told[Fault.WRONG_COUNT]
    assert "two arms with one glove each" in told[Fault.EXTRA_LIMB]
    assert not any("{" in prompt for prompt in told.values())


def test_a_prompt_of_ones_own_that_counts_no_pictures_keeps_their_order(tmp_path: Path) -> None:
    plain = shot_lists.duel(tmp_path)
    own = shot_lists.duel(tmp_path, ("cast:", "prompt_template: 'Picture 1, but real: {prompt}'\ncast:"))

    assert prompts.counts_its_pictures(plain)
    assert not prompts.counts_its_pictures(own)
