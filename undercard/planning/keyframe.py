"""A keyframe of a run: what is to be rendered, and as which request each take of it is made."""

from __future__ import annotations

from dataclasses import dataclass, replace

from undercard import backends
from undercard.domain import controls
from undercard.domain.requests import SEED_LIMIT, RenderRequest, Size
from undercard.domain.staging import Staging
from undercard.gate.repairs import Treatment
from undercard.settings import Settings
from undercard.shotlist import prompts
from undercard.shotlist.likeness import Likeness
from undercard.shotlist.models import Shot, ShotList

# Far enough apart that the takes of a shot never meet the seeds of its neighbours, which count up by one.
SEED_STRIDE = 1_000_003


@dataclass(frozen=True, slots=True)
class PlannedKeyframe:
    """One keyframe to render."""

    shot: Shot
    index: int
    """From 1, within its shot."""
    frame: int
    """The frame of the shot on which it falls, from 0."""
    staging: Staging
    prompt: str
    negative_prompt: str
    renderer: str
    size: Size
    settings: Settings
    """Of the machine, which may name what a backend renders with."""
    control: str = controls.DEFAULT
    """The kind of control image that a model draws it from."""
    likenesses: tuple[Likeness, ...] = ()
    """The fighters in it whose likeness a model keeps, in the order of their pictures."""
    shot_list: ShotList | None = None
    """What its prompt is made from, and made anew for a repair; None where nothing reads a prompt."""

    @property
    def label(self) -> str:
        """What people call it: `jab-03` is the third keyframe of shot `jab`."""
        return f"{self.shot.id}-{self.index:02d}"

    def request(self, draw: int) -> RenderRequest:
        """Return what to render with its shot's seed number *draw*, from 1: as a rule each take has one of its own.

        For a backend that is prompted, the pictures that it follows are still to be added.
        """
        return RenderRequest(
            prompt=self.prompt,
            negative_prompt=self.negative_prompt,
            seed=(self.shot.seed + SEED_STRIDE * (draw - 1)) % SEED_LIMIT,
            size=self.size,
            staging=self.staging,
            renderer=self.renderer,
        )

    def treated(self, treatment: Treatment) -> PlannedKeyframe:
        """Return it as repairs make it: with the control image and the words that *treatment* asks for."""
        planned = Treatment(self.control)
        if self.shot_list is None or replace(treatment, steps=0, whole=False) == planned:
            return self
        spoken = self.shot.keyframes[self.index - 1]
        prompt = prompts.prompt(self.shot_list, self.shot, spoken, self.size, treatment)
        return replace(self, prompt=prompt, control=treatment.control)

    def request_on(self, backend: str, draw: int, *, exact: bool) -> RenderRequest:
        """Return `request(draw)` as the backend called *backend* answers it."""
        request = replace(self.request(draw), renderer=backends.renderer_name(backend, self.settings, exact=exact))
        if backends.backend(backend).prompted:
            return request
        return replace(request, prompt="", negative_prompt="")
