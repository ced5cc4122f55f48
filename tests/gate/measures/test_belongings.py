"""Which colours are a fighter's own: read where he is, without those of his surroundings, and as his light has them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.fakes.stagings import LOOK
from tests.gate.vision.test_adherence import STANDING
from undercard.domain.staging import Look
from undercard.gate.measures.belongings import PALER, beside_all, own_colours
from undercard.gate.pictures import Pixels
from undercard.gate.vision.adherence import Flags
from undercard.gate.vision.colour import lab, levels
from undercard.gate.vision.networks import Floats
from undercard.gate.vision.novelty import LIGHTNESS, weighed

SIZE = (220, 260)
CANVAS = (150, 155, 165)
ELBOW, WRIST = STANDING[7], STANDING[9]
NOBODY = np.ones((SIZE[1], SIZE[0]), bool)


def seen(*joints: int) -> Flags:
    flags = np.zeros(17, bool)
    flags[list(joints)] = True
    return flags


def scene(surroundings: tuple[int, int, int] = CANVAS) -> Pixels:
    return np.full((SIZE[1], SIZE[0], 3), surroundings, np.uint8)


def about(pixels: Pixels, place: Floats, colour: tuple[int, int, int]) -> None:
    """Paint 9 × 9 px of *pixels* about *place*."""
    x, y = (int(value) for value in place)
    pixels[y - 4 : y + 5, x - 4 : x + 5] = colour


def along_forearm(share: float) -> Floats:
    return np.asarray(ELBOW + (WRIST - ELBOW) * share, np.float32)


def found(pixels: Pixels, joints: Flags, look: Look | None = None, beside: Flags = NOBODY) -> Floats:
    return own_colours(pixels, STANDING, joints, look, beside)


def has(colours: Floats, colour: tuple[int, int, int]) -> bool:
    """Say whether one of *colours* is *colour*."""
    wanted = weighed(np.array(colour, np.uint8))
    return bool((np.linalg.norm(colours - wanted, axis=1) < 0.5).any()) if len(colours) else False


def test_a_glove_is_read_beyond_the_wrist_and_a_boot_at_the_ankle() -> None:
    pixels = scene()
    about(pixels, along_forearm(1.25), (200, 20, 28))
    about(pixels, STANDING[15], (20, 160, 40))

    assert has(found(pixels, seen(9)), (200, 20, 28))
    assert has(found(pixels, seen(15)), (20, 160, 40))
    # What something hides is not his to show.
    assert not has(found(pixels, seen(10, 16)), (200, 20, 28))
    assert not has(found(pixels, seen(10, 16)), (20, 160, 40))


def test_a_colour_that_the_surroundings_have_as_well_is_not_his_own() -> None:
    pixels = scene()
    about(pixels, along_forearm(1.25), (200, 20, 28))
    crowded = pixels.copy()
    # A band of a fifth of the picture, far from him.
    crowded[:, 170:214] = (200, 20, 28)

    assert has(found(pixels, seen(9)), (200, 20, 28))
    assert not has(found(crowded, seen(9)), (200, 20, 28))


def test_only_where_nobody_is_counts_as_surroundings() -> None:
    pixels = scene()
    about(pixels, along_forearm(1.25), (200, 20, 28))
    pixels[:, 170:214] = (200, 20, 28)
    opponent = NOBODY.copy()
    opponent[:, 165:] = False

    assert has(found(pixels, seen(9), beside=opponent), (200, 20, 28))


def test_without_surroundings_that_can_be_seen_every_colour_is_kept() -> None:
    assert has(found(scene(), seen(9), beside=~NOBODY), CANVAS)


@pytest.mark.parametrize("light", [1.0, 0.25, 2.0])
def test_gloves_that_something_hides_have_the_light_that_his_arms_have(light: float) -> None:
    skin, gloves = (tuple(int(value) for value in levels(colour)) for colour in (LOOK.skin, "#a03018"))
    gain = light ** (1 / 2.2)
    pixels = scene()
    for share in (0.15, 0.35, 0.65):
        about(pixels, along_forearm(share), tuple(round(value * gain) for value in skin))

    colours = found(pixels, seen(7), replace(LOOK, gloves="#a03018"))

    # Light multiplies what is linear; levels are its root of 2.2.
    lit = lab(np.minimum(np.array(gloves) * gain, 255.0)) * (LIGHTNESS, 1.0, 1.0)
    assert np.linalg.norm(colours - lit, axis=1).min() < 1.5
    # Highlights take some of its colour.
    paler = lit * (1.0, PALER[1], PALER[1])
    assert np.linalg.norm(colours - paler, axis=1).min() < 1.5


def test_one_of_whom_nothing_is_in_the_picture_has_no_colours() -> None:
    away = (STANDING + 1000).astype(np.float32)

    assert own_colours(scene(), away, np.ones(17, bool), LOOK, NOBODY).shape == (0, 3)


def test_where_nobody_is_leaves_out_limbs_head_and_gloves_with_some_room() -> None:
    beside = beside_all(SIZE, [(STANDING, 200.0)])

    assert beside.shape == (SIZE[1], SIZE[0])
    for joint in STANDING:
        assert not beside[min(int(joint[1]), SIZE[1] - 1), int(joint[0])]
    # Limbs are 40 px wide, and hands and feet have a radius of 28.
    (x, y), (across, down) = (STANDING[5] + STANDING[7]) / 2, STANDING[9]
    assert [bool(beside[int(y), int(x) + away]) for away in (17, 24)] == [False, True]
    assert [bool(beside[int(down), int(across) + away]) for away in (26, 31)] == [False, True]
    assert beside_all(SIZE, []).all()
