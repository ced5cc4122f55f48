"""What a piece of the film costs: frames that are drawn, encoded, and repeated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests import here
from tests.fakes.shot_lists import duel
from undercard.film.timeline.timeline import Piece
from undercard.hardware.devices import Device
from undercard.planning.piece_costs import drawn_in, piece_cost
from undercard.planning.plan import Plan, plan_film

HERE = Device(cores=1, host_bytes=0)
LONG = "  - id: nod\n    length: 100\n"


def planned(folder: Path, *changes: tuple[str, str]) -> Plan:
    """Plan the duel, whose second shot stands still for 100 frames."""
    film = duel(folder, ("  - id: nod\n    length: 24\n", LONG), *changes)
    return plan_film(film, HERE, here.settings(), backend="previz", size=(128, 72))


def piece(plan: Plan, name: str) -> Piece:
    return next(each for each in plan.timeline.pieces() if each.name == name)


def costs(plan: Plan, drawn: int, encoded: int, repeated: int) -> float:
    return plan.draw_seconds * drawn + plan.encode_seconds * encoded + plan.repeat_seconds * repeated


def test_what_lies_between_keyframes_is_drawn_on_twos(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    jab = piece(plan, "jab")

    # Keyframes fall on 0 and 8, and the last of them stands to the end.
    assert drawn_in(plan, jab.spans[0]) == (2, 4, 6)
    assert piece_cost(plan, jab) == pytest.approx(costs(plan, drawn=3, encoded=24, repeated=0))


def test_a_picture_that_stands_is_encoded_once_and_repeated(tmp_path: Path) -> None:
    plan = planned(tmp_path)

    assert piece_cost(plan, piece(plan, "nod")) == pytest.approx(costs(plan, drawn=0, encoded=1, repeated=99))


@pytest.mark.parametrize(("runs", "encoded", "repeated"), [("true", 100, 0), ("false", 1, 99)])
def test_a_running_clock_lets_no_picture_stand(tmp_path: Path, runs: str, encoded: int, repeated: int) -> None:
    clock = f'    clock: {{round: 1, left: "2:58", runs: {runs}}}\n'

    plan = planned(tmp_path, (LONG, LONG + clock))

    cost = piece_cost(plan, piece(plan, "nod"))
    assert cost == pytest.approx(costs(plan, drawn=0, encoded=encoded, repeated=repeated))


def test_a_transition_draws_what_both_of_its_shots_need_and_repeats_nothing(tmp_path: Path) -> None:
    fade = "    transition: {kind: crossfade, frames: 20}\n"

    plan = planned(tmp_path, (LONG, LONG + fade))

    # The first four frames of the jab are its own: what falls on 2 is drawn there.
    mixed = piece(plan, "jab → nod")
    assert [drawn_in(plan, span) for span in mixed.spans] == [(4, 6), ()]
    assert piece_cost(plan, mixed) == pytest.approx(costs(plan, drawn=2, encoded=20, repeated=0))
    assert piece_cost(plan, piece(plan, "jab")) == pytest.approx(costs(plan, drawn=1, encoded=4, repeated=0))


def test_a_backend_that_does_not_animate_draws_nothing_between_keyframes(tmp_path: Path) -> None:
    plan = replace(planned(tmp_path), animates=False)

    assert drawn_in(plan, piece(plan, "jab").spans[0]) == ()
    assert piece_cost(plan, piece(plan, "jab")) == pytest.approx(costs(plan, drawn=0, encoded=24, repeated=0))


def test_a_motion_of_stills_alone_draws_nothing(tmp_path: Path) -> None:
    plan = planned(tmp_path, ("    length: 24\n", "    length: 24\n    motion: push_in\n"))

    assert piece_cost(plan, piece(plan, "jab")) == pytest.approx(costs(plan, drawn=0, encoded=24, repeated=0))
