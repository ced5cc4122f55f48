"""`undercard server`: this machine's Prefect server with its worker, deployments and automations, in one command."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from undercard.cli.console import told
from undercard.cli.prefect_api import Api
from undercard.errors import BadInput, UndercardError

if TYPE_CHECKING:
    from pathlib import Path

    from undercard.cli.local_server import LocalServer

PORT = 4200
"""Prefect's own, where people look for it."""
ONLINE_SECONDS = 90.0
"""A worker imports Prefect and the flows before it says that it is there."""

server = typer.Typer(no_args_is_help=True, help="Prefect on this machine: a server, a worker, and what is scheduled.")


@server.command()
def up(
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Where the server is to listen.")] = PORT,
) -> None:
    """Start what scheduled renders and Prefect's UI need, and wait until each part answers.

    A server on this machine alone, a worker, the deployments of prefect.yaml, and automations that notice runs whose
    process died. What runs already is left alone, so the same command mends what is missing.
    """
    from undercard import settings
    from undercard.cli import local_server, registered, worker_process
    from undercard.production.turns import turn

    console = Console()
    with told(console):
        state = local_server.state_file()
        # Two terminals at once would start two workers.
        with turn(
            state.with_name("undercard-up"), lambda: console.print("Waiting for another `undercard server up` …")
        ):
            _make_room(state, port)
            with console.status("Starting Prefect's server …"):
                here = local_server.borrow(state, port).ready()
                local_server.keep(state)
            with console.status("Registering deployments and automations …"):
                died = registered.register(here.url)
            with console.status("Starting a worker …"):
                worker = worker_process.start(_worker_state(state), here.url, settings.load())
                _wait_for_worker(here, worker)
        if died:
            console.print(
                f"{died} run{'s' * (died > 1)} whose process had died {'are' if died > 1 else 'is'} Crashed now."
            )
        _show(here, console)


@server.command()
def status() -> None:
    """Show what is up, what is scheduled, and which runs are in progress. Exit status 1: a part is missing."""
    from undercard.cli import local_server

    console = Console()
    with told(console):
        here = local_server.remembered_in(local_server.state_file())
        if here is None or not local_server.answers(here):
            raise UndercardError("no server runs on this machine; start it with `undercard server up`")
        if not _show(here, console):
            raise typer.Exit(1)


@server.command()
def down(
    force: Annotated[bool, typer.Option("--force", help="Also stop the runs that are in progress.")] = False,
) -> None:
    """End the worker and the server of this machine. What was rendered is kept, and the next `up` goes on with it."""
    from undercard.cli import local_server, worker_process

    console = Console()
    with told(console):
        state = local_server.state_file()
        here = local_server.remembered_in(state)
        if here is not None and local_server.answers(here) and not force:
            _refuse_while_running(here)
        # The worker first: it tells the server what became of its runs.
        ends = {"worker": worker_process.end(_worker_state(state)), "server": local_server.end(state)}
        ended = [name for name, found in ends.items() if found]
        console.print(f"Ended: {', '.join(ended)}." if ended else "Nothing was running.")


def _worker_state(state: Path) -> Path:
    return state.with_name("undercard-worker.json")


def _make_room(state: Path, port: int) -> None:
    """End a server that a render had borrowed on another port, unless a run uses it.

    Raises:
        BadInput: something else listens at *port*.
    """
    import socket

    from undercard.cli import local_server

    here = local_server.remembered_in(state)
    if here is not None and local_server.answers(here):
        if here.url == f"http://127.0.0.1:{port}/api" or local_server.is_kept(state) or _running(here):
            return
        local_server.end(state)
    with socket.socket() as trying:
        trying.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trying.bind(("127.0.0.1", port))
        except OSError as exc:
            raise BadInput(
                f"port {port} is taken by another program: {exc.strerror}; end that, or choose one with --port"
            ) from exc


def _running(here: LocalServer) -> list[dict[str, Any]]:
    wanted = {"flow_runs": {"state": {"type": {"any_": ["RUNNING", "PENDING"]}}}}
    found: list[dict[str, Any]] = Api(here.url)("POST", "flow_runs/filter", wanted)
    return found


def _refuse_while_running(here: LocalServer) -> None:
    if running := _running(here):
        names = ", ".join(str(run["name"]) for run in running[:3])
        many = len(running) > 1
        raise BadInput(
            f"{len(running)} run{'s are' if many else ' is'} in progress: {names}; wait for {'them' if many else 'it'},"
            " or stop with --force"
        )


def _wait_for_worker(here: LocalServer, born: float) -> None:
    """Wait until a worker that was *born* then, in seconds since 1970, has said that it is there."""
    from undercard.cli.worker_process import NAME

    deadline = time.monotonic() + ONLINE_SECONDS
    while not any(name == NAME and heard >= born for name, heard in _workers(here)):
        if time.monotonic() > deadline:
            raise UndercardError(
                f"the worker did not report to {here.dashboard} in {ONLINE_SECONDS:.0f} s; see undercard-worker.log"
            )
        time.sleep(0.5)


def _workers(here: LocalServer) -> list[tuple[str, float]]:
    """Return the workers of the pool that are online, and when each was last heard of, in seconds since 1970."""
    from undercard.cli.worker_process import POOL

    found = Api(here.url)("POST", f"work_pools/{POOL}/workers/filter", {})
    heard = {
        str(worker["name"]): datetime.fromisoformat(str(worker["last_heartbeat_time"])).timestamp()
        for worker in found
        if worker["status"] == "ONLINE"
    }
    return list(heard.items())


def _show(here: LocalServer, console: Console) -> bool:
    """Print what there is; return whether all of it is."""
    from undercard.cli import local_server, registered, worker_process

    api = Api(here.url)
    state = local_server.state_file()
    # The server counts a worker that died a minute ago as online still; of this machine's own more is known.
    mine = worker_process.find(_worker_state(state)) is not None
    workers = [name for name, _ in _workers(here) if mine or name != worker_process.NAME]
    known = {str(each["name"]): bool(each["enabled"]) for each in api("POST", "automations/filter", {})}
    missing = [each.name for each in registered.automations() if not known.get(each.name)]
    running = _running(here)
    deployments = api("POST", "deployments/filter", {})
    console.print(f"server   {here.dashboard}", highlight=False)
    console.print(f"worker   {', '.join(workers) or '[red]none[/]'}", highlight=False)
    console.print(f"watching {'[yellow]not: ' + '; '.join(missing) + '[/]' if missing else 'runs whose process dies'}")
    console.print(f"running  {', '.join(str(run['name']) for run in running) or 'nothing'}", highlight=False)
    table = Table(Column("deployment", no_wrap=True), "starts", box=None, pad_edge=False)
    for each in sorted(deployments, key=lambda each: str(each["name"])):
        table.add_row(str(each["name"]), "; ".join(_schedules(each)) or "when somebody starts it")
    console.print(table)
    console.print(f"For Prefect's own commands: export PREFECT_API_URL={here.url}", style="dim", highlight=False)
    return bool(workers) and not missing


def _schedules(deployment: dict[str, Any]) -> Iterator[str]:
    for each in deployment["schedules"]:
        when = each["schedule"]
        told = f"{when['cron']} ({when['timezone']})" if "cron" in when else "by a schedule of its own"
        paused = "" if each["active"] and not deployment["paused"] else ", paused"
        yield f"{each['slug'] or each['parameters'].get('shot_list', 'all')}: {told}{paused}"
