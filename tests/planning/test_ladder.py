"""The policy of the ladder: every cause has its answer, and none is to try the same again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from undercard.backends import Needs, Rung
from undercard.domain.takes import Outcome
from undercard.errors import BackendError, DeviceBusy, DeviceFault, HostMemoryExhausted, OutOfMemory, StoreError
from undercard.planning.ladder import (
    Breaker,
    GiveUp,
    Step,
    Tried,
    Use,
    Wait,
    Ways,
    is_about_the_rung,
    keeps,
    next_step,
    outcome_of,
    preferred,
)

GB = 1_000_000_000


def rung(
    detail: str, vram: float, *, host: float = 30.0, seconds: float = 2.0, backend: str = "bf16", opening: float = 0.0
) -> Rung:
    needs = Needs(int(vram * GB), int(host * GB), seconds, opening)
    return Rung(backend, exact=backend == "bf16", needs=needs, detail=detail)


RESIDENT, HALF, STREAMED = rung("all", 28.0, host=3.0), rung("half", 9.0, host=15.0), rung("none", 3.0, host=28.0)
EIGHT_BITS = rung("none", 2.0, host=14.0, backend="fp8")
SERVED = replace(rung("usual", 8.0, host=0.2, backend="comfyui"), served=True)
LESS_SERVED = replace(rung("sparing", 6.0, host=0.2, backend="comfyui"), served=True)
PREVIZ = rung("", 0.0, host=0.4, backend="previz")
WAYS = Ways(now=(RESIDENT, HALF, STREAMED, EIGHT_BITS), last=(PREVIZ,))


def after(*tried: tuple[Rung, Outcome], ways: Ways = WAYS, patient: bool = True, attempt_limit: int = 6) -> Step:
    attempts = [Tried(one, outcome) for one, outcome in tried]
    return next_step(ways, attempts, patient=patient, attempt_limit=attempt_limit)


def test_the_first_rung_that_fits_is_tried_first() -> None:
    assert after() == Use(RESIDENT)


def test_an_out_of_memory_leads_to_a_rung_that_needs_less_of_the_card() -> None:
    assert after((RESIDENT, "out of memory")) == Use(HALF)
    assert after((STREAMED, "out of memory")) == Use(EIGHT_BITS)


def test_a_server_that_runs_out_of_memory_says_nothing_of_this_devices_own() -> None:
    ways = Ways(now=(SERVED, LESS_SERVED, RESIDENT), last=(PREVIZ,))

    assert after((SERVED, "out of memory"), ways=ways) == Use(LESS_SERVED)
    assert after((SERVED, "out of memory"), (LESS_SERVED, "out of memory"), ways=ways) == Use(RESIDENT)
    assert after((LESS_SERVED, "out of memory"), ways=Ways(now=(SERVED,), last=(PREVIZ,))) == Use(PREVIZ)


def test_this_device_that_runs_out_of_memory_says_nothing_of_a_servers() -> None:
    ways = Ways(now=(STREAMED, SERVED), last=(PREVIZ,))

    assert after((STREAMED, "out of memory"), ways=ways) == Use(SERVED)


def test_a_kill_leads_to_a_rung_that_needs_less_of_the_host() -> None:
    assert after((STREAMED, "host memory")) == Use(RESIDENT)
    assert after((RESIDENT, "out of memory"), (STREAMED, "host memory")) == Use(HALF)
    assert after((HALF, "out of memory"), (STREAMED, "host memory")) == Use(EIGHT_BITS)


def test_a_fault_is_tried_once_more_on_the_same_rung_and_then_on_the_next() -> None:
    assert after((RESIDENT, "device fault")) == Use(RESIDENT)
    assert after((RESIDENT, "device fault"), (RESIDENT, "device fault")) == Use(HALF)


def test_an_error_that_is_about_no_rung_ends_the_matter() -> None:
    assert after((RESIDENT, "failed")) == GiveUp("")


@pytest.mark.parametrize("outcome", ["out of memory", "host memory"])
def test_what_failed_for_want_of_memory_is_never_tried_again(outcome: Outcome) -> None:
    tried: list[tuple[Rung, Outcome]] = []
    while isinstance(step := after(*tried, attempt_limit=50), Use):
        assert step.rung not in [one for one, _ in tried]
        tried.append((step.rung, outcome))

    assert 2 <= len(tried) <= 5
    assert isinstance(step, GiveUp)


def test_a_keyframe_is_given_up_after_so_many_failures_with_what_was_tried() -> None:
    step = after((RESIDENT, "out of memory"), (HALF, "out of memory"), attempt_limit=2)

    assert step == GiveUp("2 attempts failed, on bf16 · all (out of memory), bf16 · half (out of memory)")


def test_the_last_resort_is_taken_only_when_nothing_of_the_model_is_left() -> None:
    assert after((EIGHT_BITS, "out of memory")) == Use(PREVIZ)


def test_without_a_last_resort_the_keyframe_fails_and_says_what_was_tried() -> None:
    exact = Ways(now=(RESIDENT, HALF, STREAMED))

    assert after((STREAMED, "out of memory"), ways=exact) == GiveUp("no rung is left after bf16 · none (out of memory)")


def test_a_card_that_another_process_fills_is_waited_for() -> None:
    ways = Ways(now=(), later=(HALF,), last=(PREVIZ,))

    assert after(ways=ways) == Wait(HALF)
    assert after((HALF, "device busy"), ways=ways) == Wait(HALF)
    assert after(ways=ways, patient=False) == Use(PREVIZ)


def test_what_is_waited_for_in_vain_is_named_when_there_is_no_last_resort() -> None:
    assert after(ways=Ways(now=(), later=(HALF,)), patient=False) == GiveUp(
        "the card stayed busy: bf16 · half needs 9.0 GB"
    )


def test_nobody_waits_while_a_slower_rung_of_the_same_pixels_fits() -> None:
    ways = Ways(now=(STREAMED,), later=(RESIDENT,))

    assert after((RESIDENT, "device busy"), ways=ways) == Use(STREAMED)


def test_a_busy_rung_may_be_tried_again_once_it_fits_again_but_not_for_ever() -> None:
    assert after((RESIDENT, "device busy")) == Use(RESIDENT)
    assert after((RESIDENT, "device busy"), (RESIDENT, "device busy")) == Use(HALF)


def test_a_rung_that_fails_several_keyframes_in_a_row_is_closed() -> None:
    breaker = Breaker(3)
    for _ in range(3):
        breaker.note(Tried(RESIDENT, "out of memory"))

    assert breaker.closed == {RESIDENT.label}
    assert next_step(WAYS, closed=breaker.closed) == Use(HALF)


def test_a_picture_in_between_keeps_a_rung_open() -> None:
    breaker = Breaker(3)
    for outcome in ("out of memory", "out of memory", "rendered", "out of memory", "failed", "device busy"):
        breaker.note(Tried(RESIDENT, outcome))

    assert breaker.closed == frozenset()


def test_an_open_rung_is_given_up_only_for_one_that_saves_more_than_it_costs() -> None:
    slow, fast = rung("none", 3.0, seconds=3.0), rung("all", 28.0, seconds=2.0, opening=10.0)

    assert keeps(slow, fast, keyframes=10)
    assert not keeps(slow, fast, keyframes=60)


def test_a_rung_of_other_pixels_is_always_given_up_for_a_preferred_one() -> None:
    assert not keeps(EIGHT_BITS, STREAMED, keyframes=1)


def test_the_rungs_that_give_the_pixels_of_the_film_come_first() -> None:
    assert preferred((RESIDENT, EIGHT_BITS, STREAMED), "fp8") == (EIGHT_BITS, RESIDENT, STREAMED)
    assert preferred((EIGHT_BITS, STREAMED), "") == (STREAMED, EIGHT_BITS)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (OutOfMemory("x", stage="decode"), "out of memory"),
        (HostMemoryExhausted("x"), "host memory"),
        (DeviceBusy("x"), "device busy"),
        (DeviceFault("x"), "device fault"),
        (BackendError("CUDA out of memory"), "failed"),
        (StoreError("x"), "failed"),
        (ValueError("x"), "failed"),
    ],
)
def test_a_cause_is_told_by_its_type_and_never_by_its_words(error: Exception, outcome: Outcome) -> None:
    assert outcome_of(error) == outcome
    assert is_about_the_rung(error) == (outcome != "failed")
