"""A film of a model that nothing renders, and records of what is said to have come of its keyframes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests import here
from tests.fakes import shot_lists
from tests.paths import FAKES
from undercard import backends
from undercard.domain.requests import Control, Sheet
from undercard.domain.takes import Approach, Attempt, Remedy, Repair, Take
from undercard.gate.contract import Fault, Finding, Verdict
from undercard.gate.judging import REVISION
from undercard.hardware.devices import Device
from undercard.planning.keyframe import PlannedKeyframe
from undercard.planning.plan import plan_film
from undercard.production.keyframes.conditioning import control_request
from undercard.production.keyframes.pursuit import Pursuit, begin
from undercard.production.keyframes.takes import asked
from undercard.production.records import Judged, KeyframeRecord
from undercard.shotlist.load import load_shot_list

EXACT, COARSE, PREVIZ = "", "coarse", "previz"
REWORDED = Approach(
    draw=2, repairs=(Repair(remedy=Remedy.REWORDED, detail="about wrong pose", fault=Fault.WRONG_POSE, after=1),)
)
PRECISE = Approach(draw=1, repairs=(Repair(remedy=Remedy.HIGHER_PRECISION, fault=Fault.NUMERICAL, after=1),))


@pytest.fixture(autouse=True)
def hungry_backends(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = FAKES / "hungry_backends"
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
            gate=REVISION,
            takes=judged,
        )

    def take(self, index: int, kind: str, *detours: Attempt, number: int = 1, approach: Approach | None = None) -> Take:
        keyframe = self.keyframes[index]
        picture = here.store().put_bytes(f"{index} {kind}".encode(), ".png")
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
    loaded = load_shot_list(shot_lists.write(tmp_path))
    plan = plan_film(loaded, Device(cores=1, host_bytes=0), here.settings(), backend="previz", size=(128, 72))
    plan = replace(plan, prompted=True, renderer="")
    return Film(plan.keyframes(plan.shots[0]))
