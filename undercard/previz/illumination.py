"""What light reaches each point, at half resolution: lamps and sky, the haze before it, the arena behind the stage."""

from __future__ import annotations

import threading

import numpy as np

from undercard.previz import air, crowd, lens, lights, occlusion, paint, rays
from undercard.previz.bands import Rows
from undercard.previz.kernel import forget_stale_kernels, kernel
from undercard.previz.mesh import Floats, Ints
from undercard.previz.picture import Sampling, Shot, Visible
from undercard.previz.rays import normal_at
from undercard.previz.shading import NEAR_COLUMNS, Half

FLASHES = 12
_HALL_METRES = 60.0
"""As far as the haze reaches where nothing is met."""
_BINOMIAL = np.array([0.5, 0.25], np.float32)
"""1 2 1 both ways: takes the jags out of the arena, which has one ray a pixel."""
_BUILDING = threading.Lock()


def build_surroundings() -> None:
    """Build what every picture shares, once: several threads that draw their first picture must not each build it."""
    with _BUILDING:
        forget_stale_kernels()
        crowd.arena()
        crowd.heads()
        paint.canvas()
        paint.skirt()


def light_up(shot: Shot, seen: Visible) -> Half:
    """Find at half resolution what lamps and sky reach, the haze before it, and the arena where it shows."""
    height, width = (shot.view.height + 1) // 2, (shot.view.width + 1) // 2
    near = np.zeros((height, width, NEAR_COLUMNS), np.float32)
    backdrop = np.zeros((height, width, 3), np.float32)
    raw = np.ones((height, width, occlusion.CHANNELS), np.float32)
    kinds, pattern = _light_samples(shot.sampling)
    lamps = lights.lamp_table(shot.light, shot.middle)
    beams = lights.beam_table(shot.light, shot.middle)
    fog = np.array(shot.light.haze, np.float32)

    def band(rows: Rows) -> None:
        part = slice(*rows)
        directions = np.ascontiguousarray(seen.directions[2 * rows[0] : 2 * rows[1] : 2, ::2]).reshape(-1, 3)
        flat = near[part].reshape(-1, NEAR_COLUMNS)
        hit = np.empty(len(flat), np.int32)
        hit = hit[: _locate(rows, seen.triangle, seen.distance, seen.u, seen.v, shot.view.eye, directions,
                            shot.scene.corners, shot.scene.faces, flat, hit)]  # fmt: skip
        _cast_light(shot, rows[0] * width, width, flat, hit, lamps, kinds, pattern, raw[part])
        haze = np.empty((len(hit), 3), np.float32)
        air.light_air(shot.view.eye, directions[hit], flat[hit, 6], beams, fog, haze)
        flat[hit, 11:14] = haze
        _see_arena(shot, seen, rows, directions, beams, fog, flat, backdrop[part].reshape(-1, 3))

    shot.bands.run(band, height, 24)
    shot.bands.run(lambda rows: occlusion.smooth_visibility(rows, raw, near), height, 24)
    across, soft = np.empty_like(backdrop), np.empty_like(backdrop)
    shot.bands.run(lambda rows: lens.spread(backdrop, _BINOMIAL, True, rows, across), height)
    shot.bands.run(lambda rows: lens.spread(across, _BINOMIAL, False, rows, soft), height)
    air.add_flashes(_flashes(shot), soft, width / 420.0)
    return near, soft


def _cast_light(
    shot: Shot,
    first: int,
    width: int,
    near: Floats,
    hit: Ints,
    lamps: Floats,
    kinds: Ints,
    pattern: Floats,
    raw: Floats,
) -> None:
    """Fill *raw* with the visibility of the pixels *hit* of a band that begins with pixel *first*."""
    count = len(hit) * len(kinds)
    if count == 0:
        return
    origins, directions = np.empty((count, 3), np.float32), np.empty((count, 3), np.float32)
    reach = np.empty(count, np.float32)
    occlusion.light_rays(near, hit, first, width, lamps, kinds, pattern, origins, directions, reach)
    blocked = shot.scene.blocked(origins, directions, reach)
    occlusion.gather_visibility(blocked, hit, kinds, raw.reshape(-1, occlusion.CHANNELS))


def _see_arena(
    shot: Shot,
    seen: Visible,
    rows: Rows,
    directions: Floats,
    beams: Floats,
    fog: Floats,
    near: Floats,
    backdrop: Floats,
) -> None:
    """Fill the arena's light into *backdrop* (n, 3), which stays black where the stage covers it."""
    ask = np.empty(len(directions), np.int32)
    ask = ask[: _open_behind(rows, seen.triangle, ask)]
    if len(ask) == 0:
        return
    arena, eye = crowd.arena(), shot.view.eye
    toward = directions[ask]
    hits = arena.cast(np.broadcast_to(eye, toward.shape), toward)
    surfaces, hazed = np.empty((len(ask), 3), np.float32), np.empty((len(ask), 3), np.float32)
    key = np.array(shot.light.key.colour, np.float32)
    # A light may have no key lamp.
    key /= max(float(key.max()), 1e-6)
    air.light_arena(
        eye, toward, hits.triangle, hits.distance, hits.u, hits.v, arena.corners, arena.faces,
        arena.face_materials, arena.materials, key, shot.light.crowd, surfaces,
    )  # fmt: skip
    air.light_air(eye, toward, np.minimum(hits.distance, np.float32(_HALL_METRES)), beams, fog, hazed)
    backdrop[ask] = surfaces + hazed
    # A thin thing that no half-resolution pixel saw has the air of what is behind it.
    past = near[ask, 6] <= 0.0
    near[ask[past], 11:14] = hazed[past]


def _light_samples(sampling: Sampling) -> tuple[Ints, Floats]:
    """Return the channel of each sample, shape (s,), and the pattern, shape (TILE², s, 3)."""
    counts = (sampling.key, sampling.rim, sampling.rim, sampling.sky)
    kinds = np.repeat(np.arange(4), counts).astype(np.int32)
    square = np.concatenate([rays.sample_pattern(count) for count in counts], axis=1)
    return kinds, rays.on_disc(square)


def _flashes(shot: Shot) -> Floats:
    """Return where cameras flash in the crowd, in half-resolution px, with their strength; shape (n, 3)."""
    rng = np.random.default_rng(shot.seed % 2**32)
    chosen = rng.choice(crowd.heads(), FLASHES * 4, replace=False)
    strength = rng.uniform(0.4, 2.4, len(chosen)) * min(shot.light.crowd, 1.0)
    pixels = shot.view.project(chosen)
    ahead = pixels[:, 2] > 3.0
    return np.column_stack([pixels[:, :2] / 2, strength])[ahead].astype(np.float32)


@kernel
def _locate(
    rows: Rows,
    triangle: Ints,
    distance: Floats,
    u: Floats,
    v: Floats,
    eye: Floats,
    directions: Floats,
    corners: Floats,
    faces: Ints,
    near: Floats,
    hit: Ints,
) -> int:
    """Fill point, normal and distance of half-resolution *rows* into *near* (n, NEAR_COLUMNS).

    Returns:
        How many pixels met something; *hit* begins with their numbers in *near*.
    """
    width = (triangle.shape[1] + 1) // 2
    count = 0
    for i in range(len(near)):
        y, x = 2 * (rows[0] + i // width), 2 * (i % width)
        if triangle[y, x] < 0:
            continue
        hit[count] = i
        count += 1
        t, dx, dy, dz = distance[y, x], directions[i, 0], directions[i, 1], directions[i, 2]
        near[i, 0], near[i, 1], near[i, 2] = eye[0] + t * dx, eye[1] + t * dy, eye[2] + t * dz
        nx, ny, nz = normal_at(corners, faces, triangle[y, x], u[y, x], v[y, x], dx, dy, dz)
        near[i, 3], near[i, 4], near[i, 5], near[i, 6] = nx, ny, nz, t
    return count


@kernel
def _open_behind(rows: Rows, triangle: Ints, shows: Ints) -> int:
    """List in *shows* the half-resolution pixels of *rows* near which some pixel sees past the stage.

    Returns:
        How many there are.
    """
    height, width = triangle.shape
    half_width = (width + 1) // 2
    count = 0
    for y in range(rows[0], rows[1]):
        for x in range(half_width):
            found = triangle[2 * y, 2 * x] < 0
            j = max(2 * y - 3, 0)
            while not found and j < min(2 * y + 4, height):
                for i in range(max(2 * x - 3, 0), min(2 * x + 4, width)):
                    found = found or triangle[j, i] < 0
                j += 1
            if found:
                shows[count] = (y - rows[0]) * half_width + x
                count += 1
    return count
