"""Who makes clips, what is told when nobody can, and what may stand in for them."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests import here
from tests.backends.clips.wan import wan
from tests.fakes.comfyui.server import FakeComfy
from tests.fakes.shot_lists import duel, problems
from undercard.backends.comfy import server
from undercard.backends.comfy.client import Client
from undercard.cli.app import app
from undercard.errors import BackendUnavailable, BadInput, UnknownBackend
from undercard.hardware.devices import Device
from undercard.planning import clips
from undercard.planning.plan import Plan, plan_film
from undercard.production.report import shot_rows
from undercard.shotlist import prompts

HERE = Device(cores=1, host_bytes=0)
CLIP = ("    length: 24\n", "    length: 24\n    motion: clip\n")
FALLING = (CLIP[0], CLIP[1] + "    clip: flow\n")


def planned(folder: Path, *changes: tuple[str, str]) -> Plan:
    return plan_film(duel(folder, *changes), HERE, here.settings(), backend="previz", size=(128, 72))


def test_a_clip_without_a_video_model_is_refused_before_anything_renders(tmp_path: Path) -> None:
    with pytest.raises(BackendUnavailable) as failure:
        planned(tmp_path, CLIP)

    assert str(failure.value) == (
        "shot 'jab': the motion is clip, and no video model is set up; start one and set UNDERCARD_CLIPS to comfyui;"
        " or say what may stand in, with `clip: {fallback: flow}` in the shot or UNDERCARD_CLIP_FALLBACK; or choose"
        " another motion"
    )


def test_a_shot_list_without_clips_asks_no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERCARD_CLIPS", "comfyui")
    monkeypatch.setattr(server, "look", lambda *_, **__: pytest.fail("asked"))

    assert planned(tmp_path).fallen == ()


@pytest.mark.parametrize("by_setting", [False, True])
def test_what_may_stand_in_does_and_the_contact_sheet_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, by_setting: bool
) -> None:
    if by_setting:
        monkeypatch.setenv("UNDERCARD_CLIP_FALLBACK", "flow")
    film = planned(tmp_path, CLIP if by_setting else FALLING)

    assert [clip.motion for clip in film.timeline.clips] == ["flow", "pose"]
    jab, nod = shot_rows(film, {})
    told = "flow in place of clip: no video model is set up; start one and set UNDERCARD_CLIPS to comfyui"
    assert (jab.motion, nod.motion) == (told, "")


def test_a_server_that_never_answered_is_told_at_once_and_one_that_did_is_waited_for(
    tmp_path: Path, comfyui: FakeComfy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERCARD_CLIPS", "comfyui")
    with pytest.raises(BackendUnavailable, match=r"shot 'jab': the motion is clip, and .*no text encoder of Wan's"):
        planned(tmp_path, CLIP)
    server.memory.forget()
    wan.give(comfyui.info)
    assert planned(tmp_path, CLIP).timeline.clips[0].motion == "clip"

    server.memory.forget()
    with monkeypatch.context() as patch:
        patch.setattr(Client, "schemas", wan.gone)
        assert planned(tmp_path, CLIP).fallen == ()


def test_settings_that_name_nothing_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERCARD_CLIP_FALLBACK", "clip")
    with pytest.raises(BadInput, match="UNDERCARD_CLIP_FALLBACK='clip' is no motion"):
        planned(tmp_path, CLIP)
    monkeypatch.setenv("UNDERCARD_CLIPS", "sora")
    with pytest.raises(UnknownBackend, match="UNDERCARD_CLIPS='sora' does not exist"):
        planned(tmp_path, CLIP)


@pytest.mark.parametrize(
    ("change", "where", "what"),
    [
        (("    length: 24\n", "    length: 24\n    clip: flow\n"), "shots › jab › clip", "its motion is 'pose'"),
        (("  - id: nod\n", "  - id: nod\n    motion: clip\n"), "shots › nod › motion", "one to end with"),
        (
            (CLIP[0], CLIP[1] + "    clip: {fallback: clip}\n"),
            "shots › jab › clip › fallback",
            "fall-back motion 'clip' does not exist",
        ),
        ((CLIP[0], CLIP[1] + "    clip: {prompts: x}\n"), "shots › jab › clip › prompts", "unknown"),
    ],
)
def test_what_is_wrong_with_a_clip_is_told_with_its_place(
    tmp_path: Path, change: tuple[str, str], where: str, what: str
) -> None:
    (found,) = problems(tmp_path, change)

    assert found.where == where
    assert what in found.what


def test_a_replay_of_a_clip_has_its_motion_and_its_fall_back(tmp_path: Path) -> None:
    nod = "  - id: nod\n    length: 24\n    keyframes:\n      - {at: 0, poses: {sol: guard}}\n"
    film = duel(tmp_path, FALLING, (nod, "  - id: again\n    length: 20\n    replay: jab\n"))

    assert [shot.motion for shot in film.shots] == ["clip", "clip"]
    assert film.shots[1].clip == film.shots[0].clip


def test_a_video_model_is_told_what_happens_and_nothing_of_pictures_it_is_not_given(tmp_path: Path) -> None:
    film = duel(tmp_path, (CLIP[0], CLIP[1] + "    clip: {fallback: flow, prompt: Sweat flies.}\n"))

    told = prompts.between(film, film.shots[0], 0, (128, 72))

    assert told.startswith("A cinematic still from a boxing film, photorealistic. Ray, first: ")
    assert "; then: " in told
    assert told.endswith("Sweat flies.")
    assert "Picture" not in told


def test_the_doctor_says_whether_clips_can_be_made(comfyui: FakeComfy, monkeypatch: pytest.MonkeyPatch) -> None:
    assert clips.described(here.settings()) == "off; UNDERCARD_CLIPS=comfyui turns them on"
    monkeypatch.setenv("UNDERCARD_CLIPS", "comfyui")
    assert clips.described(here.settings()).startswith("comfyui: the server has neither a pair of Wan 2.2 I2V 14B nor")
    server.memory.forget()
    wan.give(comfyui.info)
    assert clips.described(here.settings()) == "comfyui makes them"
    output = CliRunner().invoke(app, ["doctor"]).output
    assert "clips between keyframes: comfyui makes them" in " ".join(output.split())


def test_a_plan_says_what_stands_in_before_anything_runs(tmp_path: Path) -> None:
    duel(tmp_path, FALLING)

    output = CliRunner().invoke(app, ["plan", str(tmp_path / "duel.yaml")]).output

    assert "jab: flow in place of clip: no video model is set up" in " ".join(output.split())
