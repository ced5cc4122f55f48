"""The pinhole that a camera is: its axes, its focal length in pixels, and the projection of points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from undercard.domain.staging import Camera
from undercard.previz.mesh import Floats

SENSOR_WIDTH_MM = 36.0
"""Width of the frame that `Camera.lens_mm` refers to (full frame)."""


@dataclass(frozen=True, slots=True)
class View:
    """A camera ready to cast rays into a picture."""

    eye: Floats
    """Shape (3,), metres."""
    axes: Floats
    """Shape (3, 3): rows point right, up and forward."""
    focal_px: float
    width: int
    height: int

    def project(self, points: Floats) -> Floats:
        """Return (x px, y px, depth m) of *points* (n, 3) → (n, 3); a point behind the eye has a depth ≤ 0."""
        local = (points - self.eye) @ self.axes.T
        # A point in the eye's own plane has no picture; any far-off pixel says so.
        depth = np.where(np.abs(local[:, 2]) < 1e-6, 1e-6, local[:, 2])
        x = self.width / 2 + self.focal_px * local[:, 0] / depth
        y = self.height / 2 - self.focal_px * local[:, 1] / depth
        return np.stack([x, y, local[:, 2]], axis=1).astype(np.float32)


def look_through(camera: Camera, size: tuple[int, int]) -> View:
    """Return the view of *camera* on a picture of *size* (width, height) px.

    A camera that looks at itself looks along -z; one that looks straight down keeps -z at the top of the picture.
    """
    width, height = size
    eye = np.asarray(camera.position, np.float64)
    forward = _unit(np.asarray(camera.target, np.float64) - eye, (0.0, 0.0, -1.0))
    level = _unit(np.cross(forward, (0.0, 1.0, 0.0)), (1.0, 0.0, 0.0))
    rise = np.cross(level, forward)
    # Rolling to the right turns the picture's top to the right: (right, up) → cos, -sin.
    roll = np.radians(camera.roll_degrees)
    right = level * np.cos(roll) - rise * np.sin(roll)
    up = level * np.sin(roll) + rise * np.cos(roll)
    axes = np.stack([right, up, forward]).astype(np.float32)
    focal_px = camera.lens_mm / SENSOR_WIDTH_MM * width
    return View(eye.astype(np.float32), axes, focal_px, width, height)


def _unit(vector: np.ndarray, otherwise: tuple[float, float, float]) -> np.ndarray:
    length = float(np.linalg.norm(vector))
    return vector / length if length > 1e-6 else np.asarray(otherwise, np.float64)
