"""What the device can do and what a run would cost: `undercard plan` and `undercard doctor`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from undercard import __version__, settings
from undercard.backends import Backend as AnyBackend
from undercard.cli.arguments import LIST, Backend, Exact, Failed, FrameSize, Selection, Start
from undercard.cli.console import place, told
from undercard.hardware.devices import Device
from undercard.hardware.probe import this_device
from undercard.planning.choose import AUTO
from undercard.settings import Settings
from undercard.store import Store

if TYPE_CHECKING:
    from undercard.cli.doctor_view import Diagnosis

AsJson = Annotated[bool, typer.Option("--json", help="Print it for a program to read, in bytes and seconds.")]


def plan(
    shot_list: Annotated[Path | None, LIST] = None,
    size: FrameSize = None,
    backend: Backend = AUTO,
    exact: Exact = False,
    shots: Selection = None,
    start: Start = None,
    failed: Failed = False,
    as_json: AsJson = False,
) -> None:
    """Say what this machine can do now, and what `render` would take, without doing it.

    Without a shot list: the card, what is free on it, and every way to render keyframes on it, fastest first. With
    one: that, what each shot takes, the minutes of the card, and when the film would be done.
    """
    from undercard.cli import plan_view
    from undercard.domain.timecode import parse_size
    from undercard.planning import outlook, rungs
    from undercard.production import estimate
    from undercard.production.estimate import look_at_film
    from undercard.production.options import RunOptions
    from undercard.production.run import begin

    console = Console()
    with told(console):
        chosen = settings.load()
        device = with_copy_rates(this_device(chosen), Store(chosen.store_root), console)
        work = replace(outlook.USUAL, size=parse_size(size)) if size else outlook.USUAL
        run = None
        if shot_list is not None:
            asked = RunOptions(
                shot_list=shot_list, backend=backend, exact=exact, size=size, shots=shots, start=start, failed=failed
            )
            run = begin(asked, chosen, lambda _settings: device)
            work = run.plan.work
        view = outlook.look(rungs.everything(), device, chosen, work, exact=exact)
        film = look_at_film(run.plan, run.records) if run else None
        now = datetime.now().astimezone()
        if as_json:
            typer.echo(json.dumps(estimate.as_json(view, film, now), indent=1))
            return
        console.print(plan_view.machine(view, why_no_card(chosen)), plan_view.ladder(view))
        if run is not None and film is not None:
            console.print(plan_view.shots(film.shots), plan_view.summary(run.plan, film, now))


def with_copy_rates(device: Device, store: Store, console: Console) -> Device:
    """Return *device* with the copy rate of each card, measured where no earlier run did."""
    from undercard.hardware import copy_rates

    unknown = [gpu for gpu in device.gpus if not gpu.copy_bytes_per_second]
    # Without torch there is nothing to measure with, nor anything that would copy.
    if not unknown or not installed("torch"):
        return device
    # Not on standard output, which may be read by a program.
    with Console(stderr=True).status("Measuring how fast this machine copies to its card, once …"):
        return replace(
            device, gpus=tuple(gpu if gpu not in unknown else copy_rates.measure(gpu, store) for gpu in device.gpus)
        )


def doctor() -> None:
    """Say which backends work on this machine, why the others do not, and the one command that would change that."""
    from undercard.planning import clips, rungs

    console = Console()
    with told(console):
        chosen = settings.load()
        examine(console, this_device(chosen), chosen, rungs.everything())
        console.print(f"clips between keyframes: {clips.described(chosen)}", highlight=False)


def examine(console: Console, device: Device, chosen: Settings, found: tuple[AnyBackend, ...]) -> None:
    """Print what *device* has and which backends of *found* work on it."""
    from undercard.cli import doctor_view, plan_view
    from undercard.cli.doctor_view import Diagnosis
    from undercard.gate.critic.condition import condition
    from undercard.models import weights
    from undercard.planning import outlook

    torch = installed("torch")
    console.print(f"undercard {__version__} · {f'torch {torch}' if torch else 'without torch'}", highlight=False)
    console.print(f"store: {place(chosen.store_root)}", highlight=False, soft_wrap=True)
    folders = " · ".join(place(path) for path in (chosen.model_store_root, *chosen.folders_to_look_in))
    console.print(f"models: {folders}", highlight=False, soft_wrap=True)
    console.print(plan_view.machine(outlook.look((), device, chosen), why_no_card(chosen)))
    console.print(doctor_view.judge(condition(chosen)), highlight=False, soft_wrap=True)
    if device.gpus and torch and torch.endswith("+cpu"):
        console.print(f"[yellow]torch {torch} cannot use the card[/]: install its CUDA build in its place")
    diagnoses = [
        Diagnosis(each.name, each.exact, each.unavailable(device, chosen), weights.of(each.name, chosen))
        for each in found
    ]
    console.print(doctor_view.usable(diagnoses, chosen, _advice(device, chosen, found, diagnoses)))


def _advice(device: Device, chosen: Settings, found: Sequence[AnyBackend], diagnoses: Sequence[Diagnosis]) -> str:
    """Return the one thing to do for a model to render here; empty where one does, or without a card."""
    from undercard.domain.units import gigabytes
    from undercard.models import weights
    from undercard.planning import recommend

    models = {each.name for each in found if each.in_child}
    if not device.gpus or any(each.reason is None and each.name in models for each in diagnoses):
        return ""
    best = recommend.backend_for(device, chosen)
    if best is not None:
        picks = recommend.picks_for(best, None, device, chosen)
        left = sum(pick.size_bytes for pick in picks if pick.path is None)
        return f"{weights.remedy(best)} ({gigabytes(left)})"
    reasons = [each.reason for each in diagnoses if each.name in models and each.reason is not None]
    remedies = Counter(reason.remedy for reason in reasons if reason.remedy)
    return remedies.most_common(1)[0][0] if remedies else ""


def installed(package: str) -> str | None:
    """Return the version of *package*, or None where it is not installed; it is not imported."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def why_no_card(chosen: Settings) -> str:
    """Return why no card is used here, and what would change that."""
    from undercard.hardware import nvml

    device, variable = chosen.device, settings.visible_devices()
    count = nvml.count()
    if device != "auto" and count:
        return f"UNDERCARD_DEVICE is {device!r}, and the driver sees {count}; unset it, or name one as cuda:0"
    if count is None:
        return "NVIDIA's driver is not installed; the previz needs none"
    if count and variable is not None:
        return f"CUDA_VISIBLE_DEVICES is {variable!r}, which hides all {count}; unset it"
    return "NVIDIA's driver finds none; `nvidia-smi` says more"
