"""Rejects a picture that is one of those it was to be made from; score: the largest difference of any spot, levels.

A model that returns its control image or a fighter's sheet has edited nothing. A sheet has another shape than the
frame, so that it comes back stretched or with its sides cut off.
"""

from __future__ import annotations

from PIL import Image, ImageOps

from undercard.gate.contract import Finding
from undercard.gate.evidence import Evidence
from undercard.gate.measures.spots import MOST_DIFFERENT, largest_difference
from undercard.gate.thresholds import threshold

ACROSS = 48
"""Spots across a picture that is compared with a reference: coarser, since that was resampled on the way."""


class Copied:
    """Compares with the control image and with each picture of a fighter."""

    name = "copied"
    cost = 0.004

    def examine(self, evidence: Evidence) -> Finding:
        """Pass when some spot differs from every picture that it was given."""
        row = threshold(self.name, evidence.backend)
        own, thumbnail = evidence.thumbnail(evidence.pixels), evidence.thumbnail
        differences = {
            f"picture {index} of a fighter": _from_reference(own, thumbnail(reference))
            for index, reference in enumerate(evidence.references, start=1)
        }
        if evidence.control is not None:
            differences["control image"] = largest_difference(own, thumbnail(evidence.control))
        if not differences:
            return row.finding(MOST_DIFFERENT, "")
        nearest = min(differences, key=differences.__getitem__)
        score = differences[nearest]
        cause = (
            f"not edited: it is the {nearest} that it was to be made from; no spot differs by more than {score:.1f} of"
            f" 255 levels, {row.limit} are needed"
        )
        return row.finding(score, cause)


def _from_reference(picture: Image.Image, reference: Image.Image) -> float:
    """Return the largest difference from *reference*, stretched or with its sides cut off."""
    size = 4 * ACROSS, max(1, 4 * ACROSS * picture.height // picture.width)
    return min(
        largest_difference(picture, other, ACROSS, Image.Resampling.BILINEAR)
        for other in (reference, ImageOps.fit(reference, size))
    )


CHECK = Copied()
