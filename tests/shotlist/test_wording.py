"""How a prompt puts a fighter, a camera, a light and the pictures beside it into English."""

from __future__ import annotations

import pytest

from tests.fakes.stagings import LOOK
from undercard.gate.contract import Fault
from undercard.previz import cameras, poses
from undercard.shotlist import wording
from undercard.shotlist.staged import CameraEntry, CastMember

RAY = CastMember(name="Ray", corner="red")
STEP = "walk_lead"
"""Its card tells authors, after a semicolon, which pose comes next."""


def test_a_fighter_is_told_by_name_colours_stance_and_what_he_does() -> None:
    text = wording.fighter(RAY, LOOK, "jab")

    assert text == (
        "Ray, brown skin, black hair, red trunks, red gloves, black boots, orthodox stance: "
        f"{poses.pose_card('jab').rstrip('.')}."
    )


def test_what_a_card_says_to_authors_is_left_out_and_the_sentence_ends() -> None:
    before, _, note = poses.pose_card(STEP).partition(";")
    assert note

    assert wording.fighter(RAY, LOOK, STEP).endswith(f"stance: {before}.")
    assert wording.movement(RAY, STEP, STEP) == f"Ray: {before}."


def test_a_movement_goes_from_one_pose_to_the_other() -> None:
    guard, jab = (poses.pose_card(pose).rstrip(".") for pose in ("guard", "jab"))

    assert wording.movement(RAY, "guard", "jab") == f"Ray, first: {guard}; then: {jab}."


@pytest.mark.parametrize(
    ("height", "angle"),
    [(0.89, "low angle"), (0.9, "eye level"), (2.2, "eye level"), (2.21, "high angle")],
)
def test_a_camera_below_the_hip_looks_up_and_one_above_the_gloves_looks_down(height: float, angle: str) -> None:
    entry = CameraEntry(position=(0.0, height, 4.0), target=(0.0, 1.0, 0.0))

    assert wording.camera(entry) == f"Camera: {angle}, 35 mm lens."


def test_a_named_camera_is_told_by_what_it_is_for() -> None:
    assert wording.camera(CameraEntry(name="low")) == f"Camera: {cameras.about('low').rstrip('.')}."


@pytest.mark.parametrize(
    ("names", "who"),
    [
        ((), "an empty ring"),
        (("Ray",), "Ray"),
        (("Ray", "Sol"), "Ray and Sol"),
        (("Ray", "Sol", "Ann"), "Ray, Sol and Ann"),
    ],
)
def test_who_is_to_be_seen_is_listed_as_people_list_it(names: tuple[str, ...], who: str) -> None:
    text = wording.insistence([Fault.WRONG_COUNT], names, 1)

    assert text == f"Show exactly {who} and nobody else in the ring."


def test_only_the_faults_that_words_can_mend_are_insisted_on_in_their_order() -> None:
    text = wording.insistence([Fault.SOFT, Fault.NOT_EDITED, Fault.WRONG_POSE], ["Ray"], 3)

    assert text.startswith("Do not give Picture 3 back")
    assert "exactly where Picture 3 has it" in text
    assert wording.insistence([Fault.SOFT], ["Ray"], 1) == ""


@pytest.mark.parametrize(
    ("across", "others", "side"),
    [
        (0.3, [0.7], " on the left"),
        (0.7, [0.3], " on the right"),
        (0.5, [0.3, 0.7], ""),
        (0.5, [0.55], ""),
        (0.5, [0.57], " on the left"),
        (0.5, [], ""),
    ],
)
def test_a_side_is_told_only_where_it_tells_fighters_apart(across: float, others: list[float], side: str) -> None:
    assert wording.side_of(across, others) == side
