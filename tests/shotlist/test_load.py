from __future__ import annotations

import json
import pickle
from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image

from tests.fakes.shot_lists import DUEL, duel, problems, write
from tests.paths import EXAMPLES
from undercard.errors import BadShotList
from undercard.previz import poses
from undercard.shotlist.load import load_shot_list, schema_text

SHIPPED = sorted((EXAMPLES).glob("*.yaml"))


def test_a_small_list_loads_with_its_defaults(tmp_path: Path) -> None:
    film = duel(tmp_path)

    assert (film.title, film.slug, film.fps, film.size) == ("A Duel", "a-duel", Fraction(24), (1024, 576))
    assert [(shot.id, shot.number, shot.frames) for shot in film.shots] == [("jab", 1, 24), ("nod", 2, 24)]
    assert film.shots[0].keyframes[1].poses["ray"].pose == "jab"
    assert film.shots[0].transition.kind == "cut"


def test_times_in_seconds_follow_the_films_rate(tmp_path: Path) -> None:
    film = duel(tmp_path, ("cast:", "fps: 24000/1001\ncast:"), ("length: 24", "length: 2.5s"), ("at: 8", "at: 0.5s"))

    assert film.shots[0].frames == 60
    assert film.shots[0].keyframes[1].at == 12


def test_a_shot_takes_light_seed_and_negative_prompt_from_the_film(tmp_path: Path) -> None:
    film = duel(
        tmp_path,
        ("cast:", "light: cold\nseed: 7\nnegative_prompt: blur\ncast:"),
        ("id: nod", "id: nod\n    light: spot\n    seed: 9"),
    )

    assert (film.shots[0].light, film.shots[0].seed, film.shots[0].negative_prompt) == ("cold", 7, "blur")
    assert (film.shots[1].light, film.shots[1].seed) == ("spot", 9)


def test_colours_are_hexadecimal_whichever_way_they_are_written(tmp_path: Path) -> None:
    film = duel(tmp_path, ("corner: red", 'corner: red, look: {trunks: "#AABBCC", gloves: gold}'))

    assert film.cast["ray"].look.trunks == "#aabbcc"
    assert film.cast["ray"].look.gloves == "#d0a02e"


def test_a_reference_beside_the_list_is_found(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "ray.png")

    film = duel(tmp_path, ("name: Ray", "name: Ray, reference: ray.png"))

    assert film.cast["ray"].reference == (tmp_path / "ray.png").resolve()


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Blood & Thunder: Round 2!", "blood-thunder-round-2"),
        ("Élan Noir", "elan-noir"),
        ("拳", "拳"),
        ("../../etc/passwd", "etc-passwd"),
        ("!!!", "film"),
        ("a" * 100, "a" * 60),
    ],
)
def test_the_slug_is_safe_as_a_file_name(tmp_path: Path, title: str, slug: str) -> None:
    assert duel(tmp_path, ("title: A Duel", f"title: {title!r}")).slug == slug


def test_the_same_file_loads_to_an_equal_list_that_pickles(tmp_path: Path) -> None:
    film = duel(tmp_path)

    assert load_shot_list(tmp_path / "duel.yaml") == film
    assert hash(load_shot_list(tmp_path / "duel.yaml")) == hash(film)
    assert pickle.loads(pickle.dumps(film)) == film


def test_a_list_of_two_thousand_shots_loads_and_one_more_does_not(tmp_path: Path) -> None:
    head = DUEL[: DUEL.index("  - id: jab")]
    shot = "  - {{id: s{0}, length: 2, keyframes: [{{at: 0, poses: {{ray: jab}}}}]}}\n"
    many = head + "".join(shot.format(number) for number in range(2000))

    assert len(load_shot_list(write(tmp_path, many)).shots) == 2000
    with pytest.raises(BadShotList, match="2,001 shots; keep to 2,000"):
        load_shot_list(write(tmp_path, many + shot.format("-last")))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_list_loads(path: Path) -> None:
    assert load_shot_list(path).shots


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_list_names_the_schema_for_editors(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=schema.json\n")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_keyframes_of_a_shipped_list_fall_on_twos(path: Path) -> None:
    odd = [(shot.id, key.at) for shot in load_shot_list(path).shots for key in shot.keyframes if key.at % 2]

    assert odd == []


def test_the_shipped_schema_is_current() -> None:
    path = SHIPPED[0].parent / "schema.json"

    assert path.read_text(encoding="utf-8") == schema_text(), "undercard schema > data/shots/schema.json"


def test_the_schema_offers_every_pose_with_its_description() -> None:
    pose = json.loads(schema_text())["$defs"]["Cue"]["anyOf"][0]

    assert pose["enum"] == list(poses.names())
    assert pose["enumDescriptions"] == [poses.pose_card(name) for name in poses.names()]


def test_the_schema_does_not_offer_what_is_never_written() -> None:
    shot = json.loads(schema_text())["$defs"]["Shot"]

    assert "number" not in shot["properties"]
    assert "length" in shot["required"]


def test_no_change_at_all_is_no_problem(tmp_path: Path) -> None:
    assert problems(tmp_path) == ()
