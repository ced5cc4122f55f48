"""Who is in a picture, against who should be: what the checks that look at people share.

The picture is held to its control image, joint by joint (`vision.comparison`), once a picture however many checks ask.
What the network cannot read in the control image, nobody judges in the picture: such checks abstain. One look at each
picture is enough where it shows everybody in his place and nobody else; what it doubts is looked at again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from PIL import Image

from undercard.errors import BadInput
from undercard.gate.contract import Region
from undercard.gate.evidence import Evidence
from undercard.gate.measures.grid import block_step_of
from undercard.gate.measures.levels import spacing_of
from undercard.gate.measures.noise import noise_of
from undercard.gate.measures.sharpness import sharpness_of
from undercard.gate.pictures import Grey, Pixels, remembered
from undercard.gate.thresholds import threshold
from undercard.gate.vision.adherence import Flags, Target, adherence
from undercard.gate.vision.comparison import Reading, Surplus, presence, reading, surplus
from undercard.gate.vision.heat import Heat, heat
from undercard.gate.vision.networks import Floats
from undercard.gate.vision.pose import JOINTS, SEEN, Box, look_closely

LEAST_TRUSTED = 5
"""Joints that can be read of somebody who is judged."""
MUCH_SEEN = 8
"""Joints of somebody who is more than a glove at the picture's edge."""
SURE = 0.95
"""Fit of one who need not be looked at again."""
SECOND_SIDE = 256
"""Longer side of the second look, px: what is blurred or burnt at one scale is often plain at another."""
DOUBTFUL = 0.4
"""Surplus that is looked at again."""
MOST_NOISE, LEAST_SHARPNESS = 8.0, 0.03
"""Of a picture in which the network's doubts mean something, as `noise` and `blur` measure them. Those reject it well
before."""
PRESENT = 0.35
"""Presence of somebody who is there, in whatever pose. Missing previz fighters: 48 of 50 below; in other poses: 35 of
38 above, of those who keep at most that share of their joints."""
BURNT_OUT, CRUSHED = 235, 4
"""Levels from which and below which there is nothing to see."""
MOST_LOST = 0.5
"""Share of the surroundings of a joint that may be so."""
LEAST_SPAN = 12.0
"""Levels between what is dark and what is light there in the control image: of who stands dark before the dark hall the
network sees joints that no eye sees, until a few levels more or less take them away."""
LEAST_CONTRAST = 0.12
"""The same as a share of what is light: of who stands pale on a bright canvas a model's texture is all that is left."""
MOST_BLACK = 0.2
"""Share of the picture that may be crushed without being so in the control image."""
AROUND = 0.03
"""Heights of a fighter: half the side of a joint's surroundings."""
MOST_TILT = 30.0
"""Degrees of the trunk from upright, of whom Thunder can be asked."""
TRUNK = (0.2, 0.4)
"""Length of the trunk over the height: about 0.29 of one who stands, less seen from above, more of one who squats."""
LEAST_PICTURE = 160
"""Pixels of the picture's height."""


@dataclass(frozen=True, slots=True)
class Fighter:
    """One who should be in the picture."""

    target: Target
    clear: Flags
    """Shape (17,): joints about which there is something to see, in the control image and in the picture."""
    readable: bool
    """So many of his joints can be read in the control image that something can be said of him."""
    reading: Reading
    fit: float
    """The share of his joints that are where they should be, after all looks at him."""
    missing: bool
    """Nobody is where he should be."""


@dataclass(frozen=True, slots=True)
class Cast:
    """Who is in a picture."""

    fighters: tuple[Fighter, ...]
    """In the order of the keypoints."""
    surplus: Surplus
    """What is there of bodies that are none of theirs."""
    seen: Heat
    """Joints in the picture."""
    drawn: Heat
    """Joints in its control image."""

    @property
    def readable(self) -> bool:
        """Say whether the network can read bodies as this camera sees them."""
        return any(one.readable for one in self.fighters)

    @property
    def complete(self) -> bool:
        """Say whether everybody can be read of whom much can be seen."""
        return self.readable and all(one.readable or one.target.seen.sum() < MUCH_SEEN for one in self.fighters)


def cast_of(evidence: Evidence) -> Cast | None:
    """Return who is in the picture, or None where that cannot be said or need not be.

    It cannot without keypoints and a control image, nor in a picture as small as a thumbnail; what the network makes of
    noise, blur, bands and blocks is nobody's fault. It need not where the previz drew it: its keypoints are those of
    the same drawing, so that only the network could be wrong.

    Raises:
        BadInput: the keypoints are not those of `previz.maps.keypoints_json`.
    """
    return evidence.once(_cast)


def is_unreadable(evidence: Evidence) -> bool:
    """Say whether the picture is so noisy, soft, banded or blocky that doubts about people mean nothing."""
    if evidence.once(noise_of) > MOST_NOISE or evidence.once(sharpness_of) < LEAST_SHARPNESS:
        return True
    scores = {"banding": evidence.once(spacing_of), "blocks": evidence.once(block_step_of)[0]}
    return not all(threshold(check, evidence.backend).passes(score) for check, score in scores.items())


def targets_of(keypoints: Mapping[str, object], pixels: Pixels) -> tuple[Target, ...]:
    """Return where everybody should be in *pixels*, whatever size the keypoints were worked out for.

    Raises:
        BadInput: the keypoints are not those of `previz.maps.keypoints_json`.
    """
    written = cast("Mapping[str, Any]", keypoints)
    height, width = pixels.shape[:2]
    try:
        scale = np.array([width / written["width"], height / written["height"]], np.float32)
        return tuple(_target(entry["name"], list(entry["joints"].values()), scale) for entry in written["fighters"])
    except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError) as exc:
        raise BadInput(f"keypoints that cannot be read ({exc!r}); draw the keyframe's control images again") from exc


def region(box: Box, pixels: Pixels) -> Region:
    """Return the part of *box* that is inside the picture."""
    height, width = pixels.shape[:2]
    left, top = max(0, int(box[0])), max(0, int(box[1]))
    right, bottom = min(width, int(np.ceil(box[2]))), min(height, int(np.ceil(box[3])))
    return left, top, max(0, right - left), max(0, bottom - top)


def same_size(control: Pixels, pixels: Pixels) -> Pixels:
    """Return *control* at the size of *pixels*."""
    height, width = pixels.shape[:2]
    if control.shape == pixels.shape:
        return control
    return np.asarray(Image.fromarray(control).resize((width, height), Image.Resampling.BOX))


def _target(name: str, joints: Sequence[Mapping[str, Any]], scale: Floats) -> Target:
    if len(joints) != 17:
        raise ValueError(f"{name} has {len(joints)} joints, not 17")
    xy = np.array([[joint["x"], joint["y"]] for joint in joints], np.float32) * scale
    seen = np.array([bool(joint["visible"]) for joint in joints])
    return Target(name, xy, seen, np.array([bool(joint["in_frame"]) for joint in joints]))


def _cast(evidence: Evidence) -> Cast | None:
    pixels = evidence.pixels
    if evidence.keypoints is None or evidence.control is None or evidence.draws_itself:
        return None
    if pixels.shape[0] < LEAST_PICTURE:
        return None
    targets = targets_of(evidence.keypoints, pixels)
    control = same_size(evidence.control, pixels)
    grey, drawn_grey = evidence.grey, np.asarray(Image.fromarray(control).convert("L"))
    # Where a fighter is missing from a dark hall it is black as well.
    is_crushed = (grey < CRUSHED).mean() - (drawn_grey < CRUSHED).mean() > MOST_BLACK
    clear = [_clear(grey, drawn_grey, target, CRUSHED if is_crushed else 0) for target in targets]
    seen, drawn = heat(pixels), _heat_of(control)
    readings = [reading(seen, drawn, *pair) for pair in zip(targets, clear, strict=True)]
    fits = [each.fit for each in readings]
    extra = surplus(seen, drawn, targets)
    doubted = [k for k, each in enumerate(readings) if _readable(each) and each.fit < SURE]
    if doubted or extra.score > DOUBTFUL:
        if is_unreadable(evidence):
            return None
        seen_again, drawn_again = _second_look(pixels, control)
        for k in doubted:
            again = reading(seen_again, drawn_again, targets[k], clear[k])
            if _readable(again) and again.fit > fits[k]:
                readings[k], fits[k] = again, again.fit
            closely = _closely(pixels, control, targets[k], clear[k]) if fits[k] < SURE else None
            fits[k] = fits[k] if closely is None else (fits[k] + closely) / 2
        extra = _calmer(extra, surplus(seen_again, drawn_again, targets))
    fighters = []
    for k, target in enumerate(targets):
        others = [other for other in targets if other is not target]
        there = fits[k] > PRESENT or presence(seen, drawn, target, others) > PRESENT
        fighters.append(Fighter(target, clear[k], _readable(readings[k]), readings[k], fits[k], not there))
    return Cast(tuple(fighters), extra, seen, drawn)


# A control image is looked at for every take.
@remembered(4)
def _heat_of(control: Pixels) -> Heat:
    return heat(control)


def _readable(each: Reading) -> bool:
    return int(each.trusted.sum()) >= LEAST_TRUSTED


def _calmer(first: Surplus, second: Surplus) -> Surplus:
    """Return the first with the mean of the two scores: what one scale makes of a shadow, the other does not."""
    return Surplus((first.score + second.score) / 2, first.peaks or second.peaks)


def _closely(pixels: Pixels, control: Pixels, target: Target, clear: Flags) -> float | None:
    """Return the fit as Thunder sees it, by joints that it is sure of and places rightly in *control*; None without."""
    trunk = target.xy[[5, 6]].mean(axis=0) - target.xy[[11, 12]].mean(axis=0)
    tilt = float(np.degrees(np.arctan2(abs(trunk[0]), -trunk[1])))
    if tilt > MOST_TILT or not TRUNK[0] <= np.linalg.norm(trunk) / max(target.height, 1.0) <= TRUNK[1]:
        return None
    placed = adherence(look_closely(control, target.box), target)
    found = look_closely(pixels, target.box)
    trusted = target.seen & clear & ~np.isin(JOINTS, placed.off) & (found.scores >= SEEN)
    if trusted.sum() < LEAST_TRUSTED:
        return None
    return adherence(found, Target(target.name, target.xy, trusted, target.in_frame)).fit


def _second_look(pixels: Pixels, control: Pixels) -> tuple[Heat, Heat]:
    """Return the joints of both pictures when they are small, the first in the tones of the second."""
    small = [Image.fromarray(each) for each in (pixels, control)]
    for each in small:
        each.thumbnail((SECOND_SIDE, SECOND_SIDE), Image.Resampling.BOX)
    first, second = (np.asarray(each) for each in small)
    # Each channel's levels are moved so that as many pixels are below each level as in the control image.
    toned = np.empty_like(first)
    for channel in range(3):
        below, aim = (np.bincount(each[..., channel].ravel(), minlength=256).cumsum() for each in (first, second))
        toned[..., channel] = np.interp(below, aim, np.arange(256))[first[..., channel]]
    scale = pixels.shape[1] / first.shape[1]
    seen, drawn = heat(toned, SECOND_SIDE), heat(second, SECOND_SIDE)
    return Heat(seen.maps, seen.cell * scale), Heat(drawn.maps, drawn.cell * scale)


def _clear(grey: Grey, drawn: Grey, target: Target, black: int) -> Flags:
    """Return which joints lie where *drawn* shows something and neither is mostly lost; shape (17,).

    Lost is what is burnt out, in the picture or as it is drawn, or below *black* in the picture.
    """
    half = max(2, int(AROUND * target.height))
    found = np.ones(17, bool)
    for joint, (x, y) in enumerate(target.xy.astype(int)):
        around = np.s_[max(0, y - half) : max(0, y + half + 1), max(0, x - half) : max(0, x + half + 1)]
        levels = grey[around]
        if levels.size:
            low, high = np.percentile(drawn[around], (5, 95))
            lost = max(((levels > BURNT_OUT) | (levels < black)).mean(), (drawn[around] > BURNT_OUT).mean())
            found[joint] = high - low >= max(LEAST_SPAN, LEAST_CONTRAST * high) and lost <= MOST_LOST
    return found
