from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tests import here
from tests.fakes.cards import GB, H100, RTX_3060, machine
from tests.fakes.engine_backends import Planned
from undercard import backends
from undercard.backends import Needs, Rung, Work
from undercard.domain.unavailable import Cause, Unavailable
from undercard.hardware.devices import Device, shrunk
from undercard.planning import rungs
from undercard.planning.rungs import Fit

SQUARE = Work((1024, 1024), references=1)
PREVIZ = backends.backend("previz")
EXACT, NF4 = Planned(), Planned("nf4", exact=False)


def ladder_on(device: Device, *, exact: bool = False) -> tuple[Fit, ...]:
    return rungs.ladder((PREVIZ, NF4, EXACT), SQUARE, device, here.settings(), exact=exact)


def test_what_fits_comes_first_and_the_fastest_of_it_before_the_rest() -> None:
    ladder = ladder_on(machine(shrunk(H100, 10 * GB)))

    seconds = [fit.rung.needs.seconds for fit in ladder if fit.rung.exact]
    assert seconds == sorted(seconds)
    assert [fit.fits for fit in ladder] == [True] * len(ladder)


def test_the_previz_comes_after_every_picture_of_a_model_though_it_is_faster() -> None:
    *others, last = ladder_on(machine(H100))

    assert last.rung.backend == "previz"
    assert all(fit.rung.backend != "previz" for fit in others)


def test_an_exact_rung_comes_before_one_that_is_hardly_faster() -> None:
    # The card computes for a minute: nothing of the copying shows.
    assert ladder_on(machine(RTX_3060))[0].rung.exact


def test_a_rung_that_is_much_faster_comes_before_an_exact_one() -> None:
    slow_link = replace(RTX_3060, float_rate=80e12, copy_bytes_per_second=3e9)

    first = ladder_on(machine(slow_link))[0].rung

    assert first.backend == "nf4"


def test_a_card_that_is_too_full_says_what_is_needed_and_what_can_be_taken() -> None:
    ladder = ladder_on(machine(replace(RTX_3060, free_bytes=2 * GB)))

    (reason,) = (fit.reason for fit in ladder if fit.rung.backend == "bf16")
    assert re.fullmatch(r"needs 2\.\d GB of VRAM, 1\.2 GB can be taken", reason)
    assert [fit.rung.backend for fit in ladder if fit.fits] == ["previz"]


def test_what_a_server_needs_of_its_card_is_not_asked_of_this_machine() -> None:
    served = Rung("comfyui", exact=False, needs=Needs(8 * GB, GB, 5.0), served=True)

    assert rungs.misfit(served, machine()) is None
    assert rungs.misfit(served, machine(replace(RTX_3060, free_bytes=GB))) is None
    assert rungs.misfit(replace(served, served=False), machine()) == "needs a graphics card"


def test_host_memory_that_is_short_is_a_reason_of_its_own() -> None:
    ladder = ladder_on(machine(shrunk(H100, 6 * GB), host_free_bytes=18 * GB))

    reasons = {fit.reason for fit in ladder if fit.rung.backend == "bf16"}
    assert any(re.search(r"2\d\.\d GB of host memory, 18\.0 GB is free", reason) for reason in reasons)
    assert any(fit.fits for fit in ladder if fit.rung.backend == "nf4")


def test_host_memory_that_nobody_tells_refuses_nothing() -> None:
    assert all(fit.fits for fit in ladder_on(machine(H100, host_free_bytes=0)))


def test_an_exact_run_is_left_exact_rungs_alone() -> None:
    ladder = ladder_on(machine(H100), exact=True)

    assert {fit.rung.backend for fit in ladder if fit.fits} == {"bf16"}
    assert {fit.reason for fit in ladder if not fit.fits} == {
        "its pixels are not those of the bf16 model, which `exact` asks for"
    }


def test_a_backend_that_cannot_run_is_listed_last_with_its_reason() -> None:
    missing = Planned(
        missing=Unavailable("torch is not installed", "pip install 'undercard[gpu]'", Cause.MISSING_PACKAGE)
    )

    last = rungs.ladder((missing, PREVIZ), SQUARE, machine(), here.settings())[-1]

    assert (last.rung.label, last.fits, last.runs) == ("bf16", False, False)
    assert last.reason == "torch is not installed; pip install 'undercard[gpu]'"


def test_a_rung_for_a_card_does_not_fit_a_machine_without_one() -> None:
    rung = Rung("bf16", exact=True, needs=Needs(GB, GB, 1.0))

    assert rungs.misfit(rung, machine()) == "needs a graphics card"


def test_every_backend_there_is_can_be_put_on_the_ladder() -> None:
    ladder = rungs.ladder(rungs.everything(), SQUARE, machine(H100), here.settings())

    assert "previz" in {fit.rung.backend for fit in ladder if fit.fits}


@pytest.mark.parametrize("references", [1, 2, 3])
def test_more_references_never_make_a_ladder_faster(references: int) -> None:
    fewer, more = (
        rungs.ladder((EXACT,), Work((1024, 1024), count), machine(H100), here.settings())[0].rung.needs
        for count in (references, references + 1)
    )

    assert more.seconds > fewer.seconds
