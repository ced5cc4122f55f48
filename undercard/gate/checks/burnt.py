"""Rejects a picture whose lights are lost; score: share of it with all three channels at their upper end."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageChops

from undercard.gate.contract import Finding
from undercard.gate.evidence import Evidence
from undercard.gate.measures.shares import region_of
from undercard.gate.pictures import Channels
from undercard.gate.thresholds import threshold

BURNT_LEVEL = 253
"""JPEG and resampling move 255 by two levels."""


class Burnt:
    """Counts white pixels."""

    name = "burnt"
    cost = 0.003

    def examine(self, evidence: Evidence) -> Finding:
        """Pass when lights still hold detail."""
        row = threshold(self.name, evidence.backend)
        darkest = darkest_channel(evidence.channels)
        share = sum(darkest.histogram()[BURNT_LEVEL:]) / (darkest.width * darkest.height)
        if row.passes(share):
            return row.finding(share, "")
        cause = f"burnt out: {share:.0%} of the picture is pure white, {row.limit:.0%} may be"
        return row.finding(share, cause, region_of(np.asarray(darkest) >= BURNT_LEVEL))


def darkest_channel(channels: Channels) -> Image.Image:
    """Return the least of each pixel's three *channels*."""
    red, green, blue = channels
    return ImageChops.darker(ImageChops.darker(red, green), blue)


CHECK = Burnt()
