"""The compiled kernels and what is kept of them on disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from undercard.previz.kernel import clear_stale
from undercard.previz.ring import ring
from undercard.previz.scene import Scene


def test_machine_code_of_other_sources_is_deleted(tmp_path: Path) -> None:
    kept = [tmp_path / name for name in ("rays.f-1.py311.nbi", "rays.f-1.py311.1.nbc")]
    for path in kept:
        path.write_bytes(b"old")
    clear_stale(tmp_path, "a digest", ["rays"])
    assert not any(path.exists() for path in kept)


def test_machine_code_of_these_sources_stays(tmp_path: Path) -> None:
    clear_stale(tmp_path, "a digest", ["rays"])
    kept = tmp_path / "rays.f-1.py311.nbi"
    kept.write_bytes(b"new")
    clear_stale(tmp_path, "a digest", ["rays"])
    assert kept.exists()


def test_what_other_modules_keep_in_the_folder_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "elsewhere.f-1.py311.nbi"
    other.write_bytes(b"another project's")
    clear_stale(tmp_path, "a digest", ["rays"])
    assert other.exists()


def test_rays_name_triangles_across_meshes() -> None:
    # Embree numbers each mesh's triangles from 0; the scene's own numbers go on.
    one = ring()
    raised = replace(one, vertices=one.vertices + np.array([0, 50, 0], np.float32))
    scene = Scene([(one, 0), (raised, 1)])
    origins = np.array([[0.3, 2.0, 0.4], [0.3, 52.0, 0.4], [0.3, 90.0, 0.4]], np.float32)
    directions = np.array([[0, -1, 0], [0, -1, 0], [0, 1, 0]], np.float32)
    first, second, missed = scene.cast(origins, directions).triangle.tolist()
    assert 0 <= first < len(one.faces)
    assert second == first + len(one.faces)
    assert missed == -1
