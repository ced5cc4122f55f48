"""What a check may look at: the picture, and the pictures beside it, each decoded when a check first asks for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar, cast

import numpy as np
from PIL import Image

from undercard.domain.requests import Control, Size
from undercard.domain.staging import Staging
from undercard.gate.pictures import Channels, Grey, Pixels, Source, decoded, opened, thumbnail
from undercard.store import Store, StoredFile

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A stored picture that the gate is to judge."""

    label: str
    """What people call it: `jab-03 take 1`."""
    picture: StoredFile
    neighbour: StoredFile | None
    """The keyframe before it in the same shot, when that is staged otherwise and they must differ."""
    before: StoredFile | None = None
    """The keyframe before it in the same shot, however that is staged."""
    takes: tuple[StoredFile, ...] = ()
    """Earlier takes of the same keyframe."""
    control: Control | None = None
    """What it was drawn from, or to be measured against."""
    references: tuple[StoredFile, ...] = ()
    """Pictures of the fighters that it was given, in the order of the staging."""
    staging: Staging | None = None
    backend: str = ""
    before_control: Control | None = None
    """What `before` was drawn from; without it nothing is said of jumps, since the camera may have moved."""
    draws_itself: bool = False
    """The picture is its own control image."""


class Evidence:
    """What a check may look at; every picture is RGB, and decoded once, when it is first asked for.

    Raises:
        UnreadableImage: on first use of a picture whose file cannot be decoded.
    """

    def __init__(
        self,
        pixels: Source,
        expected_size: Size,
        neighbours: Sequence[Source] = (),
        before: Source | None = None,
        takes: Sequence[Source] = (),
        control: Source | None = None,
        references: Sequence[Source] = (),
        staging: Staging | None = None,
        keypoints: Mapping[str, object] | Path | None = None,
        backend: str = "",
        before_control: Source | None = None,
        draws_itself: bool = False,
    ) -> None:
        self._pixels, self._neighbours, self._before, self._takes = pixels, neighbours, before, takes
        self._control, self._references, self._keypoints = control, references, keypoints
        self._before_control = before_control
        self._thumbnails: list[tuple[Pixels, Image.Image]] = []
        self.expected_size = expected_size
        self.staging = staging
        """Who stands where in which colours, under which light."""
        self.backend = backend
        """What drew it; thresholds may differ by backend."""
        self.draws_itself = draws_itself
        """The picture is its own control image: it shows what is staged, and repeats what is staged alike."""
        self._measured: dict[Callable[[Evidence], object], object] = {}

    @cached_property
    def pixels(self) -> Pixels:
        """The picture itself."""
        return decoded(self._pixels)

    @cached_property
    def mode(self) -> str:
        """Return the mode that the picture is stored in, as Pillow calls it."""
        if not isinstance(self._pixels, Path):
            return "RGB"
        with opened(self._pixels) as image:
            return image.mode

    @cached_property
    def image(self) -> Image.Image:
        """The picture itself, for Pillow."""
        return Image.fromarray(self.pixels)

    @cached_property
    def grey(self) -> Grey:
        """Its luma."""
        return np.asarray(self.image.convert("L"))

    @cached_property
    def channels(self) -> Channels:
        """Its three channels."""
        red, green, blue = self.image.split()
        return red, green, blue

    @cached_property
    def histogram(self) -> list[int]:
        """How many of its pixels have each level of red, of green and of blue; 768 numbers."""
        return self.image.histogram()

    def once(self, measure: Callable[[Evidence], T]) -> T:
        """Return what *measure* finds in this picture, worked out when it is first asked for, however many ask."""
        if measure not in self._measured:
            self._measured[measure] = measure(self)
        return cast("T", self._measured[measure])

    def thumbnail(self, pixels: Pixels) -> Image.Image:
        """Return a small picture of *pixels*, which is one of the pictures here: RGB, 256 to 511 px wide.

        Comparisons look at little more, and it takes less time than they would otherwise.
        """
        # The pixels are held with their thumbnail, so that no other picture can come to lie where these were.
        for known, small in self._thumbnails:
            if known is pixels:
                return small
        small = thumbnail(pixels)
        self._thumbnails.append((pixels, small))
        return small

    @cached_property
    def neighbours(self) -> tuple[Pixels, ...]:
        """The keyframes of the same shot that the picture must differ from."""
        return tuple(decoded(each) for each in self._neighbours)

    @cached_property
    def before(self) -> Pixels | None:
        """The keyframe before it in the same shot, however that is staged."""
        return _decoded_if(self._before)

    @cached_property
    def before_control(self) -> Pixels | None:
        """The previz frame that `before` was drawn from."""
        return _decoded_if(self._before_control)

    @cached_property
    def takes(self) -> tuple[Pixels, ...]:
        """Earlier takes of the same keyframe."""
        return tuple(decoded(each) for each in self._takes)

    @cached_property
    def control(self) -> Pixels | None:
        """The previz frame that it was drawn from; None for the previz itself."""
        return _decoded_if(self._control)

    @cached_property
    def references(self) -> tuple[Pixels, ...]:
        """Pictures of the fighters that it was given, in the order of the staging."""
        return tuple(decoded(each) for each in self._references)

    @cached_property
    def keypoints(self) -> Mapping[str, object] | None:
        """Where the joints should be: the JSON of `previz.maps.keypoints_json`."""
        if not isinstance(self._keypoints, Path):
            return self._keypoints
        found: Mapping[str, object] = json.loads(self._keypoints.read_text("utf-8"))
        return found


def evidence_of(exhibit: Exhibit, expected_size: Size, store: Store) -> Evidence:
    """Return what the checks may look at of *exhibit*, whose pictures are in *store*; no file is read yet."""
    where = store.path_of
    drawn_from = None if exhibit.draws_itself else exhibit.control
    drawn_before = None if exhibit.draws_itself else exhibit.before_control
    return Evidence(
        pixels=where(exhibit.picture),
        expected_size=expected_size,
        neighbours=[] if exhibit.neighbour is None else [where(exhibit.neighbour)],
        before=where(exhibit.before) if exhibit.before else None,
        before_control=where(drawn_before.frame) if drawn_before else None,
        takes=[where(take) for take in exhibit.takes],
        control=where(drawn_from.frame) if drawn_from else None,
        references=[where(reference) for reference in exhibit.references],
        staging=exhibit.staging,
        keypoints=where(exhibit.control.keypoints) if exhibit.control else None,
        backend=exhibit.backend,
        draws_itself=exhibit.draws_itself,
    )


def _decoded_if(source: Source | None) -> Pixels | None:
    return None if source is None else decoded(source)
