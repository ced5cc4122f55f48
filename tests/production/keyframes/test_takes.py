"""From a request to stored pictures: what a model follows, what a take answers, what its PNG says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tests import here
from tests.fakes import shot_lists
from tests.fakes.hungry_backends.hungry import BACKEND
from tests.paths import FAKES
from undercard import backends
from undercard.backends import Needs, Rendered, Rung, Work
from undercard.domain import pictures
from undercard.domain.requests import RenderRequest, Sheet
from undercard.domain.takes import Attempt
from undercard.errors import BackendError, OutOfMemory
from undercard.hardware.devices import Device
from undercard.planning.keyframe import PlannedKeyframe
from undercard.planning.plan import plan_film
from undercard.production.keyframes import conditioning
from undercard.production.keyframes.conditioning import conditioned, control_request, draw_control
from undercard.production.keyframes.takes import answers, failed_attempt, render_take
from undercard.shotlist.load import load_shot_list

SIZE = (128, 72)
DEVICE = Device(cores=1, host_bytes=0)
PREVIZ = backends.fastest("previz", Work(SIZE), DEVICE, here.settings())
FAILED = Attempt(rung="hungry · all resident", backend="hungry", exact=True, outcome="out of memory", stage="denoise")


@pytest.fixture(autouse=True)
def hungry_backends(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = FAKES / "hungry_backends"
    monkeypatch.setattr(backends, "__path__", [*backends.__path__, str(folder)])


@pytest.fixture
def rung() -> Rung:
    return BACKEND.rungs(Work(SIZE), DEVICE, here.settings())[0]


class Grey:
    """Renders grey, or fails."""

    def __init__(self, error: BackendError | None = None) -> None:
        self.error = error
        self.seen: list[RenderRequest] = []

    def encode(self, requests: Sequence[RenderRequest]) -> None:
        pass

    def render(self, request: RenderRequest) -> Rendered:
        if self.error is not None:
            raise self.error
        self.seen.append(request)
        return Rendered(Image.new("RGB", request.size, "grey"), 1.5, 9_000, 8_000, ("decoded in strips",))


def planned(folder: Path, *changes: tuple[str, str], family: str = "previz") -> PlannedKeyframe:
    film = load_shot_list(shot_lists.write(folder, shot_lists.changed(*changes)))
    plan = plan_film(film, DEVICE, here.settings(), backend="previz", size=SIZE)
    if family != "previz":
        plan = replace(plan, prompted=True, renderer="")
    return plan.keyframes(plan.shots[0])[0]


def picture_of_ray(folder: Path, colour: str = "red") -> tuple[str, str]:
    Image.new("RGB", (40, 40), colour).save(folder / "ray.jpg", quality=90)
    return "corner: red}", "corner: red, reference: ray.jpg}"


def sheets_of(keyframe: PlannedKeyframe) -> tuple[Sheet, ...]:
    """Stand in for what the previz takes seconds to draw: a picture of one colour a fighter."""
    return tuple(
        Sheet(
            key=likeness.sheet.key,
            fighter=likeness.fighter,
            picture=pictures.stored(Image.new("RGB", (8, 8), "navy"), here.store()),
            seconds=1.0,
        )
        for likeness in keyframe.likenesses
        if likeness.sheet is not None
    )


def test_a_take_of_a_model_answers_until_the_staging_the_prompt_or_a_likeness_changes(
    tmp_path: Path, rung: Rung
) -> None:
    ray = picture_of_ray(tmp_path)
    keyframe = planned(tmp_path, ray, family="model")
    control = draw_control(control_request(keyframe.request(1)), here.store())
    sheets = sheets_of(keyframe)
    request = conditioned(
        keyframe.request_on("hungry", 1, exact=True), control, here.store(), "frame", keyframe.likenesses, sheets
    )

    take = render_take(request, 1, rung, Grey(), control, here.store(), [], sheets)

    assert answers(take, keyframe)
    assert answers(take, planned(tmp_path, ray, family="model"))
    staged = planned(tmp_path, ray, ("{ray: guard, sol: guard}", "{ray: jab, sol: guard}"), family="model")
    assert not answers(take, staged)
    assert not answers(take, replace(keyframe, prompt=keyframe.prompt + ", at night"))
    assert not answers(take, replace(keyframe, control="skeleton"))
    assert not answers(take.model_copy(update={"sheets": ()}), keyframe)
    picture_of_ray(tmp_path, "blue")
    assert not answers(take, planned(tmp_path, ray, family="model"))


def test_a_take_of_the_previz_answers_in_a_film_of_a_model_too(tmp_path: Path) -> None:
    keyframe = planned(tmp_path, family="model")
    control = draw_control(control_request(keyframe.request(1)), here.store())
    request = keyframe.request_on("previz", 1, exact=False)

    take = render_take(request, 1, PREVIZ, Grey(), control, here.store(), [FAILED], sheets_of(keyframe))

    assert take.control.key == request.key
    assert take.sheets == ()
    assert answers(take, keyframe)


def test_a_take_whose_backend_is_gone_answers_nothing(tmp_path: Path, rung: Rung) -> None:
    keyframe = planned(tmp_path, family="model")
    control = draw_control(control_request(keyframe.request(1)), here.store())
    request = conditioned(keyframe.request_on("hungry", 1, exact=True), control, here.store())
    take = render_take(request, 1, rung, Grey(), control, here.store(), [])

    assert not answers(take.model_copy(update={"backend": "sold"}), keyframe)


def test_a_take_records_every_attempt_with_what_it_took(tmp_path: Path, rung: Rung) -> None:
    keyframe = planned(tmp_path, family="model")
    control = draw_control(control_request(keyframe.request(1)), here.store())
    request = conditioned(keyframe.request_on("hungry", 1, exact=True), control, here.store())
    error = OutOfMemory("2 GB wanted", stage="denoise")
    error.peak_vram_bytes, error.peak_host_bytes = 7_000, 6_000
    with pytest.raises(OutOfMemory) as ended:
        render_take(request, 1, rung, Grey(error), control, here.store())

    take = render_take(request, 1, rung, Grey(), control, here.store(), [failed_attempt(rung, ended.value)])

    failed, made = take.attempts
    assert (failed.outcome, failed.stage, failed.peak_vram_bytes, failed.detail) == (
        "out of memory",
        "denoise",
        7_000,
        "2 GB wanted",
    )
    assert (made.outcome, made.seconds, made.peak_vram_bytes, made.detail) == (
        "rendered",
        1.5,
        9_000,
        "decoded in strips",
    )
    assert take.detours == (failed,)


def test_a_png_says_what_made_it_and_what_did_not_and_its_pixels_do_not_depend_on_that(
    tmp_path: Path, rung: Rung
) -> None:
    keyframe = planned(tmp_path, family="model")
    control = draw_control(control_request(keyframe.request(1)), here.store())
    request = conditioned(keyframe.request_on("hungry", 1, exact=True), control, here.store())

    straight = render_take(request, 1, rung, Grey(), control, here.store(), [])
    again = render_take(request, 1, rung, Grey(), control, here.store(), [])
    detour = render_take(request, 1, rung, Grey(), control, here.store(), [FAILED])

    assert straight.picture == again.picture
    with (
        Image.open(here.store().path_of(straight.picture)) as first,
        Image.open(here.store().path_of(detour.picture)) as second,
    ):
        assert first.tobytes() == second.tobytes()
        said = json.loads(second.text["undercard"])  # type: ignore[attr-defined]  # PNGs have it
    assert said == {"key": request.key, "rung": rung.label, "exact": True, "attempts": [FAILED.model_dump()]}


def test_a_picture_of_another_size_is_refused_and_recorded(tmp_path: Path, rung: Rung) -> None:
    keyframe = replace(planned(tmp_path, family="model"), size=(64, 36))
    control = draw_control(control_request(keyframe.request(1)), here.store())

    class Large(Grey):
        def render(self, request: RenderRequest) -> Rendered:
            return super().render(replace(request, size=SIZE))

    request = conditioned(keyframe.request_on("hungry", 1, exact=True), control, here.store())
    with pytest.raises(BackendError, match=r"gave \(128, 72\) px where \(64, 36\) was asked for") as ended:
        render_take(request, 1, rung, Large(), control, here.store())

    assert failed_attempt(rung, ended.value).outcome == "failed"


def test_nothing_is_rendered_where_the_control_image_is_the_picture(tmp_path: Path) -> None:
    keyframe = planned(tmp_path)
    renderer = Grey()

    take = render_take(
        keyframe.request(1), 1, replace(PREVIZ, needs=Needs(0, 1, 1.0)), renderer, None, here.store(), []
    )

    assert take.picture == take.control.frame
    assert renderer.seen == []
    assert conditioning.follows_itself(keyframe.request(1))
