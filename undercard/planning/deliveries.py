"""Which deliveries a run makes beside its film."""

from __future__ import annotations

from collections.abc import Sequence

from undercard.film.encoding import delivery
from undercard.film.encoding.delivery import Delivery
from undercard.film.encoding.delivery_presets import preset
from undercard.shotlist.models import ShotList


def wanted(shot_list: ShotList, presets: Sequence[str], shape: str) -> tuple[Delivery, ...]:
    """Return what to deliver: *presets* in *shape* where a run names any of both, else what *shot_list* says.

    Raises:
        BadInput: there is no such preset or shape.
    """
    named = tuple(presets) or (() if shape == "whole" else ("h264",))
    found = [Delivery(name, shape) for name in named] or [
        Delivery(entry.preset, entry.shape) for entry in shot_list.delivery
    ]
    for each in found:
        preset(each.preset)
        delivery.check_shape(each.shape)
    return tuple(dict.fromkeys(found))
