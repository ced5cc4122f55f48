"""A model whose pictures have flaws that only their own repair mends: the previz, spoilt as a shot's prompt says.

A prompt plants one with `flaw: NAME`. Those that today's checks see are real: `blank`, `soft`, `burnt`, `repeated`.
The others are told by a mark that the check in `planted_gate` knows: `tiled`, `pose`, `swapped`, `jump`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from PIL import Image, ImageFilter, ImageOps

from tests.fakes.planted_gate.planted import MARKS, SIDE
from undercard.backends import Rendered, Renderer, Rung, Work
from undercard.backends.previz import BACKEND as PREVIZ
from undercard.domain.controls import CONTROLS
from undercard.domain.requests import RenderRequest
from undercard.domain.unavailable import Unavailable
from undercard.hardware.devices import Device
from undercard.planning.keyframe import SEED_STRIDE
from undercard.settings import Settings
from undercard.shotlist.wording import INSISTENCE

FLAW = re.compile(r"flaw: (\w+)")
MENDED: Mapping[str, Callable[[RenderRequest], bool]] = {
    "blank": lambda request: request.seed >= SEED_STRIDE,
    "soft": lambda request: request.steps == 8,
    "burnt": lambda request: request.steps == 8 and request.seed >= SEED_STRIDE,
    "repeated": lambda request: INSISTENCE["repeated"].split(":")[0] in request.prompt,
    "tiled": lambda request: request.whole,
    "pose": lambda request: CONTROLS["frame"].told() in request.prompt,
    "swapped": lambda request: request.references[-1] == request.control,
    "jump": lambda request: "is the moment before this one" in request.prompt,
    "never": lambda request: False,
}


@dataclass
class FlawedRenderer:
    """Draws with the previz and spoils what is to be spoilt."""

    previz: Renderer
    first: dict[str, Image.Image] = field(default_factory=dict)
    """The first picture of each prompt's flaw."""

    def encode(self, requests: Sequence[RenderRequest]) -> None:
        self.previz.encode(requests)

    def render(self, request: RenderRequest) -> Rendered:
        drawn = self.previz.render(request)
        found = FLAW.search(request.prompt)
        if found is None or MENDED[found[1]](request):
            return drawn
        return replace(drawn, image=self.spoilt(drawn.image, found[1], later=request.prompt.endswith("later")))

    def spoilt(self, image: Image.Image, flaw: str, *, later: bool) -> Image.Image:
        match flaw:
            case "blank" | "never":
                return Image.new("RGB", image.size)
            case "soft":
                return image.filter(ImageFilter.GaussianBlur(5))
            case "burnt":
                # A lamp in the lens: whiteness that fades, so that no other check sees an edge or a step in it.
                glare = ImageOps.invert(Image.radial_gradient("L")).resize(image.size).point(lambda level: level * 2)
                return Image.composite(Image.new("RGB", image.size, "white"), image, glare)
            case "repeated":
                return self.first.setdefault(flaw, image)
            case "jump" if not later:
                return image
        marked = image.copy()
        marked.paste(MARKS[flaw][0], (0, 0, SIDE, SIDE))
        return marked


class Flawed:
    """The backend."""

    name = "flawed"
    family = "flawed"
    revision = 1
    exact = False
    prompted = True
    draws_itself = False
    animates = False
    in_child = False

    def heeds(self, settings: Settings) -> frozenset[str]:
        return frozenset({"steps", "whole"})

    def rungs(self, work: Work, device: Device, settings: Settings) -> tuple[Rung, ...]:
        return tuple(replace(rung, backend=self.name, sparing=True) for rung in PREVIZ.rungs(work, device, settings))

    def unavailable(self, device: Device, settings: Settings) -> Unavailable | None:
        return None

    @contextmanager
    def open(self, device: Device, rung: Rung, settings: Settings) -> Iterator[Renderer]:
        with PREVIZ.open(device, rung, settings) as previz:
            yield FlawedRenderer(previz)


BACKEND = Flawed()
