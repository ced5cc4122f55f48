"""What a cached verdict is found by: everything that a check may have looked at, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PIL import Image

from tasks.steps import verdict_key
from tests import here
from tests.fakes.stagings import fighter, staging
from undercard.domain import pictures
from undercard.domain.requests import Control
from undercard.gate.evidence import Exhibit
from undercard.store import StoredFile


def picture(grey: int) -> StoredFile:
    return pictures.stored(Image.new("L", (8, 8), grey), here.store())


def control(grey: int) -> Control:
    drawn = picture(grey)
    return Control(
        key="", frame=drawn, depth=drawn, normals=drawn, skeleton=drawn, keypoints=drawn, seconds=float(grey)
    )


def key(exhibit: Exhibit) -> str:
    return verdict_key({"exhibits": [exhibit], "size": (8, 8)})


@pytest.fixture
def exhibit() -> Exhibit:
    return Exhibit("jab-01 take 1", picture(1), None, before=picture(2), control=control(3), staging=staging(fighter()))


def test_whatever_a_check_may_look_at_is_in_the_key_of_its_verdict(exhibit: Exhibit) -> None:
    changed = [
        exhibit,
        replace(exhibit, picture=picture(9)),
        replace(exhibit, neighbour=picture(9)),
        replace(exhibit, before=None),
        replace(exhibit, neighbour=picture(2), before=None),
        replace(exhibit, before_control=control(9)),
        replace(exhibit, takes=(picture(9),)),
        replace(exhibit, references=(picture(9),)),
        replace(exhibit, control=control(9)),
        replace(exhibit, staging=staging(fighter(), light="training")),
        replace(exhibit, backend="bf16"),
    ]

    assert len({key(one) for one in changed}) == len(changed)


def test_what_a_picture_is_called_and_how_long_its_control_image_took_is_not(exhibit: Exhibit) -> None:
    assert exhibit.control is not None
    slower = exhibit.control.model_copy(update={"seconds": 9.0})

    assert key(replace(exhibit, label="jab-01 take 2", control=slower)) == key(exhibit)
