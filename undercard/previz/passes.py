"""The passes that look from the camera: what each pixel sees, its colour, its clean edges."""

from __future__ import annotations

import numpy as np

from undercard.previz import lights, paint, rays, shading
from undercard.previz.bands import Rows
from undercard.previz.kernel import kernel
from undercard.previz.mesh import Floats
from undercard.previz.picture import Shot, Visible
from undercard.previz.scene import Hits
from undercard.previz.view import View

SURFACE_COLUMNS = 6
"""Of the surface buffer: depth, camera-space normal, owner, material."""


def see(shot: Shot) -> Visible:
    """Cast a ray through the centre of every pixel."""
    width, height = shot.view.width, shot.view.height
    seen = Visible(
        np.empty((height, width, 3), np.float32),
        np.empty((height, width), np.int32),
        *(np.empty((height, width), np.float32) for _ in range(3)),
    )

    def band(rows: Rows) -> None:
        part = slice(*rows)
        directions = seen.directions[part].reshape(-1, 3)
        _aim(shot.view, *_centres(rows, width), directions)
        hits = _cast(shot, directions)
        seen.triangle[part].reshape(-1)[:] = hits.triangle
        seen.distance[part].reshape(-1)[:] = hits.distance
        seen.u[part].reshape(-1)[:] = hits.u
        seen.v[part].reshape(-1)[:] = hits.v

    shot.bands.run(band, height)
    return seen


def colour(shot: Shot, seen: Visible, half: shading.Half) -> tuple[Floats, Floats]:
    """Shade every pixel; return linear light (h, w, 3) and the surface buffer (h, w, SURFACE_COLUMNS)."""
    width, height = shot.view.width, shot.view.height
    light = np.empty((height, width, 3), np.float32)
    surface = np.empty((height, width, SURFACE_COLUMNS), np.float32)

    def band(rows: Rows) -> None:
        part = slice(*rows)
        hits = Hits(
            seen.triangle[part].ravel(), seen.distance[part].ravel(), seen.u[part].ravel(), seen.v[part].ravel()
        )
        _shade(
            shot, half, *_centres(rows, width), seen.directions[part].reshape(-1, 3), hits,
            light[part].reshape(-1, 3), surface[part].reshape(-1, SURFACE_COLUMNS),
        )  # fmt: skip

    shot.bands.run(band, height)
    return light, surface


def clean_edges(shot: Shot, half: shading.Half, light: Floats, surface: Floats) -> None:
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
        directions = np.empty((len(xs), 3), np.float32)
        _aim(shot.view, xs, ys, directions)
        colours = np.empty((len(xs), 3), np.float32)
        scratch = np.empty((len(xs), SURFACE_COLUMNS), np.float32)
        _shade(shot, half, xs, ys, directions, _cast(shot, directions), colours, scratch)
        light[y + rows[0], x] = _settled(colours.reshape(-1, count, 3))

    shot.bands.run(band, height, 24)


def _shade(
    shot: Shot,
    half: shading.Half,
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
        xs, ys, directions,
        (hits.triangle, hits.distance, hits.u, hits.v),
        (scene.corners, scene.faces, scene.face_materials, scene.materials),
        (canvas.texels, canvas.starts, skirt.texels, skirt.starts),
        half,
        (view.eye, view.axes, view.focal_px),
        lights.lamp_table(light, shot.middle),
        np.array([light.fill, light.sky, light.ground], np.float32),
        colours, surface,
    )  # fmt: skip


def _centres(rows: Rows, width: int) -> tuple[Floats, Floats]:
    """Return x and y of the pixels' centres in *rows*, px."""
    xs = np.arange(width, dtype=np.float32) + np.float32(0.5)
    ys = np.arange(*rows, dtype=np.float32) + np.float32(0.5)
    return np.tile(xs, len(ys)), np.repeat(ys, width)


def _aim(view: View, xs: Floats, ys: Floats, directions: Floats) -> None:
    rays.camera_rays(view.axes, view.focal_px, view.width, view.height, xs, ys, directions)


def _cast(shot: Shot, directions: Floats) -> Hits:
    return shot.scene.cast(np.broadcast_to(shot.view.eye, directions.shape), directions)


def _settled(samples: Floats) -> Floats:
    """Average (n, samples, 3) with bright ones held back, so that a glint does not make a ragged edge (Karis)."""
    weights = 1.0 / (1.0 + samples.max(axis=2, keepdims=True))
    mean: Floats = (samples * weights).sum(axis=1) / weights.sum(axis=1)
    return mean


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
