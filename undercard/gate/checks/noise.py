"""Rejects a noisy picture; score: standard deviation of its noise, levels, where the picture is smooth."""

from __future__ import annotations

from undercard.gate.contract import Finding
from undercard.gate.evidence import Evidence
from undercard.gate.measures.noise import noise_of
from undercard.gate.thresholds import threshold


class Noise:
    """Measures noise tile by tile."""

    name = "noise"
    cost = 0.002

    def examine(self, evidence: Evidence) -> Finding:
        """Pass when the smoother parts are smooth."""
        row = threshold(self.name, evidence.backend)
        score = evidence.once(noise_of)
        cause = f"noisy: grain of {score:.1f} of 255 levels where the picture is smooth, {row.limit} may be"
        return row.finding(score, cause)


CHECK = Noise()
