"""Hearing the judge: asked with patience about what every check lets pass, remembered, and never in the way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError
from tenacity import RetryCallState, Retrying, retry_if_exception_type

from undercard.domain.keys import content_key
from undercard.domain.requests import Size
from undercard.errors import JudgeAway, JudgeUnheard
from undercard.gate.contract import Opinion, Verdict
from undercard.gate.critic import answer
from undercard.gate.critic.appointment import Appointment, appointed
from undercard.gate.critic.client import Client
from undercard.gate.critic.opinions import with_opinion
from undercard.gate.critic.question import question
from undercard.gate.evidence import Evidence, Exhibit, evidence_of
from undercard.settings import Settings
from undercard.store import Store, write_atomically

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 15.0
TRIES = 2
"""Of a question that is answered with nothing that can be read: models that sample may do better."""
SILENCES = 3
"""Pictures in a row of which nothing was heard, before the judge is left alone."""
LEFT_ALONE_SECONDS = 600.0


@dataclass(slots=True)
class Hearing:
    """One judge for one run; threads may ask at once."""

    client: Client
    store: Store
    """Where the pictures are, and where what the judge said is kept."""
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    patience_seconds: float = field(init=False)
    """What may still be waited, until there is an answer again."""
    silences: int = 0
    """Pictures in a row of which nothing was heard, since the judge is away."""
    silent_until: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.patience_seconds = self.who.wait_seconds

    @property
    def who(self) -> Appointment:
        """Whom it hears."""
        return self.client.appointment

    def heard(self, verdict: Verdict, evidence: Evidence) -> Verdict:
        """Return *verdict* with what the judge says of the picture of *evidence*.

        What a check has rejected is not shown to it: it cannot mend that. Where it gives no answer, the verdict stands
        and says why nobody was heard.

        Raises:
            UnreadableImage: the picture, or its control image, cannot be decoded.
            StoreError: what it said cannot be kept.
        """
        if not verdict.accepted or verdict.opinion is not None:
            return verdict
        return with_opinion(verdict, self.opinion(evidence))

    def opinion(self, evidence: Evidence) -> Opinion:
        """Return what the judge says of the picture of *evidence*, or why it says nothing; see `heard`."""
        body = question(evidence, self.who.model)
        path = opinion_path(content_key([self.who.name, body]), self.store)
        kept = _kept(path)
        if kept is not None:
            return kept
        try:
            said = self._said(body, (evidence.pixels.shape[1], evidence.pixels.shape[0]))
        except JudgeUnheard as unheard:
            return Opinion(judge=self.who.name, heard=False, words=str(unheard))
        opinion = Opinion(judge=self.who.name, heard=True, accepts=said.accepts, words=said.cause, region=said.region)
        write_atomically(path, opinion.model_dump_json().encode())
        return opinion

    def _said(self, body: dict[str, object], size: tuple[int, int]) -> answer.Answer:
        for left in reversed(range(TRIES)):
            told = self._patiently(body)
            try:
                return answer.read(told, size)
            except JudgeUnheard:
                if not left:
                    raise
        raise AssertionError("a question is asked at least once")

    def _patiently(self, body: dict[str, object]) -> object:
        """Return the server's answer, waited for as long as there is patience left."""
        if self.clock() < self.silent_until:
            raise JudgeUnheard(f"{self.who.url} gave no answer {SILENCES} times in a row and is left alone for a while")
        retrying = Retrying(
            retry=retry_if_exception_type(JudgeAway),
            wait=_pause,
            stop=lambda state: not self._may_wait(state.upcoming_sleep),
            sleep=self.sleep,
            reraise=True,
        )
        try:
            told = retrying(self.client.ask, body)
        except JudgeAway:
            self._note_silence()
            raise
        with self.lock:
            self.patience_seconds, self.silences = self.who.wait_seconds, 0
        return told

    def _may_wait(self, seconds: float) -> bool:
        """Take *seconds* from the patience that all pictures share; say whether there was so much left."""
        with self.lock:
            if seconds > self.patience_seconds:
                return False
            self.patience_seconds -= seconds
            return True

    def _note_silence(self) -> None:
        with self.lock:
            self.silences += 1
            if self.silences >= SILENCES:
                self.silences, self.silent_until = 0, self.clock() + LEFT_ALONE_SECONDS


def _pause(state: RetryCallState) -> float:
    """Return how many seconds to wait: what the judge's server asked for, else twice as long each time."""
    error = state.outcome.exception() if state.outcome is not None else None
    wished = error.wait_seconds if isinstance(error, JudgeAway) else None
    return (
        min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (state.attempt_number - 1)) if wished is None else wished
    )


def hear_judge(hearing: Hearing, verdicts: Sequence[Verdict], exhibits: Sequence[Exhibit], size: Size) -> list[Verdict]:
    """Return *verdicts* on *exhibits* with what the judge says of each picture that every check lets pass.

    Raises:
        UnreadableImage: a picture, or its control image, cannot be decoded.
        StoreError: what the judge said cannot be kept.
    """
    return [
        hearing.heard(verdict, evidence_of(exhibit, size, hearing.store))
        for exhibit, verdict in zip(exhibits, verdicts, strict=True)
    ]


@contextmanager
def hearing(settings: Settings) -> Iterator[Hearing | None]:
    """Yield a hearing with the judge of the settings, or None where there is none.

    Raises:
        BadInput: the settings name one who may not be asked.
    """
    who = appointed(settings)
    if who is None:
        yield None
        return
    with Client(who) as client:
        yield Hearing(client, Store(settings.store_root))


def opinion_path(key: str, store: Store) -> Path:
    """Return where the opinion on a question is kept."""
    return store.root / "opinions" / key[:2] / f"{key[2:]}.json"


def _kept(path: Path) -> Opinion | None:
    try:
        return Opinion.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
