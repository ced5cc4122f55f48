"""Rejects a picture that is not of the size or mode that was asked for; score: pixels off on the worse side."""

from __future__ import annotations

from undercard.gate.contract import Finding
from undercard.gate.evidence import Evidence
from undercard.gate.thresholds import threshold

COLOUR_MODES = frozenset({"RGB", "RGBA", "RGBX", "P"})
"""As Pillow calls them. A palette is a way to store colours; grey, CMYK and floats are other pictures."""


class WrongSize:
    """Compares width, height and mode."""

    name = "size"
    cost = 0.0

    def examine(self, evidence: Evidence) -> Finding:
        """Pass when both sides are exactly as asked, in colour."""
        height, width = evidence.pixels.shape[:2]
        asked_width, asked_height = evidence.expected_size
        off = max(abs(width - asked_width), abs(height - asked_height))
        cause = f"the picture is {width}×{height} pixels, {asked_width}×{asked_height} were asked for"
        if not off and evidence.mode not in COLOUR_MODES:
            # No pixel is off, but none is what was asked for.
            off = max(width, height)
            cause = f"the picture is stored in mode {evidence.mode!r}, which is not RGB"
        return threshold(self.name, evidence.backend).finding(off, cause)


CHECK = WrongSize()
