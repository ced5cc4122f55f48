"""`undercard provision`: say what a backend's models take, then fetch and verify them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from undercard import settings
from undercard.cli.console import brief, told
from undercard.domain.progress import Meter
from undercard.domain.ticker import every
from undercard.hardware.devices import Device
from undercard.hardware.probe import this_device
from undercard.planning.choose import AUTO
from undercard.settings import Settings

if TYPE_CHECKING:
    from undercard.models.provisioning import FetchPlan

REDRAW_SECONDS = 0.25
INTERRUPTED = 130
"""As a shell counts a program that Ctrl-C ended."""


def provision(
    backend: Annotated[
        str,
        typer.Option("--backend", "-b", help="Whose models; `auto` takes the backend that suits this machine best."),
    ] = AUTO,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="This one, by its name in data/models.toml, with what belongs to it."),
    ] = None,
    plan_only: Annotated[bool, typer.Option("--plan", help="Only say what would be fetched.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Also compare the SHA-256 of what is there with the hub's.")
    ] = False,
    prove: Annotated[bool, typer.Option("--prove", help="Then render a small picture with the backend.")] = False,
) -> None:
    """Fetch the models that a backend renders with, and verify them.

    Says first what is missing, how large it is and whether the disk has the room. What lies on this machine already is
    used where it is; an interrupted download goes on where it stopped.
    """
    from undercard.cli import provision_view
    from undercard.models import provisioning
    from undercard.models.hub import Hub
    from undercard.planning import recommend

    console = Console()
    with told(console):
        chosen = settings.load()
        device = this_device(chosen)
        name = recommend.backend_for(device, chosen) if backend == AUTO and model is None else backend
        if name is None:
            console.print(_nothing_to_fetch(device), soft_wrap=True)
            return
        picks = recommend.picks_for(None if name == AUTO else name, model, device, chosen)
        title = f"{name} on this machine" if name != AUTO else f"{model} and what belongs to it"
        with console.status("Asking the hub …"):
            planned = provisioning.plan(title, picks, Hub(), chosen, verify=verify)
        console.print(provision_view.plan(planned, chosen))
        if plan_only:
            return
        if not planned.is_done:
            _fetch(planned, chosen, console)
        if name != AUTO:
            _say_whether_it_works(name, device, chosen, console, prove=prove)


def _nothing_to_fetch(device: Device) -> str:
    why = "no model fits this card" if device.gpus else "there is no graphics card here"
    return (
        f"Nothing to fetch: {why}, and the previz needs no models. To fetch a backend's all the same, name it: "
        "undercard provision --backend bf16"
    )


def _fetch(planned: FetchPlan, chosen: Settings, console: Console) -> None:
    from undercard.models import provisioning
    from undercard.models.fetching import Fetcher
    from undercard.models.hub import Hub

    provisioning.require_possible(planned)
    fetcher = Fetcher(Hub(), Meter(), chosen)
    try:
        with _bar(fetcher.meter, console):
            provisioning.fetch(planned, fetcher)
    except KeyboardInterrupt as exc:
        console.print("Stopped. What arrived is kept; the same command goes on from there.")
        raise typer.Exit(INTERRUPTED) from exc
    finally:
        for note in fetcher.notes:
            console.print(f"[yellow]![/] {escape(note)}", highlight=False, soft_wrap=True)
    console.print("All of it is there now, and verified against the hub.")


@contextmanager
def _bar(meter: Meter, console: Console) -> Iterator[None]:
    from undercard.cli import provision_view

    with Progress(SpinnerColumn(), BarColumn(20), TextColumn("{task.description}"), console=console) as bar:
        task = bar.add_task("", total=1.0)

        def redraw() -> None:
            bar.update(task, completed=meter.fraction, description=provision_view.progress(meter))

        with every(REDRAW_SECONDS, redraw):
            yield


def _say_whether_it_works(name: str, device: Device, chosen: Settings, console: Console, *, prove: bool) -> None:
    """Say whether the backend called *name* can be used now; where it was asked for, by using it."""
    from undercard import backends
    from undercard.production import proof as proving

    if name not in backends.names():
        return
    reason = backends.backend(name).unavailable(device, chosen)
    if reason is not None:
        said = escape(str(reason))
        console.print(f"[yellow]{name} does not run here yet[/]: {said}", highlight=False, soft_wrap=True)
    elif prove:
        with console.status(f"Rendering a small picture with {name} …"):
            proof = proving.prove(name, device, chosen)
        console.print(f"{name} works: a small picture took {brief(proof.second_seconds)}.", highlight=False)
    else:
        console.print(f"{name} can be used: undercard render LIST --backend {name}", highlight=False, soft_wrap=True)
