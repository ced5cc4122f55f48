"""The arena: where it is, who sits in it, and that they are the same in every film."""

from __future__ import annotations

import numpy as np
import pytest

from undercard.previz import crowd
from undercard.previz.ring import PLATFORM_HALF
from undercard.previz.scene import Hits


def cast(origin: tuple[float, float, float], *directions: tuple[float, float, float]) -> Hits:
    ways = np.array(directions, np.float32)
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    return crowd.arena().cast(np.broadcast_to(np.array(origin, np.float32), ways.shape), ways)


def test_the_floor_lies_below_the_ring() -> None:
    assert cast((0.0, 0.0, 0.0), (0.0, -1.0, 0.0)).distance[0] == pytest.approx(-crowd.FLOOR, abs=1e-4)


@pytest.mark.parametrize("rise", [0.02, 0.33], ids=["at the stands", "over the balcony"])
def test_a_camera_in_the_ring_sees_people_or_walls_whichever_way_it_looks(rise: float) -> None:
    turns = np.linspace(0.0, 2.0 * np.pi, 64, endpoint=False)
    ways = np.stack([np.cos(turns), np.full(64, rise), np.sin(turns)], axis=1)

    hits = cast((0.0, 1.6, 0.0), *ways.tolist())

    assert (hits.triangle >= 0).all()
    # The last wall is 26 m from the middle, and nothing is in the ring itself.
    level = hits.distance[:, None] * ways[:, [0, 2]] / np.sqrt(1.0 + rise * rise)
    away = np.abs(level).max(axis=1)
    assert PLATFORM_HALF < away.min() <= away.max() < 26.01


def test_people_sit_on_all_four_sides_and_nobody_in_the_ring() -> None:
    x, _, z = crowd.heads().T

    sides = [int(side.sum()) for side in (x > np.abs(z), x < -np.abs(z), z > np.abs(x), z < -np.abs(x))]
    assert len(x) > 1500
    assert np.ptp(sides) < 0.06 * np.mean(sides)
    assert np.maximum(np.abs(x), np.abs(z)).min() > PLATFORM_HALF + 0.5


def test_whoever_sits_farther_back_sits_higher() -> None:
    x, y, z = crowd.heads().T
    away = np.maximum(np.abs(x), np.abs(z))

    rows = [float(y[(away > low) & (away < low + 1.5)].mean()) for low in (4.0, 8.0, 11.0, 14.0, 19.0, 23.0)]

    assert rows == sorted(rows)
    assert y.min() == pytest.approx(crowd.FLOOR + 1.45, abs=1e-4)


def test_a_raised_hand_is_seen_from_the_ring_as_often_as_not() -> None:
    # A flash belongs to somebody in view, not behind a wall.
    hands = crowd.heads()[::7]
    ways = hands - np.array([0.0, 3.0, 0.0], np.float32)
    away = np.linalg.norm(ways, axis=1)

    met = cast((0.0, 3.0, 0.0), *ways.tolist()).distance

    assert (met > away - 0.5).mean() > 0.5


def test_the_same_people_sit_in_every_film() -> None:
    hands, corners = crowd.heads().copy(), crowd.arena().corners.copy()
    crowd.heads.cache_clear()
    crowd.arena.cache_clear()

    np.testing.assert_array_equal(crowd.heads(), hands)
    np.testing.assert_array_equal(crowd.arena().corners, corners)
