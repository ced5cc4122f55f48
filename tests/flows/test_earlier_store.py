"""A store, a manifest and results that an earlier release wrote, with its modules elsewhere, are used as they are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterFlowRunId

from flows.produce import produce
from tests.paths import DATA
from undercard.store import sha256_of

pytestmark = pytest.mark.usefixtures("prefect_server")

EARLIER = DATA / "earlier_store"
FILM = "films/before-the-move-128x72-previz"


@pytest.fixture
def shot_list(store: Path) -> Path:
    """Copy the store of the earlier release to where this test has its own."""
    shutil.copytree(EARLIER, store)
    return store / "before_the_move.yaml"


def render(shot_list: Path) -> dict[str, str | None]:
    """Render the film, and return the states of its task runs by name."""
    ended = produce(shot_list=shot_list, return_state=True)
    assert ended.is_completed(), ended.message
    asked = TaskRunFilter(flow_run_id=TaskRunFilterFlowRunId(any_=[ended.state_details.flow_run_id]))
    with get_client(sync_client=True) as client:
        return {run.name: run.state_name for run in client.read_task_runs(task_run_filter=asked)}


def objects(store: Path) -> set[Path]:
    return {path.relative_to(store) for path in (store / "objects").rglob("*") if path.is_file()}


def test_an_earlier_release_left_everything_that_this_one_needs(shot_list: Path, store: Path) -> None:
    before, film = objects(store), sha256_of(store / FILM / "film.mp4")

    path = produce(shot_list=shot_list)

    assert path == store / FILM / "film.mp4"
    assert sha256_of(path) == film
    assert objects(store) == before
    records = json.loads((store / FILM / "manifest.json").read_bytes())["keyframes"]
    assert [judged["cached"] for record in records for judged in record["takes"]] == [True] * 3


def test_results_alone_spare_the_work_where_the_manifest_is_gone(shot_list: Path, store: Path) -> None:
    shutil.rmtree(store / "films")
    before = objects(store)

    made = render(shot_list)

    assert objects(store) == before
    shown = {name for name in made if "sheet" in name or "table" in name or "where" in name}
    assert {name: state for name, state in made.items() if state != "Cached" and name not in shown} == {}
    assert len(made) - len(shown) == 10
    kinds = {json.loads(path.read_bytes())["metadata"]["serializer"]["type"] for path in (store / "results").iterdir()}
    assert kinds == {"undercard"}
