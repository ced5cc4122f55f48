"""How much of a stranger can be seen, by the renderer's own mask."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.labelled.structure import HALF, NEARLY_WHOLE, PART, shown
from tests.previz.stagings import blue, red, staged
from undercard.domain.staging import Camera, Vec2
from undercard.previz.render import DRAFT, draw

SIZE = (256, 144)
WIDE = Camera((0.0, 1.5, 5.0), (0.0, 1.0, 0.0), 35.0)
CLOSE = Camera((0.0, 1.6, 2.2), (0.0, 1.55, 0.0), 50.0)
FIRST, SECOND = red("guard", (-0.75, 0.0)), blue("guard", (0.75, 0.0))


def share(position: Vec2, camera: Camera = WIDE) -> float:
    guest = replace(red("rest", position, facing=0.0), name="Stranger")
    crowded = staged(FIRST, SECOND, guest, camera=camera)
    return shown(draw(crowded, SIZE, 1, DRAFT), crowded)


def test_who_stands_free_between_two_is_seen_whole() -> None:
    assert share((0.0, 0.4)) >= NEARLY_WHOLE


def test_of_one_behind_another_less_is_seen() -> None:
    assert 0.0 < share((-0.75, -0.7)) < HALF


def test_nothing_is_seen_of_one_outside_the_picture() -> None:
    assert share((9.0, 0.0)) == 0.0


def test_head_and_shoulders_that_loom_in_a_close_up_are_half() -> None:
    loomed = share((0.0, 0.3), CLOSE)

    assert loomed == pytest.approx(HALF)
    assert PART < HALF
