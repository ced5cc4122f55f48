"""What a model is given beside its prompt: which control image, whose likenesses, drawn with whose seeds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import here
from tests.fakes import shot_lists
from undercard.backends.previz import BACKEND as PREVIZ
from undercard.domain import pictures
from undercard.domain.controls import CONTROLS
from undercard.domain.requests import Control, RenderRequest, Sheet
from undercard.hardware.devices import Device
from undercard.planning.keyframe import PlannedKeyframe
from undercard.planning.plan import Plan, plan_film
from undercard.production.keyframes import conditioning
from undercard.production.keyframes.conditioning import conditioned, control_request, draw_control, lacking
from undercard.shotlist.likeness import sheet_request
from undercard.shotlist.load import load_shot_list

SIZE = (128, 72)


def planned(folder: Path, *changes: tuple[str, str], model: bool = True) -> Plan:
    film = load_shot_list(shot_lists.write(folder, shot_lists.changed(*changes)))
    plan = plan_film(film, Device(cores=1, host_bytes=0), here.settings(), backend="previz", size=SIZE)
    return replace(plan, prompted=True, renderer="a model") if model else plan


def first(plan: Plan) -> PlannedKeyframe:
    return plan.keyframes(plan.shots[0])[0]


def sheets(keyframe: PlannedKeyframe) -> tuple[Sheet, ...]:
    """Stand in for what takes seconds to draw: a colour a fighter."""
    asked = [(likeness.fighter, likeness.sheet) for likeness in keyframe.likenesses if likeness.sheet is not None]
    return tuple(
        Sheet(
            key=request.key,
            fighter=name,
            picture=pictures.stored(Image.new("RGB", (8, 8), (index, 0, 0)), here.store()),
            seconds=0.0,
        )
        for index, (name, request) in enumerate(asked)
    )


@pytest.fixture
def keyframe(tmp_path: Path) -> PlannedKeyframe:
    return first(planned(tmp_path))


@pytest.fixture
def control(keyframe: PlannedKeyframe) -> Control:
    return draw_control(control_request(keyframe.request(1)), here.store())


def test_the_control_image_comes_first_and_then_whom_the_prompt_names_in_its_order(tmp_path: Path) -> None:
    Image.new("RGB", (40, 40), "red").save(tmp_path / "sol.jpg", quality=90)
    keyframe = first(planned(tmp_path, ("corner: blue", "corner: blue, reference: sol.jpg")))
    control = draw_control(control_request(keyframe.request(1)), here.store())

    request = conditioned(keyframe.request(1), control, here.store(), "frame", keyframe.likenesses, sheets(keyframe))

    assert request.control == control.frame.sha256
    assert request.references[:2] == (control.frame.sha256, sheets(keyframe)[0].picture.sha256)
    with Image.open(here.store().find(request.references[2], ".png")) as own:
        assert (own.mode, own.size) == ("RGB", (40, 40))
    ray, sol = (keyframe.prompt.index(f"Picture {number} ") for number in (2, 3))
    assert ray < keyframe.prompt.index("Ray") < sol < keyframe.prompt.index("Sol")


def test_never_more_than_three_pictures_go_in(keyframe: PlannedKeyframe, control: Control) -> None:
    request = conditioned(keyframe.request(1), control, here.store(), "frame", keyframe.likenesses, sheets(keyframe))

    assert len(request.references) == 3


def test_whom_the_camera_does_not_see_is_no_reference(tmp_path: Path) -> None:
    keyframe = first(planned(tmp_path, ("length: 24", "camera: close_up\n    length: 24")))

    assert [likeness.fighter for likeness in keyframe.likenesses] == ["ray"]


@pytest.mark.parametrize("kind", sorted(CONTROLS))
def test_each_kind_of_control_image_is_a_picture_that_a_model_can_look_at(
    keyframe: PlannedKeyframe, control: Control, kind: str
) -> None:
    request = conditioned(keyframe.request(1), control, here.store(), kind)

    with Image.open(here.store().find(request.control, ".png")) as seen:
        assert (seen.mode, seen.size) == ("RGB", SIZE)
        assert np.asarray(seen).std() > 5


def test_the_kinds_of_control_image_have_keys_of_their_own(keyframe: PlannedKeyframe, control: Control) -> None:
    assert len({conditioned(keyframe.request(1), control, here.store(), kind).key for kind in CONTROLS}) == len(
        CONTROLS
    )


def test_depth_is_shown_from_the_farthest_thing_in_the_picture_to_the_nearest(
    keyframe: PlannedKeyframe, control: Control
) -> None:
    request = conditioned(keyframe.request(1), control, here.store(), "depth")

    with (
        Image.open(here.store().path_of(control.depth)) as stored,
        Image.open(here.store().find(request.control, ".png")) as seen,
    ):
        measured, shown = np.asarray(stored).astype(int), np.asarray(seen)[:, :, 0].astype(int)
    there = measured > 0
    assert (shown[~there] == 0).all()
    assert (shown[there].min(), shown[there].max()) == (1, 255)
    order = np.argsort(measured[there], kind="stable")
    assert (np.diff(shown[there][order]) >= 0).all()


def test_another_control_image_makes_only_the_keyframes_stale_that_it_is_for(tmp_path: Path) -> None:
    before, after = planned(tmp_path), planned(tmp_path, ("at: 8", "at: 8, control: depth"))

    for shot, changed in zip(before.shots, after.shots, strict=True):
        for old, new in zip(before.keyframes(shot), after.keyframes(changed), strict=True):
            assert (old.request(1) == new.request(1)) == (old.label != "jab-02")


def test_a_control_image_means_nothing_to_the_previz(tmp_path: Path) -> None:
    before = first(planned(tmp_path, model=False))
    after = first(planned(tmp_path, ("length: 24", "control: depth\n    length: 24"), model=False))

    assert before.request(1).key == after.request(1).key
    assert after.likenesses == ()
    assert control_request(after.request(1)) == after.request(1)


def test_no_take_has_the_seed_of_its_control_image_or_of_a_sheet(tmp_path: Path) -> None:
    for seed in (0, 1, 2**31 - 1, 2**31, 2**32 - 1):
        plan = planned(tmp_path, ("id: jab", f"id: jab\n    seed: {seed}"))
        keyframe = first(plan)
        takes = {keyframe.request(number).seed for number in range(1, 60)}
        references = {control_request(keyframe.request(1)).seed}
        references |= {likeness.sheet.seed for likeness in keyframe.likenesses if likeness.sheet is not None}
        assert takes.isdisjoint(references)
        assert max(takes) < min(references)


def test_the_previz_draws_a_take_with_the_takes_own_seed(tmp_path: Path) -> None:
    request = first(planned(tmp_path)).request_on("previz", 2, exact=False)

    assert control_request(request).seed == request.seed
    assert request.renderer == f"previz {PREVIZ.revision}"


def test_a_sheet_is_asked_for_by_look_and_by_nothing_that_happens_in_the_ring(tmp_path: Path) -> None:
    plan = planned(tmp_path)

    asked = {
        likeness.sheet
        for shot in plan.shots
        for keyframe in plan.keyframes(shot)
        for likeness in keyframe.likenesses
        if likeness.fighter == "sol"
    }

    assert len(asked) == 1
    dressed = planned(tmp_path, ("corner: blue", "corner: blue, look: {trunks: gold}"))
    assert first(dressed).likenesses[1].sheet not in asked
    assert first(dressed).likenesses[0].sheet == first(plan).likenesses[0].sheet


def test_two_who_look_the_same_share_a_sheet(tmp_path: Path) -> None:
    film = load_shot_list(shot_lists.write(tmp_path))
    twin = film.cast["ray"].model_copy(update={"name": "Roy"})

    assert sheet_request(twin) == sheet_request(film.cast["ray"])


def test_a_sheet_is_stored_once_as_a_square_of_the_models_own_area(keyframe: PlannedKeyframe) -> None:
    request = keyframe.likenesses[0].sheet
    assert request is not None

    sheet = conditioning.draw_sheet("ray", request, here.store())

    assert (sheet.key, sheet.fighter) == (request.key, "ray")
    with Image.open(here.store().path_of(sheet.picture)) as picture:
        assert (picture.mode, picture.size) == ("RGB", (1024, 1024))


def test_what_is_still_to_be_drawn_is_known(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "ray.png")
    keyframe = first(planned(tmp_path, ("corner: red", "corner: red, reference: ray.png")))

    assert [likeness.fighter for likeness in lacking(keyframe.likenesses, ())] == ["sol"]
    assert lacking(keyframe.likenesses, sheets(keyframe)) == []
    with pytest.raises(KeyError):
        conditioned(
            RenderRequest("", "", 1, SIZE, keyframe.staging, ""), _control(), here.store(), "frame", keyframe.likenesses
        )


def _control() -> Control:
    picture = pictures.stored(Image.new("RGB", SIZE), here.store())
    return Control(
        key="", frame=picture, depth=picture, normals=picture, skeleton=picture, keypoints=picture, seconds=0.0
    )
