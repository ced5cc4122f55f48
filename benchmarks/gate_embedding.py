"""Measures whether an embedding of bodies could tell a fighter who has drifted: the evidence behind decision 0018.

    python -m benchmarks.gate_embedding mobilenetv2-person-embed.fp16.onnx              # scenes of the tune half
    python -m benchmarks.gate_embedding EMBEDDING.onnx --scenes 6 --size 512x288

The network takes a person cut out at 224×224 px, normalised as for ImageNet, and is not part of the package. Each
fighter of whom eight joints can be seen, edited as a model would, is compared with himself in the control image, and
with himself on his sheet. Then the same with another skin and hair, in the other corner's build, and in the other's
whole look. Printed is how often a threshold that rejects 2 % of the good ones finds each, how large the heads are, and
what the check `identity` finds of the same pictures.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.labelled.scenes import HAIRS, SKINS
from benchmarks.labelled.shoot import BACKEND, Shoot, shoot
from undercard.domain.colours import COLOURS
from undercard.domain.requests import SEED_LIMIT, Size
from undercard.domain.staging import PlacedFighter, Staging
from undercard.domain.timecode import parse_size
from undercard.gate.checks import identity
from undercard.gate.evidence import Evidence
from undercard.gate.measures.people import MUCH_SEEN, targets_of
from undercard.gate.pictures import Pixels
from undercard.gate.vision.adherence import Target
from undercard.previz.maps import keypoints_json
from undercard.previz.render import draw

LEAST_HEIGHT = 80.0
"""Pixels of a fighter whose embedding is taken."""
SIDE = 224
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's channels."""
MARGINS = (0.15, 0.12, 0.15, 0.06)
"""Left, top, right and bottom of a box around joints, as shares of its sides: a head is above its joints."""
HEAD = 0.13
"""Of a person's height."""
FACE_SIDES = (40, 80)
"""Pixels of the smallest face that dlib's detector finds, with the picture enlarged twice and as it is."""
GOOD_KEPT = 98.0
"""Percent."""


class Embedding:
    """The network."""

    def __init__(self, file: Path) -> None:
        import onnxruntime

        self.session: Any = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])

    def of(self, pixels: Pixels, target: Target) -> np.ndarray:
        """Return the unit vector of the person at *target*."""
        points = target.xy[target.in_frame]
        (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
        sides = (right - left, bottom - top, right - left, bottom - top)
        box = np.array([left, top, right, bottom]) + np.array([-1, -1, 1, 1]) * MARGINS * np.array(sides)
        crop = Image.fromarray(pixels).crop(tuple(np.round(box).astype(int).tolist())).resize((SIDE, SIDE))
        fed = ((np.asarray(crop, np.float32) / 255.0 - MEAN) / DEVIATION).transpose(2, 0, 1)[None].astype(np.float32)
        vector = self.session.run(None, {self.session.get_inputs()[0].name: fed})[0][0]
        unit: np.ndarray = vector / np.linalg.norm(vector)
        return unit


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", type=Path)
    parser.add_argument("--scenes", type=int, default=20)
    parser.add_argument("--size", default="1024x576")
    asked = parser.parse_args()
    embedding, size = Embedding(asked.network), parse_size(asked.size)
    alike: dict[tuple[str, str], list[float]] = defaultdict(list)
    found: dict[str, list[bool]] = defaultdict(list)
    heads: list[float] = []
    for seed in range(0, 2 * asked.scenes, 2):
        scene = shoot(seed, size)
        for index, target in enumerate(_seen(scene)):
            if target is None:
                continue
            heads.append(HEAD * target.height)
            sheet = _whole(scene.sheets[index])
            references = {
                "control image": embedding.of(scene.control, target),
                "sheet": embedding.of(scene.sheets[index], sheet),
            }
            for kind, pixels in _pictures(scene, index, size):
                vector = embedding.of(pixels, target)
                for name, reference in references.items():
                    alike[name, kind].append(float(vector @ reference))
                evidence = Evidence(
                    pixels, size, control=scene.control, staging=scene.scene.now, keypoints=scene.keypoints,
                    backend=BACKEND,
                )  # fmt: skip
                found[kind].append(not identity.CHECK.examine(evidence).passed)
    report(alike, found, heads)


def report(alike: dict[tuple[str, str], list[float]], found: dict[str, list[bool]], heads: Sequence[float]) -> None:
    """Print what the likenesses come to."""
    for reference in ("control image", "sheet"):
        limit = float(np.percentile(alike[reference, "good"], 100.0 - GOOD_KEPT))
        print(f"against the {reference}; below {limit:.3f} is rejected")
        for (against, kind), values in alike.items():
            if against == reference:
                low, middle, high = np.percentile(values, (10, 50, 90))
                share = np.mean(np.array(values) < limit)
                print(f"  {kind:16} n={len(values):3}  {low:.3f} {middle:.3f} {high:.3f}  rejected {share:.2f}")
    print("the check `identity`: " + ", ".join(f"{kind} {np.mean(values):.2f}" for kind, values in found.items()))
    shares = ", ".join(f"{np.mean(np.array(heads) >= side):.2f} of at least {side} px" for side in FACE_SIDES)
    print(f"{len(heads)} heads: {shares}")


def _pictures(scene: Shoot, index: int, size: Size) -> Iterator[tuple[str, Pixels]]:
    """Yield the good picture, and those in which the fighter number *index* has drifted."""
    now, rng = scene.scene.now, np.random.default_rng([9, scene.seed, index])
    fighter, other = now.fighters[index], now.fighters[1 - index]
    skins = [COLOURS[name] for name in SKINS if COLOURS[name] != fighter.look.skin]
    hairs = [COLOURS[name] for name in HAIRS if COLOURS[name] != fighter.look.hair]
    person = replace(fighter.look, skin=skins[rng.integers(len(skins))], hair=hairs[rng.integers(len(hairs))])
    drifted = {
        "skin and hair": replace(fighter, look=person),
        "build": replace(fighter, corner=other.corner),
        "whole look": replace(fighter, look=other.look),
    }
    yield "good", scene.picture
    for kind, changed in drifted.items():
        frame = draw(_with(now, index, changed), size, SEED_LIMIT + scene.seed)
        yield kind, scene.edit(frame.image, 5 + index)


def _with(staging: Staging, index: int, fighter: PlacedFighter) -> Staging:
    fighters = list(staging.fighters)
    fighters[index] = fighter
    return replace(staging, fighters=tuple(fighters))


def _seen(scene: Shoot) -> list[Target | None]:
    """Return each fighter of the scene, None for those of whom too little can be seen."""
    frame = draw(scene.scene.now, scene.size, SEED_LIMIT + scene.seed)
    targets = targets_of(json.loads(keypoints_json(frame)), scene.picture)
    return [one if one.seen.sum() >= MUCH_SEEN and one.height >= LEAST_HEIGHT else None for one in targets]


def _whole(sheet: Pixels) -> Target:
    """Return the front view of a sheet, which stands in its left half."""
    height, width = sheet.shape[:2]
    corners = np.array([[0.12, 0.12], [0.48, 0.95]], np.float32) * (width, height)
    xy = np.vstack([corners, np.repeat(corners[:1], 15, axis=0)])
    return Target("", xy, np.ones(17, bool), np.ones(17, bool))


if __name__ == "__main__":
    main()
