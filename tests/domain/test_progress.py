"""How far a run is and how long it will still take."""

from __future__ import annotations

from undercard.domain import progress
from undercard.domain.progress import Meter, Stage


class Clock:
    """A clock that a test moves by hand."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_the_time_left_follows_the_pace_so_far() -> None:
    clock = Clock()
    meter = Meter(clock)
    meter.expect(10.0)
    meter.begin()
    clock.seconds += 8.0
    meter.work(4.0, "jab-01")

    assert meter.fraction == 0.4
    assert meter.seconds_left == 12.0


def test_what_was_cached_counts_as_done_but_not_as_quick_work() -> None:
    clock = Clock()
    meter = Meter(clock)
    meter.expect(10.0)
    meter.begin()
    meter.skip(5.0, "jab-01")
    clock.seconds += 2.0
    meter.work(1.0, "jab-02")

    assert meter.fraction == 0.6
    assert meter.seconds_left == 8.0


def test_nothing_is_promised_before_anything_is_done() -> None:
    meter = Meter(Clock())
    meter.expect(10.0)
    meter.begin()

    assert meter.fraction == 0.0
    assert meter.seconds_left is None


def test_more_work_than_expected_is_no_more_than_all_of_it() -> None:
    clock = Clock()
    meter = Meter(clock)
    meter.expect(1.0)
    meter.begin()
    clock.seconds += 1.0
    meter.work(3.0, "jab-01")

    assert meter.fraction == 1.0
    assert meter.seconds_left == 0.0


def test_a_run_reports_to_whoever_watches_it() -> None:
    meter = Meter()

    with progress.watching(meter):
        progress.current().expect(2.0)
    progress.current().expect(40.0)

    assert meter.expected == 2.0


def test_what_a_renderer_tells_is_heard_by_who_listens_and_lost_where_nobody_does() -> None:
    heard: list[Stage] = []

    progress.tell("encode")
    with progress.listening(heard.append):
        progress.tell("denoise", 2, 4)
        progress.tell("decode")
    progress.tell("decode")

    assert [str(stage) for stage in heard] == ["denoise 2/4", "decode"]
