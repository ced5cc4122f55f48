"""The bake's file: a boxer that the rig reads, with gloves and boots, the same every time."""

from __future__ import annotations

import importlib.resources
from pathlib import Path

import numpy as np
import pytest

from tests.fakes.mannequin import write_mannequin
from undercard.previz import rig
from undercard.previz.bake import BUILDS, SLIVER_METRES2, STEP_METRES, bake
from undercard.previz.cloth import PARTS
from undercard.previz.rig import Rig


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    targets = {target for build in BUILDS.values() for target in build.targets}
    return write_mannequin(tmp_path_factory.mktemp("mpfb2"), sorted(targets))


@pytest.fixture(scope="module")
def baked(source: Path) -> Path:
    path = source / "assets" / "boxer_blue.npz"
    path.parent.mkdir()
    bake(source, "blue", path)
    return path


@pytest.fixture
def boxer(baked: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """Read the file as the renderer does."""
    monkeypatch.setattr(importlib.resources, "files", lambda _: baked.parent.parent)
    return rig.load.__wrapped__("blue")


def heights(boxer: Rig, part: str) -> tuple[float, float]:
    faces = boxer.faces[boxer.parts == boxer.part_names.index(part)]
    found = boxer.vertices[np.unique(faces), 1]
    return float(found.min()), float(found.max())


def test_a_baked_boxer_stands_on_the_floor_and_is_as_tall_as_the_corner_says(boxer: Rig) -> None:
    build = BUILDS["blue"]

    assert 0.0 <= heights(boxer, "sole")[0] < 0.005
    # The hair adds at most 1.25 of its length.
    assert build.height_metres < boxer.vertices[:, 1].max() <= build.height_metres + 1.25 * build.crop_metres


def test_a_baked_boxer_has_every_part_and_every_place_is_carried_whole(boxer: Rig) -> None:
    assert boxer.part_names == PARTS
    assert set(np.unique(boxer.parts)) == set(range(len(PARTS)))
    np.testing.assert_allclose(boxer.weights.sum(axis=1), 1.0, atol=1e-5)
    assert ((boxer.weights > 0.0).sum(axis=1) <= 4).all()


def test_gloves_are_at_the_hands_and_boots_at_the_feet(boxer: Rig) -> None:
    for side, sign in (("l", 1.0), ("r", -1.0)):
        glove = np.unique(boxer.faces[boxer.parts == boxer.part_names.index("gloves")])
        own = glove[sign * boxer.vertices[glove, 0] > 0.0]
        wrist = boxer.head(f"hand_{side}")
        assert np.linalg.norm(boxer.vertices[own] - wrist, axis=1).max() < 0.22
        np.testing.assert_allclose(boxer.weights[own, boxer.index(f"hand_{side}")], 1.0)
    assert heights(boxer, "boots")[1] < boxer.head("foot_l")[1] + 0.16


def test_nothing_is_kept_that_the_renderer_cannot_use(boxer: Rig) -> None:
    a, b, c = (boxer.vertices[boxer.faces[:, corner]].astype(np.float64) for corner in range(3))

    assert (np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2.0).min() > 0.9 * SLIVER_METRES2
    assert np.unique(boxer.faces).tolist() == list(range(len(boxer.vertices)))
    steps = boxer.vertices / STEP_METRES
    np.testing.assert_allclose(steps, np.round(steps), atol=0.01)


def test_baking_again_gives_the_same_bytes(source: Path, baked: Path) -> None:
    again = source / "again.npz"

    bake(source, "blue", again)

    assert again.read_bytes() == baked.read_bytes()
