from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.fakes.shot_lists import changed, problems, write
from undercard.errors import BadShotList
from undercard.shotlist.load import load_shot_list

SECOND = "{at: 8, ease: snap, poses: {ray: jab}}"
FIRST = "{at: 0, poses: {ray: guard, sol: guard}}"

# What is changed, what it becomes, the line it is reported on, where, and what is said.
MISTAKES = [
    ("cast:", "prompts: x\ncast:", 2, "prompts", "unknown field 'prompts'; did you mean prompt"),
    ("title: A Duel", "seed: 1", 1, "title", "it is missing; add it"),
    ("title: A Duel", "title: ''", 1, "title", "it is empty; write 1 at least"),
    ("title: A Duel", "title: 12", 1, "title", "12 is no text; write text; put it in quotes"),
    ("title: A Duel", f"title: {'A' * 121}", 1, "title", "AAA… is too long; write 120 characters at most"),
    ("cast:", f"delivery: [{'hevc, ' * 17}]\ncast:", 2, "delivery", "… is too long; write 16 at most"),
    ("cast:", "fps: 0\ncast:", 2, "fps", "0 frames per second; write a number from 1 to 240"),
    ("cast:", "fps: 10000\ncast:", 2, "fps", "10000 frames per second"),
    ("cast:", "size: 0x0\ncast:", 2, "size", "a frame of 0×0 pixels; write even numbers"),
    ("cast:", "size: 1023x577\ncast:", 2, "size", "a frame of 1023×577 pixels"),
    ("cast:", "seed: -1\ncast:", 2, "seed", "-1 should be greater than or equal to 0"),
    ("cast:", "seed: yes\ncast:", 2, "seed", "'yes' should be a valid integer; write a whole number"),
    ("cast:", "light: dim\ncast:", 2, "light", "light 'dim' does not exist"),
    ("cast:", "prompt_template: '{fighters.x}'\ncast:", 2, "prompt_template", "names {fighters.x}; use {title}"),
    ("cast:", "prompt_template: '{fighters'\ncast:", 2, "prompt_template", "cannot be read"),
    ("corner: red", "corner: green", 3, "cast › ray › corner", "'green' is none of the choices; use red or blue"),
    ("corner: red", "corner: red, look: {skin: puce}", 3, "cast › ray › look › skin", "colour 'puce' is unknown"),
    ("corner: red", 'corner: red, look: {hat: "#000000"}', 3, "cast › ray › look › hat", "unknown field 'hat'"),
    ("id: jab", "id: jab/../x", 6, "shots › jab/../x › id", "'jab/../x' should match pattern '^[A-Z"),
    ("id: jab", "id: 4th", 6, "shots › 4th › id", "use letters, digits, - and _, beginning with a letter, 64 at most"),
    ("id: jab", "id: 3", 6, "shots › number 1 › id", "3 is no text"),
    ("id: nod", "id: JAB", 11, "shots › JAB › id", "has the id of shot 1 on line 6; give each shot an id"),
    ("id: nod", "id: nod\n    number: 4", 12, "shots › nod › number", "numbered by their order; remove it"),
    ("length: 24", "length: 0", 7, "shots › jab › length", "a length of 0 is no frame at all"),
    ("length: 24", "length: 1:30", 7, "shots › jab › length", "'1:30' is no time; write whole frames"),
    ("length: 24", "length: 8", 10, "shots › jab › keyframes[1] › at", "frame 8 is beyond the shot"),
    ("length: 24", "length: 200000", 5, "shots", "a film of 2.3 hours; keep it to 2 hours"),
    ("length: 24", "length: 24\n    motion: wobble", 8, "shots › jab › motion", "motion 'wobble' does not exist"),
    ("length: 24", "length: 24\n    on: 3", 8, "shots › jab › on", "unknown field 'on'"),
    ("at: 0", "at: 2", 9, "shots › jab › keyframes[0] › at", "the first keyframe falls on frame 2; put it at 0"),
    ("at: 8", "at: 0", 10, "shots › jab › keyframes[1] › at", "frame 0 does not come after frame 0"),
    ("at: 8", "at: 24", 10, "shots › jab › keyframes[1] › at", "frame 24 is beyond the shot, whose last is 23"),
    ("ray: jab", "ray: jabb", 10, "shots › jab › keyframes[1] › poses › ray › pose", "did you mean jab"),
    ("ray: jab", "roy: jab", 10, "shots › jab › keyframes[1] › poses › roy", "not in the cast; did you mean ray?"),
    ("sol: guard}}\n      - {at: 8", "ray: jab}}\n      - {at: 8", 9, "poses › ray", "again on line 9"),
    ("{ray: guard, sol: guard}", "{}", 9, "shots › jab › keyframes[0] › poses", "nobody is in the shot's first"),
    ("{ray: jab}", "{sol: {facing: roy}}", 10, "poses › sol › facing", "facing 'roy', who is not in the cast"),
    ("{ray: jab}", "{sol: {facing: sol}}", 10, "poses › sol › facing", "he faces himself"),
    ("{ray: jab}", "{ray: {pose: guard, aim: head}}", 10, "poses › ray › aim", "'guard' throws no punch to aim"),
    ("{ray: jab}", "{ray: {tune: {tail: [0, 0, 0]}, pose: jab}}", 10, "ray › tune › tail", "a pose has no 'tail'"),
    ("{ray: jab}", "{ray: {tune: {lead_hand: [0, 9, 0]}, pose: jab}}", 10, "lead_hand", "keep within ±1.5"),
    (
        "{ray: jab}",
        "{ray: {tune: {lead_hand: [0, 1]}, pose: jab}}",
        10,
        "lead_hand",
        "[0, 1] is too short; write 3 at least",
    ),
    ("{ray: jab}", "{ray: {position: [1, x]}}", 10, "position[1]", "'x' should be a valid number"),
    ("{ray: jab}", "{ray: {position: [1, 99]}}", 10, "position[1]", "99 should be less than or equal to 50"),
    ("ease: snap", "ease: boing", 10, "keyframes[1] › ease", "use linear, smooth, snap or settle"),
    ("length: 24", "camera: moon\n    length: 24", 7, "shots › jab › camera › name", "camera 'moon' does not exist"),
    ("length: 24", "camera: {lens_mm: 35}\n    length: 24", 7, "jab › camera", "needs either a name or a position"),
    ("length: 24", "camera: {position: [0,1,4]}\n    length: 24", 7, "jab › camera", "either a name or a position"),
    (
        "length: 24",
        "camera: {position: [0,1,4], target: [0,1,4]}\n    length: 24",
        7,
        "shots › jab › camera",
        "the camera looks at the point where it stands",
    ),
    (
        "length: 24",
        "camera: {name: close_up, subject: rey}\n    length: 24",
        7,
        "shots › jab › camera › subject",
        "subject 'rey' is not in the shot; did you mean ray?",
    ),
    ("id: nod", "id: nod\n    transition: wipe", 12, "shots › nod › transition › kind", "'wipe' does not exist"),
    (
        "id: nod",
        "id: nod\n    transition: {kind: crossfade, frames: 30}",
        12,
        "shots › nod › transition",
        "a crossfade of 30 frames exceeds its shots (24 and 24 frames); use at most 23",
    ),
    ("id: jab", "id: jab\n    transition: crossfade", 7, "jab › transition", "has nothing to come from"),
    ("id: nod", "id: nod\n    transition: {frames: 3}", 12, "nod › transition", "a cut of 3 frames"),
    ("corner: blue", "corner: red", 9, "shots › jab › keyframes[0] › poses", "both fight from the red corner"),
    ("name: Ray", "name: Ray, reference: ../ray.png", 3, "ray › reference", "leads outside the shot list's folder"),
    ("name: Ray", "name: Ray, reference: /etc/passwd", 3, "ray › reference", "leads outside"),
    ("name: Ray", "name: Ray, reference: ray.png", 3, "ray › reference", "does not exist beside the shot list"),
    ("name: Ray", "name: Ray, reference: duel.yaml", 3, "ray › reference", "is no picture that can be read"),
    ("cast:", "sound: {music: duel.yaml}\ncast:", 2, "sound › music", "is no music by its name"),
    ("cast:", "sound: {music: 3}\ncast:", 2, "sound › music", "3 is no path"),
]


@pytest.mark.parametrize(("old", "new", "line", "place", "said"), MISTAKES)
def test_a_mistake_is_named_with_line_place_value_and_remedy(
    tmp_path: Path, old: str, new: str, line: int, place: str, said: str
) -> None:
    found = problems(tmp_path, (old, new))

    assert [problem.line for problem in found] == [line]
    assert found[0].where.endswith(place)
    assert said in f"{found[0].what}; {found[0].remedy}"


def test_all_mistakes_of_a_file_are_told_at_once_in_its_order(tmp_path: Path) -> None:
    text = changed(
        ("title: A Duel", "titel: A Duel"),
        ("corner: red", "corner: green"),
        ("length: 24", "length: soon"),
        ("at: 8", "at: 8, at: 9"),
        ("ray: jab", "ray: jabb"),
        ("id: nod", "id: jab"),
    )

    with pytest.raises(BadShotList) as caught:
        load_shot_list(write(tmp_path, text))

    assert [problem.line for problem in caught.value.problems] == [1, 1, 3, 7, 10, 10, 11]
    assert "duel.yaml:3: cast › ray › corner: 'green' is none of the choices; use red or blue" in str(caught.value)


def test_a_file_of_thousands_of_mistakes_is_told_in_two_hundred(tmp_path: Path) -> None:
    with pytest.raises(BadShotList) as caught:
        load_shot_list(write(tmp_path, "".join(f"b{number}: 1\n" for number in range(3000))))

    assert len(caught.value.problems) == 201
    assert "more problems like these; mend these first" in str(caught.value)


def test_a_bad_light_of_the_film_is_told_once_not_for_each_shot(tmp_path: Path) -> None:
    assert len(problems(tmp_path, ("cast:", "light: dim\ncast:"))) == 1


def test_a_link_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    inside = tmp_path / "list"
    inside.mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "secret.png")
    (inside / "ray.png").symlink_to(tmp_path / "secret.png")

    found = problems(inside, ("name: Ray", "name: Ray, reference: ray.png"))

    assert "is a link that leads outside" in found[0].what


def test_a_picture_of_another_format_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "ray.png", format="GIF")

    found = problems(tmp_path, ("name: Ray", "name: Ray, reference: ray.png"))

    assert "is no picture that can be read" in found[0].what


@pytest.mark.parametrize("text", ["just words\n", "- a\n- b\n", "title: x\ncast: 3\nshots: {a: 1}\n", "42\n"])
def test_a_file_of_another_shape_is_a_clear_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadShotList) as caught:
        load_shot_list(write(tmp_path, text))

    assert all(problem.line for problem in caught.value.problems)
