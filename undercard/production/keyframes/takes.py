"""From a request to a stored picture: the takes of a keyframe, and what they answer."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from PIL import Image

from undercard import backends
from undercard.backends import Renderer, Rung
from undercard.domain import pictures
from undercard.domain.requests import Control, RenderRequest, Sheet
from undercard.domain.takes import Approach, Attempt, Outcome, Take
from undercard.errors import BackendError
from undercard.gate.repairs import treatment
from undercard.planning.keyframe import PlannedKeyframe
from undercard.planning.ladder import outcome_of
from undercard.production.keyframes.conditioning import (
    conditioned,
    control_request,
    draw_control,
    follows_itself,
    lacking,
)
from undercard.production.records import KeyframeRecord, best_of
from undercard.store import Store, StoredFile


def answers(take: Take, keyframe: PlannedKeyframe) -> bool:
    """Say whether *take* is still what its renderer would be asked for *keyframe*, as the shot list is now."""
    if take.backend not in backends.names():
        return False
    approach = take.approach.model_copy(update={"draw": take.draw})
    request = asked(keyframe, take.backend, approach, None, exact=take.exact)
    if follows_itself(request):
        return take.key == request.key
    if take.control.key != control_request(keyframe.request(1)).key or lacking(keyframe.likenesses, take.sheets):
        return False
    return take.key == asked(keyframe, take.backend, approach, take.control, take.sheets, exact=take.exact).key


def asked(
    keyframe: PlannedKeyframe,
    backend: str,
    approach: Approach,
    control: Control | None,
    sheets: Sequence[Sheet] = (),
    *,
    exact: bool,
) -> RenderRequest:
    """Return what the backend called *backend* is to render of *keyframe*.

    Args:
        keyframe: as the shot list has it.
        backend: one of those there are.
        approach: the seed, and what is done otherwise.
        control: the control image; None leaves out the pictures that a model follows.
        sheets: every one that the keyframe's likenesses ask for, where there is a control image.
        exact: for exact pixels.
    """
    treated = treatment(approach.repairs, keyframe.control)
    made = keyframe.treated(treated)
    request = made.request_on(backend, approach.draw, exact=exact)
    if follows_itself(request):
        return request
    # Few takes are treated so, and what a backend heeds is a matter of which files there are.
    heeded = backends.heeded(backend, keyframe.settings) if treated.whole or treated.steps else frozenset()
    request = replace(request, whole=treated.whole and "whole" in heeded)
    if treated.steps and "steps" in heeded:
        # Other steps may take other weights.
        named = backends.renderer_name(backend, keyframe.settings, exact=exact, steps=treated.steps)
        request = replace(request, steps=treated.steps, renderer=named)
    if control is None:
        return request
    store = Store(keyframe.settings.store_root)
    return conditioned(request, control, store, made.control, made.likenesses, sheets, treated, approach.neighbour)


def accepted_take(record: KeyframeRecord | None, keyframe: PlannedKeyframe, *, exact: bool) -> Take | None:
    """Return the newest take of *record* that was accepted, by the gate or by hand, and that still answers *keyframe*.

    Args:
        record: of an earlier run.
        keyframe: as the shot list is now.
        exact: of exact pixels only.
    """
    takes = reversed(record.takes) if record is not None else ()
    accepted = (judged.take for judged in takes if judged.stands and (judged.take.exact or not exact))
    return next((take for take in accepted if answers(take, keyframe)), None)


def accepted_keyframes(
    keyframes: Sequence[PlannedKeyframe], records: Mapping[str, KeyframeRecord], *, exact: bool = False
) -> int:
    """Count the keyframes that have an accepted take; of exact pixels, where those are asked for."""
    return sum(accepted_take(records.get(k.label), k, exact=exact) is not None for k in keyframes)


def usable_take(record: KeyframeRecord | None, keyframe: PlannedKeyframe, *, exact: bool) -> Take | None:
    """Return the accepted take of *record* like `accepted_take`, else the best of those that the gate rejected."""
    accepted = accepted_take(record, keyframe, exact=exact)
    if accepted is not None or record is None:
        return accepted
    usable = [judged for judged in record.takes if (judged.take.exact or not exact) and answers(judged.take, keyframe)]
    best = best_of(usable)
    return best.take if best is not None else None


def render_take(
    request: RenderRequest,
    number: int,
    rung: Rung,
    renderer: Renderer,
    control: Control | None,
    store: Store,
    attempts: Sequence[Attempt] = (),
    sheets: Sequence[Sheet] = (),
    approach: Approach | None = None,
) -> Take:
    """Render take *number* of *request* and store its picture.

    Args:
        request: what to render.
        number: of the take, from 1.
        rung: what *renderer* was opened on.
        renderer: an open backend.
        control: the control image; None for a request that follows itself, whose picture is drawn with its maps.
        store: where the picture is kept.
        attempts: what was tried for this take before, which the picture's metadata say.
        sheets: those that are among the request's references.
        approach: how *request* came about; as planned by default.

    Raises:
        BackendError: the backend failed, or gave a picture of another size; `failed_attempt` records it.
        StoreError: the picture cannot be stored.
    """
    if follows_itself(request):
        control = control if control is not None and control.key == request.key else draw_control(request, store)
        attempt = _attempt(rung, outcome="rendered", seconds=control.seconds)
        # Where nothing went wrong before it, the control image says all that a picture of its own would.
        picture = _relabelled(control.frame, request, store, rung, attempts) if attempts else control.frame
    else:
        assert control is not None
        image, attempt = _attempted(request, rung, renderer)
        picture = pictures.stored(image, store, _label(request, rung, attempts))
    return Take(
        key=request.key,
        number=number,
        backend=rung.backend,
        picture=picture,
        control=control,
        sheets=() if follows_itself(request) else tuple(sheets),
        seconds=attempt.seconds,
        rung=rung.label,
        exact=rung.exact,
        attempts=(*attempts, attempt),
        approach=approach or Approach(draw=number),
    )


def ended_at(take: Take, attempts: Sequence[Attempt], approach: Approach) -> Take:
    """Return *take* with the failed *attempts* and the *approach* of the keyframe that it was rendered or found for.

    Keyframes that ask for the same picture share it, also across runs, and each tried other rungs before it.
    """
    tried = {"attempts": (*attempts, *take.attempts[-1:])} if attempts else {}
    return take.model_copy(update={**tried, "approach": approach})


def failed_attempt(rung: Rung, error: BackendError) -> Attempt:
    """Return the record of a try on *rung* that ended in *error*."""
    return _attempt(
        rung,
        outcome=outcome_of(error),
        stage=error.stage,
        seconds=error.seconds,
        peak_vram_bytes=error.peak_vram_bytes,
        peak_host_bytes=error.peak_host_bytes,
        detail=str(error),
    )


def _attempted(request: RenderRequest, rung: Rung, renderer: Renderer) -> tuple[Image.Image, Attempt]:
    """Return the picture, and the record of this try."""
    start = time.monotonic()
    try:
        rendered = renderer.render(request)
        if rendered.image.size != request.size:
            raise BackendError(
                f"backend {rung.backend!r} gave {rendered.image.size} px where {request.size} was asked for"
            )
    except BackendError as exc:
        exc.seconds = _since(start)
        raise
    attempt = _attempt(
        rung,
        outcome="rendered",
        # Its own time; what opening took besides is no picture's.
        seconds=round(rendered.seconds, 3) or _since(start),
        peak_vram_bytes=rendered.peak_vram_bytes,
        peak_host_bytes=rendered.peak_host_bytes,
        detail="; ".join(rendered.notes),
        tiled=rendered.tiled,
    )
    return rendered.image, attempt


def _attempt(
    rung: Rung,
    *,
    outcome: Outcome,
    seconds: float,
    stage: str = "",
    peak_vram_bytes: int = 0,
    peak_host_bytes: int = 0,
    detail: str = "",
    tiled: bool = False,
) -> Attempt:
    return Attempt(
        rung=rung.label,
        backend=rung.backend,
        exact=rung.exact,
        sparing=rung.sparing,
        outcome=outcome,
        seconds=seconds,
        stage=stage,
        peak_vram_bytes=peak_vram_bytes,
        peak_host_bytes=peak_host_bytes,
        detail=detail,
        tiled=tiled,
    )


def _label(request: RenderRequest, rung: Rung, attempts: Sequence[Attempt]) -> str:
    """Return what a picture says of itself: JSON with its request's key, its rung, and what was tried in vain.

    What the attempt that made it took is in the manifest alone, so that the same road gives the same bytes.
    """
    detours = [attempt.model_dump() for attempt in attempts if attempt.outcome != "rendered"]
    return json.dumps({"key": request.key, "rung": rung.label, "exact": rung.exact, "attempts": detours})


def _relabelled(
    frame: StoredFile, request: RenderRequest, store: Store, rung: Rung, attempts: Sequence[Attempt]
) -> StoredFile:
    with Image.open(store.path_of(frame)) as picture:
        return pictures.stored(picture, store, _label(request, rung, attempts))


def _since(start: float) -> float:
    return round(time.monotonic() - start, 3)
