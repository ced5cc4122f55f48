"""The clips of a film: made between accepted keyframes, before anything of it is cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from prefect.futures import PrefectFuture

from tasks import clips as clip_tasks
from tasks import reports, whole
from undercard.backends.clips import ClipRequest, clip_backend
from undercard.domain import progress
from undercard.errors import BackendError, ClipFailed
from undercard.film.motion.motions import CLIP
from undercard.planning.clips import ALLOWING, Fallen, fallback
from undercard.planning.plan import Plan
from undercard.production.assembly import pieces
from undercard.production.assembly.clips import Clips, Later, MadeClip, stretches
from undercard.production.folders import results_folder


def made(plan: Plan, takes: pieces.Takes) -> tuple[Plan, Clips]:
    """Have every clip of *plan* made that is not there yet; return the plan as far as that went, and the clips.

    A shot one of whose clips cannot be made shows the motion that may stand in for it.

    Raises:
        ClipFailed: nothing may stand in for one.
    """
    wanted = {shot.id: stretches(plan, shot, takes[shot.id]) for shot in plan.shots if plan.motion(shot) == CLIP}
    labels = {
        request: f"{shot}-{number:02d}"
        for shot, requests in reversed(wanted.items())
        for number, request in enumerate(requests, start=1)
        if request is not None
    }
    if not labels:
        return plan, {shot: (None,) * len(requests) for shot, requests in wanted.items()}
    answers = _answers(plan, labels)
    fallen, clips = list(plan.fallen), dict[str, tuple[MadeClip | None, ...]]()
    for shot, requests in wanted.items():
        found = [answers[request] if request is not None else None for request in requests]
        failures = [each for each in found if isinstance(each, BackendError)]
        if failures:
            fallen.append(_fallen(plan, shot, failures[0]))
        else:
            clips[shot] = tuple(each for each in found if not isinstance(each, BackendError))
    return replace(plan, fallen=tuple(fallen)), clips


def _answers(plan: Plan, labels: Mapping[ClipRequest, str]) -> dict[ClipRequest, MadeClip | BackendError]:
    """Return what came of each request, several of which may wait at the same server."""
    meter = progress.current()
    task = clip_tasks.make_clip.with_options(result_storage=results_folder())
    bar = reports.ProgressBar("clips", f"{plan.shot_list.title}: clips", len(labels))
    with Later(clip_backend(plan.clips)) as renderer:
        futures = {
            request: task.submit(label=label, request=whole(request), renderer=whole(renderer), meter=whole(meter))
            for request, label in labels.items()
        }
        answers = {}
        for request, future in futures.items():
            answers[request] = _answer(future)
            bar.step()
    return answers


def _answer(future: PrefectFuture[MadeClip]) -> MadeClip | BackendError:
    try:
        return future.result()
    except BackendError as exc:
        return exc


def _fallen(plan: Plan, shot: str, failure: BackendError) -> Fallen:
    motion = fallback(plan.shot(shot))
    if not motion:
        raise ClipFailed(f"shot {shot!r}: its clip could not be made: {failure}; or {ALLOWING}")
    return Fallen(shot, motion, str(failure))
