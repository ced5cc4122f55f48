"""The command line as people meet it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.fakes import shot_lists
from tests.fakes.cards import H100, Driver
from tests.fakes.judge import MODEL, FakeJudge
from tests.paths import EXAMPLES
from undercard import __version__
from undercard.cli.app import app
from undercard.hardware import nvml
from undercard.shotlist.load import load_shot_list

SHOTS = EXAMPLES


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "160", "NO_COLOR": "1"})
    return result.exit_code, result.output


def test_version_is_printed() -> None:
    assert run("--version") == (0, f"undercard {__version__}\n")


@pytest.mark.parametrize("command", ["render", "plan", "shots", "sheets", "vocabulary", "schema", "doctor"])
def test_every_command_has_help_that_says_what_it_does(command: str) -> None:
    status, output = run(command, "--help")

    assert status == 0
    assert len(output.split("Options")[0].split()) > 8


def test_shots_prints_each_shot_of_a_list() -> None:
    status, output = run("shots", str(SHOTS / "sparring.yaml"))

    assert status == 0
    assert output.count("pose") >= 1


def test_shots_prints_what_a_model_is_told_of_each_keyframe() -> None:
    status, output = run("shots", str(SHOTS / "sparring.yaml"), "--prompts")

    film = load_shot_list(SHOTS / "sparring.yaml")
    assert status == 0
    assert output.count("Picture 1 is a rough 3D render") == sum(len(shot.keyframes) for shot in film.shots)


def test_sheets_draws_whoever_has_no_picture_and_says_where_to_look(tmp_path: Path) -> None:
    path = shot_lists.write(tmp_path, shot_lists.changed(("corner: red", "corner: red, reference: ray.jpg")))
    Image.new("RGB", (40, 40)).save(tmp_path / "ray.jpg")

    status, output = run("sheets", str(path), "--into", str(tmp_path / "sheets"))

    assert status == 0
    told = "".join(output.split())
    assert f"{tmp_path / 'ray.jpg'}(yourown)" in told
    assert str(tmp_path / "sheets" / "sol.png") in told
    assert [found.name for found in (tmp_path / "sheets").iterdir()] == ["sol.png"]
    with Image.open(tmp_path / "sheets" / "sol.png") as sheet:
        assert sheet.size == (1024, 1024)


def test_plan_says_how_much_there_is_to_do() -> None:
    status, output = run("plan", str(SHOTS / "sparring.yaml"), "--size", "512x288")

    assert status == 0
    assert "512×288 on previz: about" in output
    assert "Begun now, it is done at" in output


def test_plan_without_a_shot_list_shows_the_device_and_its_ladder() -> None:
    status, output = run("plan", "--size", "640x360")

    assert status == 0
    assert "Ladder for keyframes of 640×360" in output
    assert "✓   previz" in output


def test_plan_can_be_read_by_a_program() -> None:
    status, output = run("plan", str(SHOTS / "sparring.yaml"), "--json")

    content = json.loads(output)
    assert status == 0
    assert set(content) == {"device", "work", "ladder", "film"}
    assert len(content["film"]["shots"]) == 3


def test_a_machine_whose_cards_are_hidden_says_what_hides_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvml, "_library", lambda: Driver((H100,)))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")

    _, output = run("doctor")

    assert "no graphics card: CUDA_VISIBLE_DEVICES is '', which hides all 1" in output


def test_vocabulary_explains_every_name_that_a_shot_list_may_use() -> None:
    status, output = run("vocabulary")

    assert status == 0
    assert {"guard", "over_the_shoulder", "crossfade", "push_in", "stage", "skeleton"} <= set(output.split())


def test_schema_prints_a_json_schema_that_knows_the_poses() -> None:
    status, output = run("schema")

    assert status == 0
    assert "guard" in json.dumps(json.loads(output)["$defs"]["Cue"])


def test_doctor_says_that_previz_works_here() -> None:
    status, output = run("doctor")

    assert status == 0
    assert "previz" in output
    assert "✓   previz" in output
    assert "judge: none; UNDERCARD_JUDGE names one" in output


def test_doctor_says_whether_the_judge_answers(judge: FakeJudge) -> None:
    assert f"judge: {MODEL} at {judge.url} · answers" in run("doctor")[1]

    judge.models = ()
    assert "has no model" in run("doctor")[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no-such.yaml"], "no-such.yaml"),
        ([str(SHOTS / "sparring.yaml"), "--size", "1024"], "'1024' is no frame size"),
        ([str(SHOTS / "sparring.yaml"), "--size", "1023x576"], "write even numbers"),
        ([str(SHOTS / "sparring.yaml"), "--size", "0x0"], "from 64 to 4096"),
        ([str(SHOTS / "sparring.yaml"), "--backend", "nope"], "backend 'nope' does not exist; use one of"),
        ([str(SHOTS / "sparring.yaml"), "--shots", "99"], "99"),
        ([str(SHOTS / "sparring.yaml"), "--exact"], "exact"),
    ],
)
def test_bad_input_is_refused_before_anything_starts(arguments: list[str], words: str) -> None:
    status, output = run("plan", *arguments)

    assert status in {1, 2}
    assert words in " ".join(output.split())
    assert "Traceback" not in output
