"""Rejects a picture whose light or shade is lost; score: the worse of the two shares over the most it may be.

Burnt: all three channels at their end. Crushed: all three at exactly 0; a dark hall that was rendered still holds
levels 1 to 8, one that was cut off does not.
"""

from __future__ import annotations

from PIL import Image, ImageChops

from undercard.gate import Evidence, Finding, Pixels

BURNT_LEVEL = 253
"""JPEG and resampling move 255 by two levels."""
MOST_BURNT = 0.06
"""Share of the picture. Calibrated on 16 previz frames of five lights: up to 0.013, under the press flash with a rope
before the lens; exposed three times 0.047 to 0.70, the least for a close-up in the dark."""
MOST_CRUSHED = 0.30
"""Share of the picture. The same frames: up to 0.09, a walk-in under one spot; black point raised to 60 of 255 0.32 to
0.67 where the hall shows, 0.09 to 0.22 where nearly nothing is dark."""


class Clipped:
    """Counts pixels at either end of the scale."""

    name = "clipped"
    cost = 0.005

    def examine(self, evidence: Evidence) -> Finding:
        """Pass when lights and shades still hold detail."""
        burnt, crushed = clipped_shares(evidence.pixels)
        causes = []
        if burnt > MOST_BURNT:
            causes.append(f"burnt out: {burnt:.0%} of the picture is pure white, {MOST_BURNT:.0%} may be")
        if crushed > MOST_CRUSHED:
            causes.append(f"shadows crushed: {crushed:.0%} of the picture is pure black, {MOST_CRUSHED:.0%} may be")
        score = max(burnt / MOST_BURNT, crushed / MOST_CRUSHED)
        return Finding(check=self.name, score=score, threshold=1.0, passed=not causes, cause="; ".join(causes))


def clipped_shares(pixels: Pixels) -> tuple[float, float]:
    """Return the shares of *pixels* that are burnt and crushed, 0…1 each."""
    red, green, blue = Image.fromarray(pixels).split()
    darkest = ImageChops.darker(ImageChops.darker(red, green), blue)
    lightest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    count = red.width * red.height
    return sum(darkest.histogram()[BURNT_LEVEL:]) / count, lightest.histogram()[0] / count


CHECK = Clipped()
