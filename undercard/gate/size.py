"""Rejects a picture that is not of the size that was asked for; score: pixels off on the worse side."""

from __future__ import annotations

from undercard.gate import Evidence, Finding


class WrongSize:
    """Compares width and height."""

    name = "size"
    cost = 0.0

    def examine(self, evidence: Evidence) -> Finding:
        """Pass when both sides are exactly as asked."""
        height, width = evidence.pixels.shape[:2]
        asked_width, asked_height = evidence.expected_size
        off = max(abs(width - asked_width), abs(height - asked_height))
        cause = f"the picture is {width}×{height} pixels, {asked_width}×{asked_height} were asked for"
        return Finding(check=self.name, score=off, threshold=0.0, passed=off == 0, cause=cause if off else "")


CHECK = WrongSize()
