"""What the gate is shown of pictures that somebody names on the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.fakes.shot_lists import duel
from undercard.domain.requests import SEED_LIMIT
from undercard.errors import BadInput, UnknownShots, UnreadableImage
from undercard.gate.evidence import Evidence
from undercard.previz.render import draw
from undercard.production.keyframes.evidence import SHEET_SIZE, alone, of_shot
from undercard.shotlist import direction
from undercard.shotlist.models import ShotList

SIZE = (64, 36)
MODEL = "bf16"


@pytest.fixture(autouse=True)
def grey_sheets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sheets be grey: drawing one takes longer than all the rest."""
    monkeypatch.setattr(
        "undercard.previz.studio.draw", lambda _staging, size, _seed: Image.new("RGB", size, (90, 90, 90))
    )


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Write a red, a green and a blue picture."""
    paths = []
    for colour in ("red", "green", "blue"):
        paths.append(tmp_path / f"{colour}.png")
        Image.new("RGB", SIZE, colour).save(paths[-1])
    return paths


@pytest.fixture
def film(tmp_path: Path) -> ShotList:
    """Load a film whose first shot has three keyframes, of which the last two are staged alike."""
    third = "      - {at: 8, ease: snap, poses: {ray: jab}}\n"
    fourth = "      - {at: 12, poses: {ray: jab}}\n"
    return duel(tmp_path, ("title: A Duel", "title: A Duel\nsize: 128x72"), (third, third + fourth))


def shown(film: ShotList, keyframe: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return the previz frame of a keyframe of the first shot, counted from 1."""
    return draw(direction.stagings(film, film.shots[0])[keyframe - 1][1], SIZE, SEED_LIMIT).image


def test_a_picture_alone_should_have_the_size_that_is_named_or_its_own(pictures: list[Path]) -> None:
    assert alone(pictures[0], None, MODEL).expected_size == SIZE
    named = alone(pictures[0], (512, 288), MODEL)
    assert (named.expected_size, named.backend, named.control) == ((512, 288), MODEL, None)


def test_what_is_no_picture_is_told_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no picture")

    with pytest.raises(UnreadableImage, match=r"a\.png cannot be read as a picture: .*; name another"):
        alone(tmp_path / "a.png", None, MODEL)


def test_each_picture_is_held_against_its_own_keyframe_and_the_picture_before(
    film: ShotList, pictures: list[Path]
) -> None:
    first, second, third = of_shot(pictures, film, "jab", 1, SIZE, MODEL)

    assert np.array_equal(first.control, shown(film, 1))  # type: ignore[arg-type]  # there is one
    assert np.array_equal(second.control, shown(film, 2))  # type: ignore[arg-type]
    assert (first.before, first.before_control, first.neighbours) == (None, None, ())
    assert np.array_equal(second.before, first.pixels)  # type: ignore[arg-type]
    assert np.array_equal(second.before_control, shown(film, 1))  # type: ignore[arg-type]
    assert [np.array_equal(each, first.pixels) for each in second.neighbours] == [True]
    # What is staged alike may look alike.
    assert np.array_equal(third.before, second.pixels)  # type: ignore[arg-type]
    assert third.neighbours == ()


def test_pictures_may_begin_with_a_later_keyframe(film: ShotList, pictures: list[Path]) -> None:
    (only,) = of_shot(pictures[:1], film, "1", 2, SIZE, MODEL)

    assert only.staging == direction.stagings(film, film.shots[0])[1][1]
    assert np.array_equal(only.control, shown(film, 2))  # type: ignore[arg-type]
    assert only.before is None
    assert [fighter["name"] for fighter in fighters(only)] == ["ray", "sol"]


def fighters(evidence: Evidence) -> list[dict[str, object]]:
    assert evidence.keypoints is not None
    found: list[dict[str, object]] = evidence.keypoints["fighters"]  # type: ignore[assignment]
    return found


def test_a_fighter_is_known_by_the_users_picture_or_else_by_a_sheet(tmp_path: Path, pictures: list[Path]) -> None:
    film = duel(tmp_path, ("name: Sol,", "name: Sol, reference: blue.png,"))

    (first,) = of_shot(pictures[:1], film, "jab", 1, SIZE, MODEL)

    ray, sol = first.references
    assert (ray.shape, tuple(ray[0, 0])) == ((*SHEET_SIZE, 3), (90, 90, 90))
    assert sol.shape == (SIZE[1], SIZE[0], 3)
    assert tuple(sol[0, 0]) == (0, 0, 255)


def test_the_previz_is_held_against_no_control_image_and_no_sheets(film: ShotList, pictures: list[Path]) -> None:
    _, second = of_shot(pictures[:2], film, "jab", 1, None, "previz")

    assert (second.control, second.before_control, second.references) == (None, None, ())
    assert (second.draws_itself, second.expected_size) == (True, (128, 72))
    assert second.staging == direction.stagings(film, film.shots[0])[1][1]


@pytest.mark.parametrize(
    ("shot", "first", "words"),
    [
        ("jab,nod", 1, "--shot 'jab,nod' means 2 shots; name one"),
        ("jab", 2, "shot 'jab' has 3 keyframes, and the pictures would be 2 to 4; give fewer, or a smaller --keyframe"),
        ("2", 1, "shot 'nod' has 1 keyframes, and the pictures would be 1 to 3; "),
    ],
)
def test_what_means_no_keyframes_is_refused(
    film: ShotList, pictures: list[Path], shot: str, first: int, words: str
) -> None:
    with pytest.raises(BadInput, match=f"^{words}"):
        of_shot(pictures, film, shot, first, SIZE, MODEL)


def test_a_shot_that_the_list_lacks_is_told(film: ShotList, pictures: list[Path]) -> None:
    with pytest.raises(UnknownShots, match="'hook'"):
        of_shot(pictures, film, "hook", 1, SIZE, MODEL)
