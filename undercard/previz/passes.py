"""The passes of a picture: what each pixel sees, what light reaches it, its colour, its clean edges, the lens."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from undercard.previz import air, crowd, lens, lights, occlusion, paint, rays, shading
from undercard.previz.bands import Bands, Rows
from undercard.previz.kernel import kernel
from undercard.previz.mesh import Floats, Ints
from undercard.previz.rays import TILE
from undercard.previz.scene import Hits, Scene
from undercard.previz.view import View
from undercard.staging import Vec3

SURFACE_COLUMNS = 6
"""Of the surface buffer: depth, camera-space normal, owner, material."""
HalfBuffers: TypeAlias = tuple[Floats, Floats, Floats, Floats, Floats, Floats]
GLOW_STEP = 4
FLASHES = 12


@dataclass(frozen=True, slots=True)
class Sampling:
    """How many rays a pixel gets."""

    key: int
    rim: int
    sky: int
    edge: int
    """Rays through each pixel that an edge crosses."""


@dataclass(frozen=True, slots=True)
class Shot:
    """All that the passes share."""

    view: View
    scene: Scene
    light: lights.Light
    middle: Vec3
    sampling: Sampling
    seed: int
    bands: Bands


@dataclass(frozen=True, slots=True)
class Visible:
    """What the centre of each pixel sees, shape (h, w) each."""

    triangle: Ints
    distance: Floats
    u: Floats
    v: Floats


_BUILDING = threading.Lock()


def build_surroundings() -> None:
    """Build what every picture shares, once: several threads that draw their first picture must not each build it."""
    with _BUILDING:
        crowd.arena()
        crowd.heads()
        paint.canvas()
        paint.skirt()


def see(shot: Shot) -> Visible:
    """Cast a ray through the centre of every pixel."""
    width, height = shot.view.width, shot.view.height
    seen = Visible(np.empty((height, width), np.int32), *(np.empty((height, width), np.float32) for _ in range(3)))

    def band(rows: Rows) -> None:
        hits = _cast(shot.scene, shot.view, *_centres(rows, width))
        shape = (rows[1] - rows[0], width)
        seen.triangle[slice(*rows)] = hits.triangle.reshape(shape)
        seen.distance[slice(*rows)] = hits.distance.reshape(shape)
        seen.u[slice(*rows)] = hits.u.reshape(shape)
        seen.v[slice(*rows)] = hits.v.reshape(shape)

    shot.bands.run(band, height)
    return seen


def light_up(shot: Shot, seen: Visible) -> HalfBuffers:
    """Find at half resolution what lamps and sky reach, the haze before it, and the arena where it shows."""
    height, width = (shot.view.height + 1) // 2, (shot.view.width + 1) // 2
    points, normals, haze, backdrop = (np.zeros((height, width, 3), np.float32) for _ in range(4))
    raw = np.ones((height, width, occlusion.CHANNELS), np.float32)
    distance = np.zeros((height, width), np.float32)
    kinds, pattern = _light_samples(shot.sampling)
    lamps = lights.lamp_table(shot.light, shot.middle)
    beams = lights.beam_table(shot.light, shot.middle)
    fog = np.array(shot.light.haze, np.float32)
    scene = shot.scene

    def band(rows: Rows) -> None:
        ys, xs = np.mgrid[rows[0] : rows[1], 0:width]
        directions = _directions(shot.view, 2.0 * xs.ravel() + 0.5, 2.0 * ys.ravel() + 0.5)
        shape = (rows[1] - rows[0], width)
        every_other = np.s_[2 * rows[0] : 2 * rows[1] : 2, ::2]
        triangle = seen.triangle[every_other].ravel()
        t, u, v = (whole[every_other].ravel() for whole in (seen.distance, seen.u, seen.v))
        hit = np.flatnonzero(triangle >= 0).astype(np.int32)
        place, normal = np.empty((len(hit), 3), np.float32), np.empty((len(hit), 3), np.float32)
        _locate(hit, triangle, t, u, v, shot.view.eye, directions, scene.normals, scene.faces, place, normal)
        tiles = ((ys % TILE) * TILE + xs % TILE).ravel()[hit].astype(np.int32)
        found = _visibility(scene, place, normal, tiles, lamps, kinds, pattern)
        near = np.zeros(len(triangle), np.float32)
        near[hit] = t[hit]
        air_light = np.empty((len(triangle), 3), np.float32)
        air.light_air(shot.view.eye, directions, np.where(near > 0, near, 40.0), beams, fog, air_light)
        distance[slice(*rows)] = near.reshape(shape)
        haze[slice(*rows)] = air_light.reshape(*shape, 3)
        for whole, part in ((points, place), (normals, normal), (raw, found)):
            flat = whole[slice(*rows)].reshape(-1, whole.shape[2])
            flat[hit] = part
        backdrop[slice(*rows)] = _arena(shot, seen, rows, directions, beams, fog).reshape(*shape, 3)

    shot.bands.run(band, height, 24)
    smooth = raw.copy()
    shot.bands.run(lambda rows: occlusion.smooth_visibility(rows, points, normals, distance, raw, smooth), height, 24)
    soft = np.empty_like(backdrop)
    shot.bands.run(lambda rows: air.soften(rows, backdrop, soft), height)
    flashes = _flashes(shot)
    shot.bands.run(lambda rows: air.add_flashes(rows, flashes, soft, width / 420.0), height)
    return points, normals, distance, smooth, haze, soft


def colour(shot: Shot, seen: Visible, half: HalfBuffers) -> tuple[Floats, Floats]:
    """Shade every pixel; return linear light (h, w, 3) and the surface buffer (h, w, SURFACE_COLUMNS)."""
    width, height = shot.view.width, shot.view.height
    light = np.empty((height, width, 3), np.float32)
    surface = np.empty((height, width, SURFACE_COLUMNS), np.float32)

    def band(rows: Rows) -> None:
        xs, ys = _centres(rows, width)
        part = slice(*rows)
        hits = Hits(
            seen.triangle[part].ravel(), seen.distance[part].ravel(), seen.u[part].ravel(), seen.v[part].ravel()
        )
        _shade(
            shot, half, xs, ys, _directions(shot.view, xs, ys), hits,
            light[part].reshape(-1, 3), surface[part].reshape(-1, SURFACE_COLUMNS),
        )  # fmt: skip

    shot.bands.run(band, height)
    return light, surface


def clean_edges(shot: Shot, half: HalfBuffers, light: Floats, surface: Floats) -> None:
    """Draw again, with several rays, each pixel across which something ends; changes *light* in place."""
    height = shot.view.height
    count = shot.sampling.edge
    if count < 2:
        return
    # A rotated grid of places inside the pixel: the first R2 points, the same for every pixel.
    offsets = rays.sample_pattern(count)[0]
    edges = np.empty(light.shape[:2], np.bool_)
    shot.bands.run(lambda rows: _mark_edges(rows, surface, edges), height)

    def band(rows: Rows) -> None:
        y, x = np.nonzero(edges[slice(*rows)])
        if len(y) == 0:
            return
        xs = (x[:, None] + offsets[None, :, 0]).astype(np.float32).ravel()
        ys = (y[:, None] + rows[0] + offsets[None, :, 1]).astype(np.float32).ravel()
        directions = _directions(shot.view, xs, ys)
        hits = shot.scene.cast(np.broadcast_to(shot.view.eye, directions.shape).copy(), directions)
        colours = np.empty((len(xs), 3), np.float32)
        scratch = np.empty((len(xs), SURFACE_COLUMNS), np.float32)
        _shade(shot, half, xs, ys, directions, hits, colours, scratch)
        light[y + rows[0], x] = _settled(colours.reshape(-1, count, 3))

    shot.bands.run(band, height, 24)


def expose(shot: Shot, light: Floats, depth: Floats, focus: float, lens_mm: float, f_number: float) -> np.ndarray:
    """Return the picture, uint8 (h, w, 3): depth of field where the lens has an aperture, then bloom and film."""
    height, width = depth.shape
    if f_number > 0.0:
        limit = width / 72.0
        radius, blurred = np.empty_like(depth), np.empty_like(light)
        shot.bands.run(lambda rows: lens.confusion(depth, focus, lens_mm, f_number, limit, rows, radius), height)
        steps, lengths = lens.spiral(limit)
        linear = light
        shot.bands.run(lambda rows: lens.blur(linear, depth, radius, steps, lengths, rows, blurred), height, 32)
        closed = np.empty_like(light)
        shot.bands.run(lambda rows: lens.close_gaps(blurred, radius, rows, closed), height)
        light = closed
    glow = _glow(shot, light)
    grade = shot.light
    numbers = np.array(
        [grade.exposure, grade.contrast, grade.saturation, grade.vignette, 0.55 * grade.bloom, *grade.tint, 0.014],
        np.float32,
    )
    image = np.empty((height, width, 3), np.uint8)
    seed = shot.seed % 1_000_003
    curve = lens.transfer_curve()
    shot.bands.run(lambda rows: lens.develop(light, glow, GLOW_STEP, numbers, curve, seed, rows, image), height)
    return image


def _glow(shot: Shot, light: Floats) -> Floats:
    height, width = -(-light.shape[0] // GLOW_STEP), -(-light.shape[1] // GLOW_STEP)
    source = np.empty((max(height, 2), max(width, 2), 3), np.float32)
    shot.bands.run(lambda rows: lens.glow_source(light, GLOW_STEP, rows, source), len(source))
    total = np.zeros_like(source)
    # A tight halo and a wide veil, as share of the picture's width.
    for share, sigma in ((0.65, width / 110.0), (0.35, width / 26.0)):
        weights = lens.gaussian(max(sigma, 0.6))
        both = _blurred(shot, source, weights)
        total += np.float32(share) * both
    return total


def _blurred(shot: Shot, source: Floats, weights: Floats) -> Floats:
    across, both = np.empty_like(source), np.empty_like(source)
    shot.bands.run(lambda rows: lens.spread(source, weights, True, rows, across), len(source))
    shot.bands.run(lambda rows: lens.spread(across, weights, False, rows, both), len(source))
    return both


def _shade(
    shot: Shot,
    half: HalfBuffers,
    xs: Floats,
    ys: Floats,
    directions: Floats,
    hits: Hits,
    colours: Floats,
    surface: Floats,
) -> None:
    scene, view, light = shot.scene, shot.view, shot.light
    canvas, skirt = paint.canvas(), paint.skirt()
    shading.shade(
        xs, ys, directions, hits.triangle, hits.distance, hits.u, hits.v,
        (scene.normals, scene.rest, scene.faces, scene.face_materials, scene.materials),
        (canvas.texels, canvas.starts, skirt.texels, skirt.starts),
        half,
        (view.eye, view.axes, view.focal_px),
        lights.lamp_table(light, shot.middle),
        np.array([light.fill, light.sky, light.ground], np.float32),
        colours, surface,
    )  # fmt: skip


def _arena(shot: Shot, seen: Visible, rows: Rows, directions: Floats, beams: Floats, fog: Floats) -> Floats:
    """Return the arena's light for half-resolution *rows*, shape (n, 3); black where the stage covers it."""
    out = np.zeros((len(directions), 3), np.float32)
    shows = np.empty(len(directions), np.bool_)
    _open_behind(rows, seen.triangle, shows)
    ask = np.flatnonzero(shows)
    if len(ask) == 0:
        return out
    arena, eye = crowd.arena(), shot.view.eye
    toward = directions[ask]
    hits = arena.cast(np.broadcast_to(eye, toward.shape).copy(), toward)
    surfaces, hazed = np.empty((len(ask), 3), np.float32), np.empty((len(ask), 3), np.float32)
    key = np.array(shot.light.key.colour, np.float32)
    air.light_arena(
        eye, toward, hits.triangle, hits.distance, hits.u, hits.v, arena.normals, arena.faces,
        arena.face_materials, arena.materials, key / key.max(), shot.light.crowd, surfaces,
    )  # fmt: skip
    air.light_air(eye, toward, np.where(hits.triangle >= 0, hits.distance, 60.0), beams, fog, hazed)
    out[ask] = surfaces + hazed
    return out


def _visibility(
    scene: Scene, points: Floats, normals: Floats, tiles: Ints, lamps: Floats, kinds: Ints, pattern: Floats
) -> Floats:
    count = len(points) * len(kinds)
    origins, directions = np.empty((count, 3), np.float32), np.empty((count, 3), np.float32)
    reach = np.empty(count, np.float32)
    visibility = np.ones((len(points), occlusion.CHANNELS), np.float32)
    if count:
        occlusion.light_rays(points, normals, tiles, lamps, kinds, pattern, origins, directions, reach)
        occlusion.gather_visibility(scene.blocked(origins, directions, reach), kinds, visibility)
    return visibility


def _light_samples(sampling: Sampling) -> tuple[Ints, Floats]:
    """Return the channel of each sample, shape (s,), and the pattern, shape (TILE², s, 2)."""
    counts = (sampling.key, sampling.rim, sampling.rim, sampling.sky)
    kinds = np.repeat(np.arange(4), counts).astype(np.int32)
    pattern = np.concatenate([rays.sample_pattern(count) for count in counts], axis=1)
    return kinds, np.ascontiguousarray(pattern)


def _flashes(shot: Shot) -> Floats:
    """Return where cameras flash in the crowd, in half-resolution px, with their strength; shape (n, 3)."""
    rng = np.random.default_rng(shot.seed % 2**32)
    chosen = rng.choice(crowd.heads(), FLASHES * 4, replace=False)
    strength = rng.uniform(0.4, 2.4, len(chosen)) * min(shot.light.crowd, 1.0)
    pixels = shot.view.project(chosen)
    ahead = pixels[:, 2] > 3.0
    return np.column_stack([pixels[:, :2] / 2, strength])[ahead].astype(np.float32)


def _centres(rows: Rows, width: int) -> tuple[Floats, Floats]:
    ys, xs = np.mgrid[rows[0] : rows[1], 0:width].astype(np.float32) + np.float32(0.5)
    return xs.ravel(), ys.ravel()


def _directions(view: View, xs: np.ndarray, ys: np.ndarray) -> Floats:
    out = np.empty((len(xs), 3), np.float32)
    rays.camera_rays(
        view.axes, view.focal_px, view.width, view.height, xs.astype(np.float32), ys.astype(np.float32), out
    )
    return out


def _cast(scene: Scene, view: View, xs: Floats, ys: Floats) -> Hits:
    directions = _directions(view, xs, ys)
    return scene.cast(np.broadcast_to(view.eye, directions.shape).copy(), directions)


def _settled(samples: Floats) -> Floats:
    """Average (n, samples, 3) with bright ones held back, so that a glint does not make a ragged edge (Karis)."""
    weights = 1.0 / (1.0 + samples.max(axis=2, keepdims=True))
    mean: Floats = (samples * weights).sum(axis=1) / weights.sum(axis=1)
    return mean


@kernel
def _locate(
    hit: Ints,
    triangle: Ints,
    t: Floats,
    u: Floats,
    v: Floats,
    eye: Floats,
    directions: Floats,
    normals: Floats,
    faces: Ints,
    place: Floats,
    normal: Floats,
) -> None:
    """Fill place and normal of each ray named in *hit*."""
    for row in range(len(hit)):
        i = hit[row]
        x, y, z = directions[i, 0], directions[i, 1], directions[i, 2]
        place[row, 0], place[row, 1], place[row, 2] = eye[0] + t[i] * x, eye[1] + t[i] * y, eye[2] + t[i] * z
        nx, ny, nz = rays.normal_at(normals, faces, triangle[i], u[i], v[i], x, y, z)
        normal[row, 0], normal[row, 1], normal[row, 2] = nx, ny, nz


@kernel
def _open_behind(rows: Rows, triangle: Ints, shows: np.ndarray) -> None:
    """Set *shows* for the half-resolution pixels of *rows* near which some pixel sees past the stage."""
    height, width = triangle.shape
    half_width = (width + 1) // 2
    for y in range(rows[0], rows[1]):
        for x in range(half_width):
            found = False
            for j in range(max(2 * y - 3, 0), min(2 * y + 4, height)):
                for i in range(max(2 * x - 3, 0), min(2 * x + 4, width)):
                    found = found or triangle[j, i] < 0
            shows[(y - rows[0]) * half_width + x] = found


@kernel
def _mark_edges(rows: Rows, surface: Floats, edges: np.ndarray) -> None:
    """Mark pixels of *rows* whose neighbour is another thing, another depth, or turned away by 30° or more."""
    height, width = edges.shape
    for y in range(rows[0], rows[1]):
        for x in range(width):
            edge = False
            depth = surface[y, x, 0]
            for step in range(4):
                j = min(max(y + (1 if step == 0 else (-1 if step == 1 else 0)), 0), height - 1)
                i = min(max(x + (1 if step == 2 else (-1 if step == 3 else 0)), 0), width - 1)
                if surface[j, i, 5] != surface[y, x, 5]:
                    edge = True
                elif surface[y, x, 5] >= 0.0:
                    alike = 0.0
                    for k in range(1, 4):
                        alike += surface[y, x, k] * surface[j, i, k]
                    # A plane seen at a slant changes depth fast, too: allow it what its slope explains.
                    slope = max(surface[y, x, 3], 0.05)
                    if alike < 0.87 or abs(surface[j, i, 0] - depth) > 0.02 * depth / slope:
                        edge = True
            edges[y, x] = edge
