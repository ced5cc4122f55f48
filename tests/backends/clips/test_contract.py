"""What every clip backend promises, on whatever file there is in its folder."""

from __future__ import annotations

from fractions import Fraction

import pytest

from tests import here
from tests.backends.clips.wan import wan
from tests.fakes.comfyui.server import FakeComfy
from undercard.backends import clips
from undercard.backends.comfy import server
from undercard.errors import BackendUnavailable, DeviceFault, UnknownBackend


@pytest.mark.parametrize("name", clips.names())
def test_a_backend_is_called_what_its_file_is_called(name: str) -> None:
    assert clips.clip_backend(name).name == name


@pytest.mark.parametrize("name", clips.names())
@pytest.mark.parametrize("seconds", [Fraction(1, 1000), Fraction(1, 24), Fraction(8, 24), Fraction(5), Fraction(3600)])
def test_a_clip_has_a_beginning_and_an_end_however_short_the_way(name: str, seconds: Fraction) -> None:
    backend = clips.clip_backend(name)

    assert backend.frame_count(seconds) >= 2
    assert backend.frame_count(seconds) == backend.frame_count(seconds)


@pytest.mark.parametrize("name", clips.names())
def test_where_nothing_answers_it_says_so_with_what_to_do_and_has_no_recipe(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERCARD_COMFYUI_WAIT_SECONDS", "0")
    server.memory.forget()
    backend = clips.clip_backend(name)

    assert ";" in str(backend.unavailable(here.settings()))
    assert backend.recipe(here.settings()) == ""
    with pytest.raises((BackendUnavailable, DeviceFault)), backend.open(here.settings()):
        pass


@pytest.mark.parametrize("name", clips.names())
def test_it_makes_as_many_frames_as_it_was_asked_for_at_the_size_asked_for(name: str, comfyui: FakeComfy) -> None:
    wan.give(comfyui.info)
    backend = clips.clip_backend(name)
    assert backend.unavailable(here.settings()) is None
    asked = wan.request(frames=backend.frame_count(Fraction(1, 2)))

    with backend.open(here.settings()) as renderer:
        made = renderer.render(asked)

    shown = [wan.pixels(frame) for frame in made.frames]
    assert len(shown) == asked.frames
    assert {frame.shape for frame in shown} == {(wan.SIZE[1], wan.SIZE[0], 3)}
    assert made.detail


def test_requests_that_differ_have_other_keys(comfyui: FakeComfy) -> None:
    wan.give(comfyui.info)
    requests = [
        wan.request(),
        wan.request("a hook"),
        wan.request(seed=2),
        wan.request(frames=13),
        wan.request(last=wan.picture(201)),
    ]

    assert len({request.key for request in requests}) == 5
    assert wan.request().key == requests[0].key


@pytest.mark.parametrize(("frames", "count"), [(1, 5), (8, 9), (12, 9), (13, 13), (24, 17), (120, 81), (2000, 81)])
def test_wan_makes_one_more_than_a_multiple_of_four_at_16_a_second(frames: int, count: int) -> None:
    assert clips.clip_backend("comfyui").frame_count(Fraction(frames, 24)) == count


def test_an_unknown_backend_is_refused_with_those_there_are() -> None:
    with pytest.raises(UnknownBackend, match="UNDERCARD_CLIPS='sora' does not exist; set it to one of comfyui"):
        clips.clip_backend("sora")
