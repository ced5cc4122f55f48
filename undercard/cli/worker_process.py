"""The worker of this machine: started beside its server, found again by its process, ended with it."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path

import psutil

from undercard import settings
from undercard.cli.local_server import end_process
from undercard.settings import Settings
from undercard.store import write_atomically

POOL = "undercard"
"""The work pool that it takes runs from."""
HEARTBEAT_SECONDS = 30
"""How often a run says that it is alive: the least that Prefect allows."""
RUNS_AT_ONCE = 1
"""A run uses every card of its machine, a keyframe on each."""
NAME = f"undercard on {platform.node()}"
"""Tells people which host renders."""
WORKER = (sys.executable, "-m", "prefect", "worker", "start")


def start(state: Path, url: str, chosen: Settings) -> float:
    """Start a worker for the server at *url*, unless the one that *state* remembers is still there for it.

    Args:
        state: a JSON file beside the server's.
        url: of the server's API.
        chosen: of this machine. Runs start in folders of their own, so the worker is given absolute paths.

    Returns:
        When it was started, in seconds since 1970.
    """
    known = find(state)
    if known is not None and json.loads(state.read_bytes())["url"] == url:
        return float(known.create_time())
    # One of a server that listened elsewhere has nothing to do any more.
    end(state)
    places = {"UNDERCARD_STORE": str(chosen.store_root), "UNDERCARD_MODEL_STORE": str(chosen.model_store_root)}
    with state.with_suffix(".log").open("ab") as log:
        process = subprocess.Popen(
            [*WORKER, "--pool", POOL, "--limit", str(RUNS_AT_ONCE), "--name", NAME],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=settings.child_environment(
                {**places, "PREFECT_API_URL": url, "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS)}
            ),
            # Its own session, so that Ctrl-C in this terminal does not reach it.
            start_new_session=True,
            cwd=settings.project_root(),
        )
    born = float(psutil.Process(process.pid).create_time())
    write_atomically(state, json.dumps({"pid": process.pid, "born": born, "url": url}).encode())
    return born


def find(state: Path) -> psutil.Process | None:
    """Return the process that *state* remembers; None where it has ended, or its number is another's by now."""
    try:
        known = json.loads(state.read_bytes())
        process = psutil.Process(int(known["pid"]))
        same = process.create_time() == float(known["born"]) and process.status() != psutil.STATUS_ZOMBIE
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None
    return process if same else None


def end(state: Path) -> bool:
    """End the worker that *state* remembers, and with it the runs that it started; return whether there was one."""
    process = find(state)
    if process is None:
        return False
    # SIGTERM lets it stop its runs, which are then Crashed or Cancelled and not Running for ever.
    end_process(process)
    state.unlink(missing_ok=True)
    return True
