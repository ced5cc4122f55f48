"""What a planned run would render, and about how long it would take."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from undercard.backends import Needs, Rung
from undercard.film.timeline.timeline import Piece
from undercard.hardware import devices
from undercard.planning import choose
from undercard.planning.ladder import Ways
from undercard.planning.outlook import Card, Outlook
from undercard.planning.piece_costs import drawn_in, piece_cost
from undercard.planning.plan import Plan
from undercard.planning.rungs import Fit
from undercard.production.keyframes.takes import accepted_keyframes
from undercard.production.records import KeyframeRecord


@dataclass(frozen=True, slots=True)
class ShotEstimate:
    """One shot of a plan."""

    number: int
    shot: str
    frames: int
    motion: str
    keyframes: int
    done: int
    """Keyframes that an earlier run had accepted."""
    drawn: int
    """Frames drawn between keyframes."""
    seconds: float


def rows(plan: Plan, records: Mapping[str, KeyframeRecord], take_seconds: float | None = None) -> list[ShotEstimate]:
    """Return an estimate for each selected shot.

    Args:
        plan: the run.
        records: of the keyframes that earlier runs made, by label.
        take_seconds: for one take of a keyframe; the backend's own estimate when None.
    """
    # The previz's take is its own control image, which takes longer than the picture alone.
    if take_seconds is None or plan.draws_itself:
        keyframe_seconds = plan.keyframe_seconds
    else:
        keyframe_seconds = plan.control_seconds + take_seconds
    rendered = {record.shot for record in records.values()}
    pieces_of: defaultdict[str, list[Piece]] = defaultdict(list)
    for piece in plan.timeline.pieces():
        pieces_of[piece.spans[-1].clip.shot].append(piece)
    estimates = []
    for shot in plan.shots:
        keyframes = 0 if shot.replay is not None else len(shot.keyframes)
        # Staging a keyframe takes milliseconds, and only an earlier take has to answer it.
        done = accepted_keyframes(plan.keyframes(shot), records) if shot.id in rendered else 0
        pieces = pieces_of[shot.id]
        rendering = keyframe_seconds * (keyframes - done)
        estimates.append(
            ShotEstimate(
                number=shot.number,
                shot=shot.id,
                frames=shot.frames,
                motion=plan.motion(shot),
                keyframes=keyframes,
                done=done,
                drawn=sum(len(drawn_in(plan, span)) for piece in pieces for span in piece.spans),
                seconds=rendering + sum(piece_cost(plan, piece) for piece in pieces),
            )
        )
    return estimates


def total(plan: Plan, records: Mapping[str, KeyframeRecord]) -> float:
    """Return about how many seconds the run takes; cached segments make it shorter."""
    return sum(row.seconds for row in rows(plan, records))


@dataclass(frozen=True, slots=True)
class FilmOutlook:
    """What a shot list would take."""

    shots: tuple[ShotEstimate, ...]
    rung: Rung | None
    """What its keyframes would be rendered on; None when that is nothing."""
    instead: str
    """What a run would do because nothing that it is for fits now; empty when something does."""
    seconds: float
    """All of it; cached segments make it shorter."""
    gpu_seconds: float
    """What cards are busy for together, opening included."""

    @property
    def keyframes_left(self) -> int:
        """How many keyframes have no accepted take yet."""
        return sum(shot.keyframes - shot.done for shot in self.shots)

    def ends(self, now: datetime) -> datetime:
        """Return when it would be finished, begun *now*."""
        return now + timedelta(seconds=self.seconds)


def look_at_film(plan: Plan, records: Mapping[str, KeyframeRecord]) -> FilmOutlook:
    """Return what *plan* would take on its device as it is."""
    ways = choose.ways(plan.backends, plan.work, plan.device, plan.settings, exact=plan.exact, wanted=plan.wanted)
    rung = next(iter((*ways.now, *ways.later, *ways.last)), None)
    needs = rung.needs if rung else Needs(0, 0, 0.0)
    shots = tuple(rows(plan, records, needs.seconds))
    left = sum(row.keyframes - row.done for row in shots)
    opening = needs.open_seconds if left else 0.0
    rendering = left * needs.seconds if needs.vram_bytes else 0.0
    # Keyframes are handed out to as many cards as there are, taken for equal; each opens the model for itself. A server
    # has the card that it has.
    cards = 1 if rung and rung.served else max(1, min(left, len(plan.device.gpus)))
    return FilmOutlook(
        shots=shots,
        rung=rung,
        instead=_instead(ways),
        seconds=sum(row.seconds for row in shots) + opening - rendering * (1 - 1 / cards),
        gpu_seconds=rendering + opening * cards if rendering else 0.0,
    )


def _instead(ways: Ways) -> str:
    if ways.now:
        return ""
    if ways.later:
        return f"it would wait for {ways.later[0].label}"
    return "it would draw them with the previz" if ways.last else "it would fail"


def as_json(outlook: Outlook, film: FilmOutlook | None = None, now: datetime | None = None) -> dict[str, object]:
    """Return *outlook*, and that of a *film* begun *now*, as plain values for a program to read; bytes and seconds."""
    content: dict[str, object] = {
        "device": {**asdict(outlook.device), "gpus": [_card(card) for card in outlook.cards]},
        "work": asdict(outlook.work),
        "ladder": [_fit(fit) for fit in outlook.ladder],
    }
    if film is not None and now is not None:
        content["film"] = {
            "shots": [asdict(shot) for shot in film.shots],
            "rung": film.rung.label if film.rung else None,
            "keyframes_left": film.keyframes_left,
            "seconds": film.seconds,
            "gpu_seconds": film.gpu_seconds,
            "ends": film.ends(now).isoformat(timespec="seconds"),
        }
    return content


def _card(card: Card) -> dict[str, object]:
    rate = devices.copy_rate(card.gpu)
    return {
        **asdict(card.gpu),
        "copy_bytes_per_second": rate,
        "copy_is_measured": card.gpu.copy_bytes_per_second > 0,
        "allocatable_bytes": devices.allocatable_bytes(card.gpu),
        "tenants": [asdict(tenant) for tenant in card.tenants],
    }


def _fit(fit: Fit) -> dict[str, object]:
    rung = fit.rung
    return {
        "rung": rung.label,
        "backend": rung.backend,
        "exact": rung.exact,
        "fits": fit.fits,
        "reason": fit.reason,
        "needs": asdict(rung.needs) if fit.runs else None,
        "predicted": asdict(rung.predicted) if rung.predicted else None,
    }
