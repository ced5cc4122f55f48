"""What an image model is told: by the template, of whom the camera sees and of the pictures that it is given."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.fakes.shot_lists import duel, problems
from undercard.domain.controls import CONTROLS
from undercard.previz import poses
from undercard.shotlist import prompts


def told(folder: Path, *changes: tuple[str, str], keyframe: int = 0) -> str:
    """Return the prompt of a keyframe of the duel's first shot, once changed."""
    film = duel(folder, *changes)
    return prompts.prompt(film, film.shots[0], film.shots[0].keyframes[keyframe])


def test_a_prompt_says_who_does_what_in_which_light_seen_from_where(tmp_path: Path) -> None:
    text = told(tmp_path, ("id: jab", "id: jab\n    prompt: Sweat flies."), keyframe=1)

    assert text.startswith("A cinematic still from a boxing film")
    assert "Ray, fair skin" in text
    assert poses.pose_card("jab").rstrip(".") in text
    assert poses.pose_card("guard").rstrip(".") in text
    assert "Camera: " in text
    assert "Light: " in text
    assert text.endswith("Sweat flies.")


@pytest.mark.parametrize(("height", "angle"), [(0.4, "low angle"), (1.5, "eye level"), (3.0, "high angle")])
def test_a_camera_by_position_is_told_by_angle_and_lens(tmp_path: Path, height: float, angle: str) -> None:
    entry = f"camera: {{position: [0, {height}, 4], target: [0, 1, 0], lens_mm: 50}}\n    length: 24"

    assert f"Camera: {angle}, 50 mm lens." in told(tmp_path, ("length: 24", entry))


def test_a_keyframes_own_prompt_takes_the_place_of_the_shots(tmp_path: Path) -> None:
    changes = (("id: jab", "id: jab\n    prompt: Sweat."), ("at: 8", "at: 8, prompt: Blood."))

    assert told(tmp_path, *changes).endswith("Sweat.")
    assert told(tmp_path, *changes, keyframe=1).endswith("Blood.")


def test_a_template_of_ones_own_orders_the_prompt(tmp_path: Path) -> None:
    text = told(tmp_path, ("cast:", "prompt_template: '{title} | {prompt}{{x}}'\nprompt: s\ncast:"))

    assert text == "A Duel | {x}"


def test_pictures_are_named_in_the_order_in_which_a_model_gets_them(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "sol.png")

    text = told(tmp_path, ("corner: blue", "corner: blue, reference: sol.png"))

    first, second, third = (text.index(f"Picture {number} ") for number in (1, 2, 3))
    assert first < second < third
    assert "Picture 1 is a rough 3D render of this shot" in text
    assert "Picture 2 is a character sheet of Ray, the boxer in crimson trunks on the left" in text
    assert "Picture 3 shows Sol, the boxer in royal blue trunks on the right: keep this face" in text


def test_a_film_without_sheets_numbers_the_pictures_that_are_left(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "sol.png")
    changes = (("cast:", "sheets: false\ncast:"), ("corner: blue", "corner: blue, reference: sol.png"))

    text = told(tmp_path, *changes)

    assert "Picture 2 shows Sol" in text
    assert "Picture 3" not in text
    assert "Ray, fair skin" in text


def test_who_is_seen_alone_is_on_no_side(tmp_path: Path) -> None:
    text = told(tmp_path, ("length: 24", "camera: close_up\n    length: 24"))

    assert "Picture 2 is a character sheet of Ray, the boxer in crimson trunks, one person twice" in text
    assert "Picture 3" not in text


def test_whom_the_camera_does_not_see_is_not_spoken_of(tmp_path: Path) -> None:
    text = told(tmp_path, ("length: 24", "camera: close_up\n    length: 24"))

    assert "Ray, fair skin" in text
    assert "Sol" not in text


def test_a_glove_that_reaches_into_a_close_up_is_told_and_needs_no_picture(tmp_path: Path) -> None:
    camera = "camera: {position: [0.4, 1.45, 1.1], target: [0.4, 1.45, 0.05], lens_mm: 70}\n    length: 24"

    text = told(tmp_path, ("length: 24", camera), keyframe=1)

    assert "Ray, fair skin" in text
    assert "Picture 2 is a character sheet of Sol" in text
    assert "Picture 3" not in text


@pytest.mark.parametrize("kind", sorted(CONTROLS))
def test_a_prompt_says_what_its_control_image_is(tmp_path: Path, kind: str) -> None:
    text = told(tmp_path, ("length: 24", f"control: {kind}\n    length: 24"))

    assert CONTROLS[kind].told() in text
    assert not any(other.told() in text for name, other in CONTROLS.items() if name != kind)


def test_a_shot_takes_the_films_control_image_and_a_keyframe_its_own(tmp_path: Path) -> None:
    changes = (("cast:", "control: depth\ncast:"), ("at: 8", "at: 8, control: skeleton"))

    assert CONTROLS["depth"].told() in told(tmp_path, *changes)
    assert CONTROLS["skeleton"].told() in told(tmp_path, *changes, keyframe=1)


def test_a_control_image_that_does_not_exist_is_told_with_its_place_and_the_nearest(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, ("length: 24", "control: dept\n    length: 24"))

    assert found.what == "control image 'dept' does not exist"
    assert found.remedy == "did you mean depth?"
    assert "shots › jab › control" in found.where


def test_a_template_without_the_pictures_leaves_them_to_its_author(tmp_path: Path) -> None:
    text = told(tmp_path, ("cast:", "prompt_template: '{fighters}'\ncast:"))

    assert "Picture" not in text


def test_what_a_pose_card_says_to_authors_is_not_said_to_a_model(tmp_path: Path) -> None:
    text = told(tmp_path, ("ray: guard", "ray: walk_lead"))

    assert "A step of half a metre" in text
    assert "walk_pass_rear" not in text
