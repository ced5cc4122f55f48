"""Rejects a picture whose shades are lost; score: share of it with all three channels at exactly 0.

A dark hall that was rendered still holds levels 1 to 8, one that was cut off does not.
"""

from __future__ import annotations

import numpy as np
from PIL import ImageChops

from undercard.gate.contract import Finding
from undercard.gate.evidence import Evidence
from undercard.gate.measures.shares import region_of
from undercard.gate.thresholds import threshold


class Crushed:
    """Counts black pixels."""

    name = "crushed"
    cost = 0.003

    def examine(self, evidence: Evidence) -> Finding:
        """Pass when shades still hold detail."""
        row = threshold(self.name, evidence.backend)
        red, green, blue = evidence.channels
        lightest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
        share = lightest.histogram()[0] / (lightest.width * lightest.height)
        if row.passes(share):
            return row.finding(share, "")
        cause = f"shadows crushed: {share:.0%} of the picture is pure black, {row.limit:.0%} may be"
        return row.finding(share, cause, region_of(np.asarray(lightest) == 0))


CHECK = Crushed()
