"""How a plan to fetch models looks on a terminal, of 60 columns or more."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

from undercard.cli.console import duration, place
from undercard.domain.progress import Meter
from undercard.domain.units import gigabytes
from undercard.models import lock
from undercard.models.provisioning import SPARE_BYTES, FetchPlan, Item
from undercard.settings import Settings


def plan(planned: FetchPlan, settings: Settings) -> Group:
    """Return *planned* model by model, and below it what would come, from where, and whether there is room."""
    known = lock.read(settings)
    models = [part for item in planned.items for part in _model(item, known)]
    return Group(Text(planned.title, style="bold"), *models, *_wrong(planned), *_summary(planned))


def _model(item: Item, known: lock.Lock) -> Iterator[RenderableType]:
    """Yield a line with what *item* is and its state, and below it where it is and what is known of it."""
    mark, state = _state(item, known)
    title = escape(item.model.title) + (", without its transformer" if item.without_transformer else "")
    line = Table.grid(Column(width=1), Column(ratio=1), Column(justify="right", no_wrap=True), padding=(0, 1))
    line.expand = True
    line.add_row(mark, title, state)
    yield line
    about = [place(item.path)]
    if item.link_from is not None:
        about.append(f"a link to {place(item.link_from)}")
    if not item.there:
        about.append(". ".join(part for part in (item.model.licence, item.model.quality) if part))
    for part in about:
        yield Padding(Text(part, style="dim", overflow="fold"), (0, 0, 0, 2))


def _state(item: Item, known: lock.Lock) -> tuple[str, str]:
    if item.own:
        return "[green]✓[/]", "yours"
    if item.there and not item.files:
        verified = not item.model.is_folder and known.verified(item.path) is not None
        return "[green]✓[/]", "there, verified" if verified else "there"
    if item.link_from is not None:
        return "[cyan]→[/]", "to link"
    if not item.left_bytes:
        return "[cyan]?[/]", "to verify"
    return "[cyan]↓[/]", f"{'' if item.exact else '≈ '}{gigabytes(item.left_bytes)}"


def _wrong(planned: FetchPlan) -> Iterator[Text]:
    for item in planned.items:
        for reason in item.wrong:
            yield Text.from_markup(f"[yellow]![/] {escape(reason)}")


def _summary(planned: FetchPlan) -> Iterator[Text]:
    if planned.is_done:
        yield Text("Everything is there.")
        return
    if planned.unreachable:
        yield Text.from_markup(f"[yellow]Sizes are the catalogue's[/], for now: {escape(planned.unreachable)}.")
    if planned.left_bytes:
        count = sum(wanted.left_bytes > 0 for item in planned.items for wanted in item.files)
        files = f" in {count} file{'s' if count != 1 else ''}" if count else ""
        about = "" if all(item.exact or not item.left_bytes for item in planned.items) else "≈ "
        yield Text(f"To fetch: {about}{gigabytes(planned.left_bytes)}{files} from {planned.address}.")
    for folder, left, free in planned.rooms():
        if left + SPARE_BYTES <= free:
            yield Text(f"Room: {gigabytes(free)} free in {place(folder)}, {gigabytes(free - left)} afterwards.")
        else:
            short = gigabytes(left + SPARE_BYTES - free)
            yield Text.from_markup(
                f"[red]No room[/]: {gigabytes(free)} free in {escape(place(folder))}, {short} short; free some, or set "
                "UNDERCARD_MODEL_STORE to a folder on another disk."
            )


def progress(meter: Meter) -> str:
    """Return how far fetching is: `12.3 of 57.7 GB · 95 MB/s · 0:08:01 left`."""
    done = meter.worked + meter.skipped
    parts = [f"{done / 1e9:.1f} of {gigabytes(meter.expected)}"]
    left = meter.seconds_left
    if left:
        rate = max(0.0, meter.expected - done) / left
        parts += [f"{rate / 1e6:.0f} MB/s", f"{duration(left)} left"]
    return " · ".join(parts)
