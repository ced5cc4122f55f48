"""What `undercard provision` says while it fetches."""

from __future__ import annotations

from undercard.cli import provision_view
from undercard.domain.progress import Meter


def meter(*, skipped: float = 0.0, worked: float = 0.0, seconds: float = 0.0) -> Meter:
    """Return a meter of 57.7 GB to fetch, *seconds* after its beginning."""
    now = [0.0]
    found = Meter(clock=lambda: now[0])
    found.expect(57.7e9)
    found.begin()
    found.skip(skipped, "there already")
    if worked:
        found.work(worked, "fetched")
    now[0] = seconds
    return found


def test_before_anything_arrives_there_is_no_pace() -> None:
    assert provision_view.progress(meter(seconds=5.0)) == "0.0 of 57.7 GB"


def test_the_rate_is_of_what_was_fetched_and_not_of_what_was_there() -> None:
    # 9.5 GB in 100 s, and 35.9 GB to come.
    found = meter(skipped=12.3e9, worked=9.5e9, seconds=100.0)

    assert provision_view.progress(found) == "21.8 of 57.7 GB · 95 MB/s · 0:06:18 left"


def test_at_the_end_there_is_nothing_left_to_tell() -> None:
    assert provision_view.progress(meter(worked=57.7e9, seconds=600.0)) == "57.7 of 57.7 GB"
