"""What a run has to do: which keyframes to render, which frames to draw between them, how the film is cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from undercard import backends
from undercard.backends import Work
from undercard.domain.requests import RenderRequest, Size
from undercard.film.base.timing import Moment
from undercard.film.encoding.delivery import Delivery
from undercard.film.motion.transitions import transition_kind
from undercard.film.timeline.timeline import CUT, Clip, Timeline, Transition
from undercard.hardware.devices import Device
from undercard.planning import choose
from undercard.planning import clips as clip_planning
from undercard.planning import work as film_work
from undercard.planning.choose import AUTO, PREVIZ
from undercard.planning.clips import Fallen
from undercard.planning.keyframe import PlannedKeyframe
from undercard.settings import Settings
from undercard.shotlist import direction, graphics, prompts
from undercard.shotlist.likeness import SHEET_SIZE
from undercard.shotlist.load import select_shots, shots_from
from undercard.shotlist.models import Shot, ShotList
from undercard.store import Store

# x264 veryfast on one core of a small server, with the pipe that feeds it.
ENCODE_SECONDS_PER_MEGAPIXEL = 0.04
# A frame that repeats the one before is written without x264 and decoded for the check: 0.0013 to 0.0017 core seconds.
REPEAT_SECONDS_PER_MEGAPIXEL = 0.002


# Without slots, so that what every shot asks for is worked out once.
@dataclass(frozen=True)
class Plan:
    """A run: the shots it renders and the film they make."""

    shot_list: ShotList
    shots: tuple[Shot, ...]
    """The selected ones, in film order."""
    size: Size
    backend: str
    """The one that the run begins with."""
    backends: tuple[str, ...]
    """Every one that it may use, of the same family."""
    family: str
    exact: bool
    """Only exact pixels are accepted."""
    wanted: str | None
    """The kind of pixels that was asked for by a backend's name; None where any will do."""
    why: str
    """Why no model renders, where that was left to choose."""
    renderer: str
    """What draws the pixels, for the keys of requests; empty for the backends of a model, which each have their own."""
    prompted: bool
    """The prompt changes the backend's pixels."""
    animates: bool
    """The backend draws the frames between keyframes, too."""
    in_child: bool
    """The backend is opened in a process of its own, one for each card."""
    settings: Settings
    """Of the machine."""
    device: Device
    work: Work
    """What the costliest keyframe asks of a backend."""
    clips: str = ""
    """What makes clips between keyframes; empty for nothing."""
    fallen: tuple[Fallen, ...] = ()
    """The shots that show another motion than `clip`, because none can be made."""
    deliveries: tuple[Delivery, ...] = ()
    """What is made of the film beside it."""

    @property
    def store(self) -> Store:
        """Where what is made is kept."""
        return Store(self.settings.store_root)

    @property
    def whole(self) -> bool:
        """Every shot of the list is selected."""
        return len(self.shots) == len(self.shot_list.shots)

    def keyframes(self, shot: Shot) -> tuple[PlannedKeyframe, ...]:
        """Return the keyframes of *shot*; a replay has none of its own."""
        if shot.replay is not None:
            return ()
        staged = direction.stagings(self.shot_list, shot)
        return tuple(
            PlannedKeyframe(
                shot=shot,
                index=index,
                frame=frame,
                staging=staging,
                prompt=prompts.prompt(self.shot_list, shot, keyframe, self.size) if self.prompted else "",
                negative_prompt=shot.negative_prompt if self.prompted else "",
                renderer=self.renderer,
                size=self.size,
                settings=self.settings,
                control=prompts.control_of(shot, keyframe),
                likenesses=film_work.likenesses(self.shot_list, staging, self.size) if self.prompted else (),
                shot_list=self.shot_list if self.prompted else None,
            )
            for index, ((frame, staging), keyframe) in enumerate(zip(staged, shot.keyframes, strict=True), start=1)
        )

    @property
    def masters(self) -> bool:
        """The film's frames are kept without loss, because it is encoded in another way than its own, too."""
        return not all(delivery.is_the_film for delivery in self.deliveries)

    def motion(self, shot: Shot) -> str:
        """Return how the keyframes of *shot* become its frames, as far as that is possible here."""
        return self._fallen_motions.get(shot.id, shot.motion)

    @cached_property
    def _fallen_motions(self) -> dict[str, str]:
        return {each.shot: each.motion for each in self.fallen}

    def between(self, shot: Shot, moment: Moment) -> RenderRequest:
        """Return the request for a moment of *shot* that falls between keyframes."""
        return RenderRequest(
            prompt="",
            negative_prompt="",
            seed=shot.seed,
            size=self.size,
            staging=direction.staging_at(self.shot_list, shot, moment),
            renderer=self.renderer,
        )

    @property
    def draw_seconds(self) -> float:
        """Estimate of what one picture takes on this machine."""
        return _seconds(self.backends, self.work, self.device, self.settings, self.exact, self.wanted)

    @property
    def control_seconds(self) -> float:
        """Estimate of what one control image with its maps takes."""
        previz = backends.fastest(PREVIZ, self.work, self.device, self.settings).needs.seconds
        # The maps and their PNGs take about half of a picture again.
        return 1.5 * previz

    @property
    def sheet_seconds(self) -> float:
        """Estimate of what one character sheet takes."""
        # Twice as large, for the sake of its edges (previz/studio.py).
        drawn = (2 * SHEET_SIZE[0], 2 * SHEET_SIZE[1])
        return backends.fastest(PREVIZ, Work(drawn), self.device, self.settings).needs.seconds

    @property
    def draws_itself(self) -> bool:
        """Its takes are their own control images."""
        return backends.backend(self.backend).draws_itself

    @property
    def take_seconds(self) -> float:
        """Estimate of what one take of a keyframe takes, its control image apart."""
        return self.control_seconds if self.draws_itself else self.draw_seconds

    @property
    def keyframe_seconds(self) -> float:
        """Estimate of what one keyframe takes whose first take is accepted."""
        # The previz's take is its own control image.
        return self.take_seconds if self.draws_itself else self.control_seconds + self.take_seconds

    @property
    def encode_seconds(self) -> float:
        """Estimate of what encoding one frame takes on one core."""
        return ENCODE_SECONDS_PER_MEGAPIXEL * self.size[0] * self.size[1] / 1e6

    @property
    def repeat_seconds(self) -> float:
        """Estimate of what a frame takes that only repeats the one before."""
        return REPEAT_SECONDS_PER_MEGAPIXEL * self.size[0] * self.size[1] / 1e6

    def shot(self, shot_id: str) -> Shot:
        """Return the shot of that id.

        Raises:
            KeyError: the shot list has no such shot.
        """
        return self._by_id[shot_id]

    @cached_property
    def _by_id(self) -> dict[str, Shot]:
        return {shot.id: shot for shot in self.shot_list.shots}

    @property
    def filmed(self) -> tuple[Shot, ...]:
        """The shots whose keyframes the selected ones show, in film order: their own, and what replays go back to."""
        sources = {shot.source for shot in self.shots}
        return tuple(shot for shot in self.shot_list.shots if shot.id in sources)

    @cached_property
    def timeline(self) -> Timeline:
        """The film of the selected shots."""
        transitions = [_transition(shot, first=number == 0) for number, shot in enumerate(self.shots)]
        clips = [
            Clip(
                shot=shot.id,
                frames=shot.frames,
                motion=self.motion(shot),
                transition_in=before,
                caption=shot.caption,
                timing=shot.timing,
                graphics=graphics.graphics(self.shot_list, shot, _overlap(after)),
            )
            for shot, before, after in zip(self.shots, transitions, [*transitions[1:], CUT], strict=True)
        ]
        return Timeline(fps=self.shot_list.fps, size=self.size, clips=tuple(clips))


def plan_film(
    shot_list: ShotList,
    device: Device,
    settings: Settings,
    *,
    backend: str = AUTO,
    exact: bool = False,
    size: Size | None = None,
    shots: str | None = None,
    start: str | None = None,
) -> Plan:
    """Plan a run.

    Args:
        shot_list: what to film.
        device: where to render it.
        settings: of that machine.
        backend: name of the backend to begin with, or `auto`.
        exact: only take backends whose pixels are those of bf16 Qwen-Image-Edit.
        size: (width, height) in pixels; the shot list's own by default.
        shots: a selection such as `3,7-9,jab`; all by default.
        start: the id or number of the first shot to render.

    Raises:
        UnknownShots: the selection names shots that the list lacks.
        UnknownBackend: there is no such backend.
        BackendUnavailable: it cannot run here, or is not exact where that was asked for; or a shot wants clips, which
            cannot be made here, and nothing may stand in for them.
    """
    pixels = size or shot_list.size
    at_most = film_work.at_most(shot_list, pixels)
    choice = choose.choose(backend, at_most, device, settings, exact=exact)
    chosen = backends.backend(choice.names[0])
    selected: Sequence[Shot] = shot_list.shots
    if shots is not None:
        selected = select_shots(selected, shots)
    if start is not None:
        selected = shots_from(selected, start)
    return Plan(
        shot_list=shot_list,
        shots=tuple(selected),
        size=pixels,
        backend=chosen.name,
        backends=choice.names,
        family=chosen.family,
        exact=exact,
        wanted=choice.wanted,
        why=choice.why,
        renderer="" if chosen.in_child else backends.renderer_name(chosen.name, settings, exact=chosen.exact),
        prompted=chosen.prompted,
        animates=chosen.animates,
        in_child=chosen.in_child,
        settings=settings,
        device=device,
        work=film_work.costliest(shot_list, selected, pixels) if chosen.prompted else at_most,
        clips=settings.clips,
        fallen=clip_planning.fallen(shot_list.shots, settings),
    )


def _transition(shot: Shot, *, first: bool) -> Transition:
    # The first shot of an excerpt has nothing to mix with; a dip still comes up from black.
    if first and transition_kind(shot.transition.kind).overlaps:
        return CUT
    return Transition(shot.transition.kind, shot.transition.length)


def _overlap(transition: Transition) -> int:
    return transition.frames if transition_kind(transition.kind).overlaps else 0


def narrowed(plan: Plan, shots: Sequence[Shot]) -> Plan:
    """Return *plan* with only *shots*."""
    return replace(plan, shots=tuple(shots))


# The film's every piece asks for it.
@lru_cache(maxsize=16)
def _seconds(
    names: tuple[str, ...], work: Work, device: Device, settings: Settings, exact: bool, wanted: str | None
) -> float:
    """Return what one picture takes on the first rung that fits, or would if the card were free."""
    found = choose.ways(names, work, device, settings, exact=exact, wanted=wanted)
    rungs = (*found.now, *found.later) or (backends.fastest(names[0], work, device, settings),)
    return rungs[0].needs.seconds
