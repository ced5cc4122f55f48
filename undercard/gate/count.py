"""Rejects a picture with somebody too few or too many; score: by how many it is off.

Expected is who can be seen plainly: a glove at the edge is nobody missing, nor anybody else's. Too many is who stands
as large as the fighters; the crowd does not count, being smaller and out of focus.
"""

from __future__ import annotations

from undercard.gate import Evidence, Finding
from undercard.gate._people import Cast, Fighter, cast_of, region
from undercard.gate._thresholds import threshold
from undercard.vision.pose import Person

LEAST_STRANGER = 0.2
"""Score of somebody who should not be there."""
AS_LARGE = 0.45
"""Height over that of the tallest fighter, as far as he is in the picture."""
LONE_HEIGHT = 0.25
"""Height over that of the picture, where no fighter should be seen."""


class Count:
    """Counts people."""

    name = "count"
    cost = 0.25

    def examine(self, evidence: Evidence) -> Finding:
        """Pass when everybody is there and nobody else is, or when nobody said who should be."""
        cast = cast_of(evidence)
        missing = [] if cast is None else [one for one in cast.fighters if one.readable and one.person is None]
        strangers = [] if cast is None else _strangers(cast, evidence.pixels.shape[0])
        places = [one.target.box for one in missing] + [person.box for person in strangers]
        where = region(places[0], evidence.pixels) if places else None
        return threshold(self.name, evidence.backend).finding(len(places), _cause(missing, strangers), where)


def _strangers(cast: Cast, picture_height: int) -> list[Person]:
    boxes = [one.target.box for one in cast.fighters if one.target.in_frame.any()]
    tallest = max((max(box[2] - box[0], box[3] - box[1]) for box in boxes), default=0.0)
    least = AS_LARGE * tallest if tallest else LONE_HEIGHT * picture_height
    return [person for person in cast.strangers if person.score >= LEAST_STRANGER and person.height >= least]


def _cause(missing: list[Fighter], strangers: list[Person]) -> str:
    causes = [f"{one.target.name} is missing: nobody stands where he should" for one in missing]
    if strangers:
        many = "somebody" if len(strangers) == 1 else f"{len(strangers)} people"
        causes.append(f"{many} too many: as large as the fighters, and none of them")
    return "; ".join(causes)


CHECK = Count()
