from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TypeAlias

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.shot_lists import DUEL
from undercard.errors import BadShotList
from undercard.shotlist import direction, prompts
from undercard.shotlist.load import load_shot_list
from undercard.shotlist.models import ShotList

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
RICH = (
    DUEL.replace("length: 24", "length: 2s\n    camera: {name: low, subject: ray}\n    transition: dip", 1).replace(
        "{at: 8,", "{at: 8, speed: 0.5, freeze: 3,"
    )
    + """\
  - id: again
    length: 12
    replay: {of: jab, at: 4, speed: 0.5}
    transition: {kind: wipe_left, frames: 5}
    title: {text: The jab, under: again, at: 2, length: 8}
    lower_third: {fighter: ray, note: Challenger}
    clock: {round: 1, left: "2:58"}
    score: [{fighter: ray, points: 10}]
    caption: Again.
captions: burned
"""
)
WORDS = ("id", "ray", "jab", "guard", "at", "length", "poses", "pose", "1:30", "2s", "-1", "", "wide", "head", "none")
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.integers(0, 60)
    | st.floats()
    | st.sampled_from(WORDS)
    | st.text(max_size=12)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=3),
    max_leaves=6,
)


def places(value: Json, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the path of every value inside *value*."""
    found = [path] if path else []
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        found += places(inner, (*path, key))
    return found


def put(value: Json, path: tuple[str | int, ...], new: Json) -> Json:
    """Return *value* with *new* at *path*."""
    if not path:
        return new
    if isinstance(value, dict):
        return {key: put(inner, path[1:], new) if key == path[0] else inner for key, inner in value.items()}
    assert isinstance(value, list)
    return [put(inner, path[1:], new) if index == path[0] else inner for index, inner in enumerate(value)]


def loaded(content: bytes) -> ShotList | BadShotList:
    """Return the film that *content* is, or what is said against it; anything else that is raised is a bug."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.yaml"
        path.write_bytes(content)
        try:
            return load_shot_list(path)
        except BadShotList as exc:
            return exc


def value_at(value: Json, path: tuple[str | int, ...]) -> Json:
    """Return what stands at *path* in *value*."""
    for key in path:
        value = value[key]  # type: ignore[index]  # `places` found it there
    return value


def near(value: Json) -> list[Json]:
    """Return values of the same kind, which a film may well have instead."""
    match value:
        case bool():
            return [not value]
        case int() | float():
            return [value + 1, value - 1, value / 2]
        case str():
            return [f"{value}x"]
        case _:
            return [value]


def stages(film: Json) -> bool:
    """Say whether *film* can be staged, having staged it to its end; else it must be told what is wrong with it."""
    found = loaded(yaml.safe_dump(film, allow_unicode=True, sort_keys=False).encode())
    if isinstance(found, BadShotList):
        assert found.problems
        return False
    for shot in found.shots:
        assert direction.staging_at(found, shot, shot.timing.moment(shot.frames - 1)).light == shot.light
        assert prompts.prompt(found, shot, shot.keyframes[-1])
    return True


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_stands_in_a_list_it_can_be_staged_or_its_faults_are_told(data: st.DataObject) -> None:
    film: Json = yaml.safe_load(RICH)
    for _ in range(data.draw(st.integers(1, 2))):
        place = data.draw(st.sampled_from(places(film)))
        film = put(film, place, data.draw(st.sampled_from(near(value_at(film, place))) | VALUES))

    stages(film)


def test_a_list_in_which_one_value_is_a_little_otherwise_can_be_staged_or_its_fault_is_told() -> None:
    film: Json = yaml.safe_load(RICH)
    films = [put(film, place, other) for place in places(film) for other in near(value_at(film, place))]

    staged = [stages(one) for one in films]

    # Of both there are many, or the one or the other would be tried in vain.
    assert staged.count(True) > 30
    assert staged.count(False) > 30


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=80) | st.text("-:[]{}&*!?|>'\"%@#,ab1 \n", max_size=60).map(str.encode))
def test_whatever_bytes_a_file_holds_its_faults_are_told(content: bytes) -> None:
    found = loaded(content)

    assert isinstance(found, BadShotList)
    assert found.problems
