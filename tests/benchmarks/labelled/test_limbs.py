"""How plainly a limb too many can be seen, by the renderer's own mask."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np

from benchmarks.labelled import structure
from benchmarks.labelled.limbs import Extra, extras, planted, strength
from benchmarks.labelled.shoot import shoot
from tests.previz.stagings import blue, red, staged
from undercard.domain.staging import Camera, Staging, Vec3
from undercard.gate.contract import Fault
from undercard.gate.judging import judge
from undercard.gate.pictures import Pixels
from undercard.previz.limbs import Kind, Limb
from undercard.previz.render import DRAFT, draw

SIZE = (256, 144)
WIDE = Camera((0.0, 1.5, 5.0), (0.0, 1.0, 0.0), 35.0)
STAGING = staged(red("guard", (-0.75, 0.0)), blue("guard", (0.75, 0.0)), camera=WIDE)
FIRST = STAGING.fighters[0]


def good(staging: Staging) -> Pixels:
    return draw(staging, SIZE, 1, DRAFT).image


def plain(kind: Kind = "arm", **places: Vec3) -> int | None:
    extra = Extra(Limb(replace(FIRST, pose=replace(FIRST.pose, **places)), kind, "lead"), 0)
    return strength(draw(STAGING, SIZE, 1, DRAFT, (extra.limb,)), good(STAGING), STAGING, extra)


def test_an_arm_that_is_raised_free_of_the_others_is_severe() -> None:
    assert plain(lead_hand=(0.3, 2.2, 0.2)) == 2


def test_a_glove_that_covers_the_other_glove_is_no_limb_too_many() -> None:
    assert plain(lead_hand=FIRST.pose.lead_hand) is None


def test_an_arm_that_comes_off_the_other_one_is_plainer_the_farther_it_is() -> None:
    x, y, z = FIRST.pose.lead_hand

    strengths = [plain(lead_hand=(x, y - down, z)) for down in (0.12, 0.3, 0.5)]

    assert strengths == [0, 1, 2]


def test_an_arm_behind_the_back_is_hidden() -> None:
    # He faces +x and his left is at -z: behind his trunk as the camera sees it, at his waist.
    hidden = plain(lead_hand=(0.05, 1.0, -0.05), lead_elbow=(1.0, -0.2, 0.0))

    assert hidden in (None, 0)


def test_a_third_leg_counts_as_well() -> None:
    assert plain("leg", lead_foot=(0.1, 0.5, 0.75)) == 2


def test_an_arm_outside_the_picture_is_not_seen() -> None:
    close = staged(*STAGING.fighters, camera=Camera((0.0, 0.4, 2.0), (0.0, 0.3, 0.0), 50.0))
    extra = Extra(Limb(replace(FIRST, pose=replace(FIRST.pose, lead_hand=(0.3, 2.2, 0.2))), "arm", "lead"), 0)

    assert strength(draw(close, SIZE, 1, DRAFT, (extra.limb,)), good(close), close, extra) is None


def test_what_looks_like_what_it_lies_before_is_not_seen() -> None:
    extra = Extra(Limb(replace(FIRST, pose=replace(FIRST.pose, lead_hand=(0.3, 2.2, 0.2))), "arm", "lead"), 0)
    frame = draw(STAGING, SIZE, 1, DRAFT, (extra.limb,))

    assert strength(frame, np.clip(frame.image, 20, 235), STAGING, extra) is None


def test_arms_and_legs_of_both_are_planted() -> None:
    some = list(islice(extras(STAGING, np.random.default_rng(1)), 60))

    assert {(each.about, each.limb.kind, each.limb.end) for each in some} == {
        (about, kind, end) for about in (0, 1) for kind in ("arm", "leg") for end in ("lead", "rear")
    }


def test_each_strength_is_planted_once_and_nobody_else_moves() -> None:
    alone = draw(STAGING, SIZE, 2)

    found = list(planted(STAGING, alone.image, 2, np.random.default_rng(2)))

    assert len(found) >= 2
    assert len({each for each, _ in found}) == len(found)
    for _, frame in found:
        assert all((a.xy == b.xy).all() for a, b in zip(frame.keypoints, alone.keypoints, strict=True))
        assert (frame.image != alone.image).any()


def test_a_severe_one_is_called_what_it_is() -> None:
    scene = shoot(16, (512, 288))
    drawn = {strength: pixels for name, strength, pixels in structure.drawn(scene) if name == "extra limb"}

    verdict = judge(scene.evidence(drawn[2]))

    assert verdict.faults == (Fault.EXTRA_LIMB,)
