from collections.abc import Iterator
from functools import cache

import numpy as np

from tests.paths import EXAMPLES
from undercard.domain.staging import PlacedFighter, Staging
from undercard.film.motion.transitions import transition_kind
from undercard.previz.figure import figure
from undercard.shotlist import direction
from undercard.shotlist.load import load_shot_list
from undercard.shotlist.models import Shot, ShotList

FILM = EXAMPLES / "title_fight.yaml"


@cache
def film() -> ShotList:
    return load_shot_list(FILM)


def drawn() -> Iterator[tuple[Shot, int, Staging]]:
    """Yield every eighth frame of every shot that is filmed."""
    for shot in film().shots:
        if shot.replay is None:
            for frame in range(0, shot.frames, 8):
                yield shot, frame, direction.staging_at(film(), shot, shot.timing.moment(frame))


def joints(fighters: tuple[PlacedFighter, ...]) -> np.ndarray:
    opponents = fighters[::-1] if len(fighters) == 2 else (None,)
    return np.concatenate([figure(one, other).joints for one, other in zip(fighters, opponents, strict=True)])


def test_the_film_runs_a_little_over_a_minute() -> None:
    overlaps = sum(shot.transition.length for shot in film().shots if transition_kind(shot.transition.kind).overlaps)
    seconds = (sum(shot.frames for shot in film().shots) - overlaps) / film().fps

    assert len(film().shots) >= 24
    assert 62 <= seconds <= 75


def test_three_fifths_of_the_film_are_animated() -> None:
    animated = sum(shot.frames for shot in film().shots if shot.motion == "pose")

    assert 0.55 <= animated / sum(shot.frames for shot in film().shots) <= 0.65


def test_every_keyframe_falls_on_a_frame_that_is_drawn() -> None:
    assert [(shot.id, key.at) for shot in film().shots for key in shot.keyframes if key.at % 2 == 1] == []


def test_no_camera_stands_within_a_foot_of_a_joint() -> None:
    for shot, frame, staging in drawn():
        apart = np.linalg.norm(joints(staging.fighters) - staging.camera.position, axis=1)

        assert apart.min() > 0.3, (shot.id, frame)


def test_ray_stays_on_the_left_whenever_both_are_there() -> None:
    for shot, frame, staging in drawn():
        if len(staging.fighters) < 2:
            continue
        ray, sol = (np.array(fighter.position) for fighter in staging.fighters)
        x, _, z = np.subtract(staging.camera.target, staging.camera.position)
        right = np.array([-z, x])

        assert (sol - ray) @ right > 0, (shot.id, frame)
