"""The checks that hold a picture against others, over pictures that need no renderer."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests.gate.pictures import SIZE, as_jpeg, exposed, finding_of, keyframe
from undercard.gate.checks import banding, cast, copied, duplicate, jump, noise, repeated, scale
from undercard.gate.contract import Fault, Finding
from undercard.gate.evidence import Evidence
from undercard.gate.pictures import Pixels


def edited(pixels: Pixels, gain: float = 1.0) -> Pixels:
    """Return what a model may make of its control image: warmer, and with deeper shades."""
    light = (pixels / 255.0) ** 1.2 * np.array([1.04, 1.0, 0.94])
    changed: Pixels = np.clip(light * 255.0 * gain, 0, 255).astype(np.uint8)
    return changed


def zoomed(pixels: Pixels, by: float) -> Pixels:
    height, width = pixels.shape[:2]
    left, top = width * (1 - 1 / by) / 2, height * (1 - 1 / by) / 2
    box = (left, top, width - left, height - top)
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC, box=box))


def second_of_two(pixels: Pixels) -> Evidence:
    """Return *pixels* as the second keyframe of a shot whose first one is edited, as it should be."""
    before, now = keyframe(0.2), keyframe(0.9)
    return Evidence(
        pixels, SIZE, neighbours=(edited(before),), before=edited(before), control=now, before_control=before
    )


def test_an_edit_of_its_control_image_is_no_copy() -> None:
    assert copied.CHECK.examine(Evidence(edited(keyframe()), SIZE, control=keyframe())).passed


def test_a_control_image_given_back_is_not_edited() -> None:
    finding = copied.CHECK.examine(Evidence(as_jpeg(keyframe(), 90), SIZE, control=keyframe()))

    assert finding.fault == Fault.NOT_EDITED
    assert "it is the control image" in finding.cause


@pytest.mark.parametrize("fitted", [True, False], ids=["sides cut off", "stretched"])
def test_a_sheet_given_back_is_not_edited_and_the_cause_says_which(fitted: bool) -> None:
    sheet = keyframe(0.9, (600, 600))
    returned = Image.fromarray(sheet[131:469] if fitted else sheet).resize(SIZE, Image.Resampling.LANCZOS)

    finding = copied.CHECK.examine(Evidence(np.asarray(returned), SIZE, references=(keyframe(0.1), sheet)))

    assert not finding.passed
    assert "picture 2 of a fighter" in finding.cause


def test_the_previz_is_not_asked_whether_it_was_edited() -> None:
    assert copied.CHECK.examine(Evidence(keyframe(), SIZE)).passed


def test_a_take_that_only_repeats_the_one_before_is_rejected() -> None:
    finding = repeated.CHECK.examine(Evidence(as_jpeg(keyframe(), 95), SIZE, takes=(keyframe(0.1), keyframe())))

    assert finding.fault == Fault.REPEATED


def test_a_take_without_the_noise_of_the_one_before_is_no_repetition() -> None:
    noise = np.random.default_rng(1).normal(0.0, 12.0, (SIZE[1], SIZE[0], 3))
    noisy = np.clip(keyframe() + noise, 0, 255).astype(np.uint8)

    assert repeated.CHECK.examine(Evidence(keyframe(), SIZE, takes=(noisy,))).passed


def test_an_earlier_take_of_another_size_is_another_picture() -> None:
    assert repeated.CHECK.examine(Evidence(keyframe(), SIZE, takes=(keyframe(size=(640, 360)),))).passed


def test_keyframes_that_are_staged_to_look_alike_may_look_alike() -> None:
    control = keyframe()
    evidence = Evidence(
        edited(control), SIZE, neighbours=(edited(control),), control=control, before_control=keyframe()
    )

    assert duplicate.CHECK.examine(evidence).passed


def test_two_keyframes_in_one_grade_do_not_jump() -> None:
    assert jump.CHECK.examine(second_of_two(edited(keyframe(0.9)))).passed


@pytest.mark.parametrize(("gain", "word"), [(1.4, "lighter"), (0.7, "darker")])
def test_a_jump_of_the_exposure_is_named(gain: float, word: str) -> None:
    finding = jump.CHECK.examine(second_of_two(edited(keyframe(0.9), gain)))

    assert finding.fault == Fault.JUMP
    assert finding.cause.startswith(word)


def test_a_jump_in_noise_is_the_noises_business() -> None:
    grain = np.random.default_rng(0).normal(0.0, 60.0, keyframe().shape)
    noisy = np.clip(edited(keyframe(0.9), 0.6) + grain, 0, 255).astype(np.uint8)

    finding = finding_of("jump", second_of_two(noisy))

    assert finding.passed
    assert not finding.judged
    assert not noise.CHECK.examine(Evidence(noisy, SIZE)).passed


def test_a_jump_in_bands_is_the_bands_business() -> None:
    lit = edited(keyframe(0.9)) * np.linspace(0.5, 0.7, SIZE[0])[None, :, None]
    banded = (lit // 24 * 24 + 12).astype(np.uint8)

    assert not jump.CHECK.examine(second_of_two(banded)).passed
    assert not finding_of("jump", second_of_two(banded)).judged
    assert not banding.CHECK.examine(Evidence(banded, SIZE)).passed


def test_light_that_falls_otherwise_is_no_jump_where_the_whole_is_as_light() -> None:
    fall = np.linspace(1.3, 0.7, SIZE[0])[None, :, None]
    relit = np.clip(edited(keyframe(0.9)) * fall, 0, 255).astype(np.uint8)

    assert jump.CHECK.examine(second_of_two(relit)).passed


def test_other_colours_at_a_cut_are_graded_as_the_shot_is() -> None:
    before, now = keyframe(0.2), keyframe(0.9)[:, :, ::-1].copy()

    finding = jump.CHECK.examine(Evidence(edited(now), SIZE, before=edited(before), control=now, before_control=before))

    assert finding.judged
    assert finding.score < 1.0


def test_a_night_of_which_too_little_shows_does_not_jump() -> None:
    before, now = exposed(keyframe(0.2), 0.03), exposed(keyframe(0.9), 0.03)

    finding = jump.CHECK.examine(Evidence(exposed(now, 1.6), SIZE, before=before, control=now, before_control=before))

    assert finding.passed
    assert not finding.judged


def test_a_cut_to_a_brighter_place_is_no_jump() -> None:
    before, now = exposed(keyframe(0.2), 0.5), keyframe(0.9)

    finding = jump.CHECK.examine(Evidence(edited(now), SIZE, before=edited(before), control=now, before_control=before))

    assert finding.passed


def test_without_the_control_images_nothing_is_said_of_jumps() -> None:
    evidence = Evidence(edited(keyframe(), 2.0), SIZE, before=edited(keyframe()))

    assert jump.CHECK.examine(evidence).passed
    assert scale.CHECK.examine(evidence).passed


@pytest.mark.parametrize(("by", "word"), [(1.2, "larger"), (1 / 1.2, "smaller")])
def test_a_scene_that_jumps_in_size_is_named(by: float, word: str) -> None:
    # A wider view has more around it: what the second keyframe's control image shows is cut out of the whole.
    view = zoomed(keyframe(0.9), 1.3)
    evidence = Evidence(
        zoomed(keyframe(0.9), 1.3 * by), SIZE, before=keyframe(0.2), control=view, before_control=keyframe(0.2)
    )

    finding = scale.CHECK.examine(evidence)

    assert finding.fault == Fault.JUMP
    assert word in finding.cause


def test_both_keyframes_drawn_a_little_closer_are_of_one_size() -> None:
    before, now = keyframe(0.2), keyframe(0.9)
    evidence = Evidence(zoomed(now, 1.1), SIZE, before=zoomed(before, 1.1), control=now, before_control=before)

    assert scale.CHECK.examine(evidence).passed


def test_pictures_that_show_nothing_alike_have_no_scale() -> None:
    noise = np.random.default_rng(2).integers(0, 255, (288, 512, 3)).astype(np.uint8)

    assert scale.enlargement(Image.fromarray(noise), Image.fromarray(keyframe())) is None


def test_a_warmer_edit_is_still_in_the_light_of_the_shot() -> None:
    assert cast.CHECK.examine(Evidence(edited(keyframe()), SIZE, control=keyframe())).passed


def test_a_picture_turned_green_is_in_another_light() -> None:
    green = np.clip(keyframe() * np.array([0.85, 1.15, 0.85]), 0, 255).astype(np.uint8)

    finding: Finding = cast.CHECK.examine(Evidence(green, SIZE, control=keyframe()))

    assert finding.fault == Fault.WRONG_LIGHT
    assert "too green" in finding.cause
