"""The clips of a film: made between accepted keyframes, before anything of it is cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from undercard.backends.clips import ClipRenderer, ClipRequest, clip_backend
from undercard.domain import progress
from undercard.domain.progress import Meter, Stage
from undercard.errors import BackendError, ClipFailed
from undercard.film.motion.motions import CLIP
from undercard.planning.clips import ALLOWING, Fallen, fallback
from undercard.planning.plan import Plan
from undercard.production.assembly import clips
from undercard.production.assembly.clips import Clips, Later, MadeClip
from undercard.production.assembly.pieces import Takes
from undercard.production.runtime import Runtime
from undercard.store import Store


def make_clips(plan: Plan, takes: Takes, runtime: Runtime) -> tuple[Plan, Clips]:
    """Make every clip of *plan* that is not there yet; return the plan as far as that went, and the clips.

    A shot one of whose clips cannot be made shows the motion that may stand in for it.

    Raises:
        ClipFailed: nothing may stand in for one.
    """
    wanted = {shot.id: clips.stretches(plan, shot, takes[shot.id]) for shot in plan.shots if plan.motion(shot) == CLIP}
    labels = {
        request: f"{shot}-{number:02d}"
        for shot, requests in reversed(wanted.items())
        for number, request in enumerate(requests, start=1)
        if request is not None
    }
    if not labels:
        return plan, {shot: (None,) * len(requests) for shot, requests in wanted.items()}
    answers = _answers(plan, labels, runtime)
    fallen, made = list(plan.fallen), dict[str, tuple[MadeClip | None, ...]]()
    for shot, requests in wanted.items():
        found = [answers[request] if request is not None else None for request in requests]
        failures = [each for each in found if isinstance(each, BackendError)]
        if failures:
            fallen.append(_fallen(plan, shot, failures[0]))
        else:
            made[shot] = tuple(each for each in found if not isinstance(each, BackendError))
    return replace(plan, fallen=tuple(fallen)), made


def make_clip(label: str, request: ClipRequest, renderer: ClipRenderer, meter: Meter, store: Store) -> MadeClip:
    """Make and store the clip called *label*, and let *meter* say how far it is; see `clips.make`."""

    def say(stage: Stage) -> None:
        meter.say(f"clip {label} · {stage}")

    with progress.listening(say):
        return clips.make(request, renderer, store)


def _answers(
    plan: Plan, labels: Mapping[ClipRequest, str], runtime: Runtime
) -> dict[ClipRequest, MadeClip | BackendError]:
    """Return what came of each request, several of which may wait at the same server."""
    meter = progress.current()
    bar = runtime.bar("clips", f"{plan.shot_list.title}: clips", len(labels))
    with Later(clip_backend(plan.clips), plan.settings) as renderer:
        steps = {
            request: runtime.submit(
                f"clip {label}",
                (),
                make_clip,
                label=label,
                request=request,
                renderer=renderer,
                meter=meter,
                store=plan.store,
            )
            for request, label in labels.items()
        }
        answers: dict[ClipRequest, MadeClip | BackendError] = {}
        for request, step in steps.items():
            ended = step.ended()
            if isinstance(ended.error, BackendError):
                answers[request] = ended.error
            elif ended.error is not None:
                raise ended.error
            elif ended.value is not None:
                answers[request] = ended.value
            bar.step()
    return answers


def _fallen(plan: Plan, shot: str, failure: BackendError) -> Fallen:
    motion = fallback(plan.shot(shot), plan.settings)
    if not motion:
        raise ClipFailed(f"shot {shot!r}: its clip could not be made: {failure}; or {ALLOWING}")
    return Fallen(shot, motion, str(failure))
