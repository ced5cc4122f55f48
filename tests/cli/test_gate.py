"""`undercard gate` as people meet it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.test_app import SHOTS, run
from tests.fakes.judge import FakeJudge, Fault, says
from tests.gate.pictures import blurred, keyframe
from undercard.cli.verdict_picture import PANEL_WIDTH
from undercard.domain.requests import SEED_LIMIT
from undercard.previz.render import draw
from undercard.shotlist import direction
from undercard.shotlist.load import load_shot_list


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    Image.fromarray(keyframe()).save(tmp_path / "jab.png")
    return tmp_path / "jab.png"


@pytest.fixture
def soft(tmp_path: Path) -> Path:
    Image.fromarray(blurred(keyframe(), 3)).save(tmp_path / "soft.png")
    return tmp_path / "soft.png"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Draw the first keyframe of the first shot of the sparring, as the previz does."""
    film = load_shot_list(SHOTS / "sparring.yaml")
    staging = direction.stagings(film, film.shots[0])[0][1]
    path = tmp_path_factory.mktemp("drawn") / "first.png"
    Image.fromarray(draw(staging, film.size, SEED_LIMIT).image).save(path)
    return path


def test_a_good_picture_is_accepted_and_its_scores_are_drawn(picture: Path) -> None:
    status, output = run("gate", str(picture))

    assert status == 0
    assert "accepted" in output
    with Image.open(picture.with_name("jab.gate.png")) as annotated:
        assert annotated.width > 512 + PANEL_WIDTH


def test_a_rejected_picture_ends_with_status_3_and_its_cause(picture: Path, soft: Path) -> None:
    status, output = run("gate", str(picture), str(soft))

    assert status == 3
    assert "jab.png: accepted" in output
    assert "blur: nothing is in focus" in output


def test_json_holds_every_finding(soft: Path) -> None:
    status, output = run("gate", str(soft), "--json")

    verdict = json.loads(output)[0]
    assert status == 3
    assert verdict["faults"] == ["soft"]
    blur = next(finding for finding in verdict["findings"] if finding["check"] == "blur")
    assert blur["score"] < blur["threshold"]


def test_a_keyframe_is_held_against_what_its_shot_asks_for(drawn: Path, tmp_path: Path) -> None:
    shot = load_shot_list(SHOTS / "sparring.yaml").shots[0].id
    place = ("--shot", shot, "--list", str(SHOTS / "sparring.yaml"), "--into", str(tmp_path))

    assert run("gate", str(drawn), *place, "--backend", "previz")[0] == 0

    # As a model's picture it is its own control image.
    status, output = run("gate", str(drawn), *place, "--json")
    assert status == 3
    assert "not edited" in json.loads(output)[0]["faults"]


def test_the_size_of_the_list_is_asked_for(tmp_path: Path) -> None:
    Image.fromarray(keyframe(size=(288, 288))).save(tmp_path / "square.png")

    status, output = run("gate", str(tmp_path / "square.png"), "--size", "512x288")

    assert status == 3
    assert "288×288 pixels, 512×288 were asked for" in output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "nothing to judge"),
        (("gone.png",), "gone.png is no file"),
        (("--shot", "jab"), "nothing to judge"),
    ],
)
def test_what_cannot_be_judged_is_told(arguments: tuple[str, ...], words: str) -> None:
    status, output = run("gate", *arguments)

    assert status == 2
    assert words in output


def test_a_shot_without_its_list_is_refused(picture: Path) -> None:
    status, output = run("gate", str(picture), "--shot", "jab")

    assert status == 2
    assert "both --shot and --list" in output


def test_more_pictures_than_keyframes_are_refused(picture: Path) -> None:
    shot = load_shot_list(SHOTS / "sparring.yaml").shots[0].id

    status, output = run(
        "gate", str(picture), "--shot", shot, "--list", str(SHOTS / "sparring.yaml"), "--keyframe", "99"
    )

    assert status == 2
    assert "keyframes, and the pictures would be 99 to 99" in output


def test_calibrating_prints_rows_for_the_table(tmp_path: Path) -> None:
    for index, reach in enumerate((0.2, 0.5, 0.8)):
        for label, pixels in (("good", keyframe(reach)), ("soft", blurred(keyframe(reach), 3))):
            (tmp_path / label).mkdir(exist_ok=True)
            Image.fromarray(np.ascontiguousarray(pixels)).save(tmp_path / label / f"{index}.png")

    status, output = run("gate", "--calibrate", str(tmp_path))

    assert status == 0
    assert "[blur]" in output
    assert "3 good pictures" in output


def test_the_judge_is_heard_about_what_passes(picture: Path, soft: Path, judge: FakeJudge) -> None:
    judge.faults = [says({"verdict": "reject", "cause": "a fourth rope through his arm", "region": None})]

    status, output = run("gate", str(picture), str(soft))

    assert status == 3
    assert "judge: the judge: a fourth rope through his arm" in output
    assert "blur: nothing is in focus" in output
    assert len(judge.asked) == 1


def test_a_judge_who_says_nothing_leaves_the_verdict_and_is_told(picture: Path, judge: FakeJudge) -> None:
    judge.faults = [Fault(401, b"{}")] * 2

    status, output = run("gate", str(picture))
    _, content = run("gate", str(picture), "--json")

    assert status == 0
    assert "jab.png: accepted" in output
    assert "judge: not heard: " in output
    assert "does not take the key" in json.loads(content)[0]["judge"]["words"]
