"""`undercard schedule`: which shot lists are rendered at night, as schedules of the deployment `nightly`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from undercard.cli.arguments import Backend, Exact, FrameSize, Presets, ShotListFile
from undercard.cli.console import told
from undercard.cli.prefect_api import Api
from undercard.errors import UndercardError
from undercard.planning.choose import AUTO

DEPLOYMENT = "produce/nightly"


def schedule(
    shot_list: ShotListFile,
    cron: Annotated[
        str, typer.Option("--cron", help="When, as cron writes it: minute, hour, day, month, weekday.")
    ] = "0 2 * * *",
    timezone: Annotated[str, typer.Option("--timezone", help="Whose clock, such as Europe/Berlin.")] = "UTC",
    size: FrameSize = None,
    backend: Backend = AUTO,
    exact: Exact = False,
    preset: Presets = None,
    off: Annotated[bool, typer.Option("--off", help="Remove the schedule.")] = False,
) -> None:
    """Render a shot list at a time of day, by the worker of `undercard server up`.

    Each list has one schedule; another call for the same list replaces it. What is unchanged since the night before is
    not rendered again.
    """
    from undercard.production.options import find
    from undercard.shotlist.load import load_shot_list

    console = Console()
    with told(console):
        path = find(shot_list).resolve()
        film = load_shot_list(path)
        asked = {"size": size, "backend": backend, "exact": exact or None, "presets": preset}
        parameters = {"shot_list": str(path), **{key: value for key, value in asked.items() if value is not None}}
        api = configured_server()
        schedules = f"deployments/{api('GET', f'deployments/name/{DEPLOYMENT}')['id']}/schedules"
        known = next((each["id"] for each in api("GET", schedules) if each["slug"] == film.slug), None)
        when = {"cron": cron, "timezone": timezone}
        new = {"schedule": when, "active": True, "slug": film.slug, "parameters": parameters}
        if off and known is not None:
            api("DELETE", f"{schedules}/{known}")
        elif known is not None:
            api("PATCH", f"{schedules}/{known}", new)
        elif not off:
            api("POST", schedules, [new])
        if off:
            console.print(f"{film.title} has no schedule.", highlight=False)
            return
        console.print(
            f"{film.title}: {cron} ({timezone}). `undercard server status` lists what is next.", highlight=False
        )


def configured_server() -> Api:
    """Return the configured server, else this machine's.

    Raises:
        UndercardError: none is configured, and none runs here.
    """
    from prefect.settings import PREFECT_API_URL

    from undercard.cli import local_server

    if url := PREFECT_API_URL.value():
        return Api(url)
    here = local_server.remembered_in(local_server.state_file())
    if here is None or not local_server.answers(here):
        raise UndercardError("no server runs on this machine; start it with `undercard server up`")
    return Api(here.url)
