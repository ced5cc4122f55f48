"""Rejects a picture that shows nothing; score: standard deviation of its liveliest channel, levels.

A decoder that overflows leaves NaN, which becomes one flat colour, black as a rule; `dead` finds it in single tiles.
"""

from __future__ import annotations

from PIL import ImageStat

from undercard.gate.contract import Finding
from undercard.gate.evidence import Evidence
from undercard.gate.thresholds import threshold


class Blank:
    """Measures how far the picture is from one colour."""

    name = "blank"
    cost = 0.002

    def examine(self, evidence: Evidence) -> Finding:
        """Pass when the picture shows something."""
        spread = max(ImageStat.Stat(evidence.histogram).stddev)
        cause = f"nothing in the picture: one colour, give or take {spread:.1f} of 255 levels"
        return threshold(self.name, evidence.backend).finding(spread, cause)


CHECK = Blank()
