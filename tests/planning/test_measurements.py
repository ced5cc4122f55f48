from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tests import here
from tests.fakes.cards import GB, H100, RTX_3060, machine
from undercard.backends import Needs, Rendered, Rung, Work
from undercard.errors import StoreError
from undercard.planning import measurements
from undercard.planning.measurements import corrected, history, record

DEVICE = machine(H100)
WORK = Work((1024, 1024), references=1)
NEEDS = Needs(vram_bytes=8 * GB, host_bytes=20 * GB, seconds=2.0, open_seconds=10.0)
RUNG = Rung("bf16", exact=True, needs=NEEDS, detail="16 of 60 blocks resident", vram_limit=9 * GB)
PICTURE = Image.new("RGB", (1, 1))


def took(seconds: float = 2.6, vram: float = 8.4, host: float = 18.0) -> Rendered:
    return Rendered(PICTURE, seconds, int(vram * GB), int(host * GB))


def needs_after(rung: Rung = RUNG, work: Work = WORK) -> Needs:
    return corrected(rung, work, DEVICE, history(here.store())).needs


def test_nothing_measured_corrects_nothing() -> None:
    assert corrected(RUNG, WORK, DEVICE, history(here.store())) == RUNG


def test_one_run_makes_the_same_rung_foresee_what_it_took() -> None:
    record(RUNG, WORK, DEVICE, took(), here.store(), open_seconds=14.0)

    assert needs_after() == Needs(int(8.4 * GB), 18 * GB, pytest.approx(2.6), pytest.approx(14.0))  # type: ignore[arg-type]


def test_a_corrected_rung_that_is_measured_again_is_not_corrected_twice() -> None:
    record(RUNG, WORK, DEVICE, took(seconds=4.0), here.store())
    again = corrected(RUNG, WORK, DEVICE, history(here.store()))
    for _ in range(3):
        record(again, WORK, DEVICE, took(seconds=4.0), here.store())

    assert needs_after().seconds == pytest.approx(4.0)


def test_another_rung_of_the_backend_learns_the_bytes_that_were_misjudged() -> None:
    record(RUNG, WORK, DEVICE, took(vram=8.4), here.store())
    smaller = replace(RUNG, detail="8 of 60 blocks resident", needs=replace(NEEDS, vram_bytes=5 * GB))

    assert needs_after(smaller).vram_bytes == int(5.4 * GB)


def test_other_work_learns_how_much_slower_the_card_is() -> None:
    record(RUNG, WORK, DEVICE, took(seconds=3.0), here.store())
    larger = replace(RUNG, needs=replace(NEEDS, seconds=5.0))

    assert needs_after(larger, Work((1920, 1080), 2)).seconds == pytest.approx(7.5)


def test_what_fitted_elsewhere_does_not_make_a_rung_seem_small() -> None:
    record(RUNG, WORK, DEVICE, took(vram=1.0), here.store())

    assert needs_after(replace(RUNG, detail="0 of 60 blocks resident")).vram_bytes == 6 * GB


def test_the_very_rung_counts_before_one_that_was_measured_later() -> None:
    record(RUNG, WORK, DEVICE, took(seconds=2.2), here.store())
    record(replace(RUNG, detail="another"), WORK, DEVICE, took(seconds=6.0), here.store())

    assert needs_after().seconds == pytest.approx(2.2)


def test_one_run_on_a_busy_machine_does_not_move_the_estimate() -> None:
    for seconds in (2.2, 2.2, 7.0):
        record(RUNG, WORK, DEVICE, took(seconds=seconds), here.store())

    assert needs_after().seconds == pytest.approx(2.2)


def test_the_newest_runs_count() -> None:
    for seconds in (7.0, 7.0, 7.0, 2.2, 2.2, 2.2):
        record(RUNG, WORK, DEVICE, took(seconds=seconds), here.store())

    assert needs_after().seconds == pytest.approx(2.2)


def test_the_largest_of_the_newest_peaks_is_planned_with() -> None:
    for vram in (8.4, 8.9, 8.4):
        record(RUNG, WORK, DEVICE, took(vram=vram), here.store())

    assert needs_after().vram_bytes == int(8.9 * GB)


def test_an_estimate_is_never_moved_beyond_reason() -> None:
    record(RUNG, WORK, DEVICE, took(seconds=200.0, vram=70.0), here.store())

    assert (needs_after().seconds, needs_after().vram_bytes) == (8.0, 32 * GB)


def test_what_was_not_measured_is_not_corrected() -> None:
    record(RUNG, WORK, DEVICE, Rendered(PICTURE, seconds=2.6), here.store())

    found = needs_after()
    assert (found.vram_bytes, found.host_bytes, found.open_seconds) == (NEEDS.vram_bytes, NEEDS.host_bytes, 10.0)


def test_another_card_and_another_backend_teach_nothing() -> None:
    record(RUNG, WORK, machine(RTX_3060), took(), here.store())
    record(replace(RUNG, backend="nf4"), WORK, DEVICE, took(), here.store())

    assert needs_after() == NEEDS


def test_a_rung_may_take_what_it_is_known_to_need() -> None:
    record(RUNG, WORK, DEVICE, took(vram=9.5), here.store())

    assert corrected(RUNG, WORK, DEVICE, history(here.store())).vram_limit == int(9.5 * GB)


def test_a_rung_without_a_limit_keeps_none() -> None:
    assert corrected(replace(RUNG, vram_limit=0), WORK, DEVICE, history(here.store())).vram_limit == 0


def test_several_runs_write_at_once_without_mixing_their_lines() -> None:
    threads = [threading.Thread(target=record, args=(RUNG, WORK, DEVICE, took(), here.store())) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(history(here.store())) == 40


def test_lines_that_cannot_be_read_and_those_of_another_version_are_passed_over(store: Path) -> None:
    record(RUNG, WORK, DEVICE, took(), here.store())
    path = store / "measurements.jsonl"
    good = path.read_text()
    other = good.replace('"version": "', '"version": "0.0.0-')
    path.write_text(f'{good[-40:]}[]\n{{"version": 1}}\n{other}{good}{good[:60]}')

    assert len(history(here.store())) == 1


def test_a_long_record_is_read_from_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurements, "READ_BYTES", 2000)
    for number in range(50):
        record(RUNG, WORK, DEVICE, took(seconds=1.0 + number), here.store())

    assert 1 < len(history(here.store())) < 10
    assert history(here.store())[-1].found.seconds == 50.0


def test_a_store_that_cannot_be_written_is_an_error_that_says_so(store: Path) -> None:
    store.parent.mkdir(exist_ok=True)
    store.write_text("in the way")

    with pytest.raises(StoreError, match="UNDERCARD_STORE"):
        record(RUNG, WORK, DEVICE, took(), here.store())
