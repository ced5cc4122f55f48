from __future__ import annotations

import inspect
import pickle

import pytest

from undercard import errors
from undercard.errors import BadShotList, Faulty, OutOfMemory, Problem, UndercardError

TREE = [found for _, found in inspect.getmembers(errors, inspect.isclass) if issubclass(found, UndercardError)]
PLAIN = [found for found in TREE if not issubclass(found, Faulty | OutOfMemory)]


@pytest.fixture
def two_problems() -> BadShotList:
    return BadShotList(
        "fight.yaml",
        [
            Problem("shots › jab › keyframes[1] › at", "-3 is before the shot", "use 0 or more", line=12),
            Problem("fps", "0 is no frame rate", "use 24"),
        ],
    )


def test_the_tree_at_the_top_of_the_file_shows_every_error() -> None:
    assert errors.__doc__ is not None
    drawn = set(errors.__doc__.split())

    assert {found.__name__ for found in TREE} <= drawn


@pytest.mark.parametrize("kind", PLAIN)
def test_an_error_passes_between_processes_with_its_message(kind: type[UndercardError]) -> None:
    back = pickle.loads(pickle.dumps(kind("shot 'jab': no take was accepted")))

    assert type(back) is kind
    assert str(back) == "shot 'jab': no take was accepted"


def test_an_out_of_memory_passes_between_processes_with_its_stage_and_what_it_wanted() -> None:
    back = pickle.loads(pickle.dumps(OutOfMemory("1.2 GB wanted", stage="decode", wanted_bytes=1_200_000_000)))

    assert (str(back), back.stage, back.wanted_bytes) == ("1.2 GB wanted", "decode", 1_200_000_000)


def test_a_bad_shot_list_passes_between_processes_with_its_problems(two_problems: BadShotList) -> None:
    back = pickle.loads(pickle.dumps(two_problems))

    assert back.problems == two_problems.problems
    assert back.file == "fight.yaml"
    assert str(back) == str(two_problems)


def test_a_bad_shot_list_prints_each_problem_with_line_value_and_remedy(two_problems: BadShotList) -> None:
    assert str(two_problems).splitlines() == [
        "fight.yaml: 2 problems",
        "  fight.yaml:12: shots › jab › keyframes[1] › at: -3 is before the shot; use 0 or more",
        "  fight.yaml: fps: 0 is no frame rate; use 24",
    ]


def test_a_single_problem_is_counted_in_the_singular() -> None:
    assert str(BadShotList("a.yaml", [Problem("fps", "0", "use 24")])).startswith("a.yaml: 1 problem\n")
