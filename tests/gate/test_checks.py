from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.gate.pictures import SIZE, as_jpeg, blurred, exposed, keyframe
from undercard.gate.checks import blank, blur, burnt, crushed, dead, duplicate, size
from undercard.gate.contract import Fault, Finding
from undercard.gate.evidence import Evidence
from undercard.gate.pictures import Pixels


def examine_blank(pixels: Pixels) -> Finding:
    return blank.CHECK.examine(Evidence(pixels, SIZE))


def examine_blur(pixels: Pixels) -> Finding:
    return blur.CHECK.examine(Evidence(pixels, SIZE))


def examine_dead(pixels: Pixels) -> Finding:
    return dead.CHECK.examine(Evidence(pixels, SIZE))


def examine_burnt(pixels: Pixels) -> Finding:
    return burnt.CHECK.examine(Evidence(pixels, SIZE))


def examine_crushed(pixels: Pixels) -> Finding:
    return crushed.CHECK.examine(Evidence(pixels, SIZE))


def examine_duplicate(pixels: Pixels, *neighbours: Pixels) -> Finding:
    return duplicate.CHECK.examine(Evidence(pixels, SIZE, neighbours))


def test_a_picture_of_the_size_asked_for_passes() -> None:
    assert size.CHECK.examine(Evidence(keyframe(), SIZE)).passed


def test_a_picture_with_its_sides_swapped_is_rejected_with_both_sizes() -> None:
    finding = size.CHECK.examine(Evidence(keyframe(size=(288, 512)), SIZE))

    assert not finding.passed
    assert "288×512" in finding.cause
    assert "512×288" in finding.cause


def test_a_grey_picture_is_rejected_though_its_size_is_right(tmp_path: Path) -> None:
    Image.fromarray(keyframe()).convert("L").save(tmp_path / "grey.png")

    finding = size.CHECK.examine(Evidence(tmp_path / "grey.png", SIZE))

    assert finding.fault == Fault.WRONG_FRAME
    assert "'L'" in finding.cause


def test_a_picture_one_pixel_short_is_rejected() -> None:
    assert not size.CHECK.examine(Evidence(keyframe()[:, :-1], SIZE)).passed


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_picture_of_one_colour_is_blank(level: int) -> None:
    finding = examine_blank(np.full((288, 512, 3), level, np.uint8))

    assert finding.fault == Fault.NUMERICAL
    assert "nothing in the picture" in finding.cause


def test_faint_grain_on_one_colour_is_still_blank() -> None:
    grain = np.random.default_rng(0).normal(90, 2, (288, 512, 3)).astype(np.uint8)

    assert not examine_blank(grain).passed


def test_a_dark_picture_is_not_blank() -> None:
    assert examine_blank(exposed(keyframe(), 0.3)).passed


def test_a_pure_black_hall_behind_the_fighters_is_not_a_dead_tile() -> None:
    pixels = keyframe().copy()
    pixels[pixels.max(axis=2) < 24] = 0

    assert examine_dead(pixels).passed


@pytest.mark.parametrize("level", [0, 255])
def test_a_dead_tile_of_the_decoder_is_found(level: int) -> None:
    pixels = keyframe().copy()
    pixels[128:288, 256:448] = level

    finding = examine_dead(pixels)

    assert finding.fault == Fault.NUMERICAL
    assert "dead tiles" in finding.cause
    assert finding.region == (256, 128, 192, 160)


def test_a_sharp_picture_passes_whatever_its_exposure() -> None:
    assert examine_blur(keyframe()).passed
    assert examine_blur(exposed(keyframe(), 0.3)).passed


@pytest.mark.parametrize("radius", [2, 4, 12])
def test_a_blurred_picture_is_rejected(radius: float) -> None:
    finding = examine_blur(blurred(keyframe(size=(1024, 576)), radius))

    assert not finding.passed
    assert f"{finding.score:.3f}" in finding.cause


def test_depth_of_field_around_a_sharp_fighter_passes() -> None:
    sharp = keyframe(size=(1024, 576))
    pixels = blurred(sharp, 6).copy()
    pixels[:, 310:410] = sharp[:, 310:410]

    assert examine_blur(pixels).passed


def test_more_blur_scores_lower() -> None:
    scores = [examine_blur(blurred(keyframe(size=(1024, 576)), radius)).score for radius in (0, 1, 2, 4)]

    assert scores == sorted(scores, reverse=True)


def test_a_well_exposed_picture_is_not_clipped() -> None:
    assert examine_burnt(keyframe()).passed
    assert examine_crushed(keyframe()).passed


def test_three_times_the_exposure_is_burnt_out_where_the_canvas_is() -> None:
    finding = examine_burnt(exposed(keyframe(), 3.0))

    assert finding.fault == Fault.BURNT
    assert "burnt out" in finding.cause
    assert "%" in finding.cause
    assert finding.region is not None
    assert finding.region[1] + finding.region[3] == 288


def test_a_black_point_set_too_high_crushes_the_shadows_of_the_hall() -> None:
    finding = examine_crushed(exposed(keyframe(), 1.5, -90.0))

    assert finding.fault == Fault.BURNT
    assert "shadows crushed" in finding.cause
    assert finding.region is not None
    assert finding.region[1] == 0


def test_a_dark_hall_that_was_rendered_is_not_crushed() -> None:
    assert examine_crushed(exposed(keyframe(), 0.4)).passed


def test_an_identical_neighbour_is_a_duplicate() -> None:
    finding = examine_duplicate(keyframe(), keyframe())

    assert not finding.passed
    assert finding.fault == Fault.REPEATED
    assert finding.score == 0.0


def test_a_copy_saved_again_as_jpeg_is_a_duplicate() -> None:
    assert not examine_duplicate(as_jpeg(keyframe(size=(1024, 576)), 90), keyframe(size=(1024, 576))).passed


def test_a_slightly_brighter_copy_is_a_duplicate() -> None:
    assert not examine_duplicate(exposed(keyframe(), 1.0, 6.0), keyframe()).passed


def test_a_copy_of_another_size_is_a_duplicate() -> None:
    large = keyframe(size=(1024, 576))
    small = np.asarray(Image.fromarray(large).resize(SIZE, Image.Resampling.LANCZOS))

    assert not examine_duplicate(small, large).passed


def test_an_arm_that_moved_a_little_makes_another_picture() -> None:
    assert examine_duplicate(keyframe(0.52), keyframe(0.5)).passed


def test_a_copy_is_found_among_several_neighbours() -> None:
    assert not examine_duplicate(keyframe(0.5), keyframe(0.2), keyframe(0.5), keyframe(0.9)).passed


def test_a_keyframe_alone_in_its_shot_is_no_duplicate() -> None:
    assert examine_duplicate(keyframe()).passed


def test_white_elsewhere_is_no_part_of_a_dead_tile() -> None:
    pixels = keyframe().copy()
    pixels[240:] = 255
    pixels[64:192, 256:384] = 0

    finding = examine_dead(pixels)

    assert finding.region is not None
    assert finding.region[1] + finding.region[3] <= 224
