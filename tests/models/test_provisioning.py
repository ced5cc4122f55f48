"""Planning and fetching what a backend needs, from a hub that sometimes fails."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest

from tests import here
from tests.fakes import tiny_models
from tests.fakes.hub_server import Fault, Published, sha256
from tests.fakes.tiny_models import GGUF_FILE
from tests.models.conftest import fetched, place_of, planned
from undercard import settings
from undercard.domain.progress import Meter
from undercard.errors import BadDownload, HubRefused, HubUnreachable, NoRoom
from undercard.models import lock, provisioning, weights
from undercard.models.fetching import Fetcher
from undercard.models.hub import Hub

Usage = namedtuple("Usage", "total used free")


def test_a_plan_says_what_is_missing_how_large_it_is_and_where_it_goes(
    hub: Hub, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Others write to a real disk between one look at it and the next.
    rooms: dict[Path, int] = {}
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 0, rooms.setdefault(path, 10**9)))
    plan = planned(hub)

    by_name = {item.model.name: item for item in plan.items}
    assert list(by_name) == ["lightning-4steps", "base-2511", "gguf-q4-k-m"]
    assert not any(item.there for item in plan.items)
    gguf = published.repositories[tiny_models.GGUF].files[GGUF_FILE]
    assert (by_name["gguf-q4-k-m"].left_bytes, by_name["gguf-q4-k-m"].exact) == (len(gguf), True)
    base = published.repositories[tiny_models.BASE].files
    expected = {
        path for path in base if not path.endswith((".bin", ".md")) and not path.startswith("transformer/diffusion")
    } | {"transformer/diffusion_pytorch_model.safetensors.index.json"}
    assert {wanted.remote.path for wanted in by_name["base-2511"].files} == expected
    assert by_name["base-2511"].left_bytes == sum(len(base[path]) for path in expected)
    ((folder, left, free),) = plan.rooms()
    assert (left, free) == (plan.left_bytes, rooms[folder])
    # Nothing was made, and nothing but listings was asked for.
    assert not settings.load().model_store_root.exists()
    assert all("/api/models/" in path for path in published.paths())


def test_after_fetching_the_backend_has_its_weights_and_nothing_is_left_to_do(hub: Hub, published: Published) -> None:
    fetched(hub)

    assert weights.missing("gguf", here.settings()) is None
    assert planned(hub).is_done
    root = settings.load().model_store_root
    kinds = {path.suffix for path in root.rglob("[!.]*.*") if path.is_file()}
    assert kinds == {".safetensors", ".gguf", ".json"}


def test_pickles_are_never_asked_for(hub: Hub, published: Published) -> None:
    fetched(hub)
    fetched(hub, "bf16")

    assert any(path.endswith(".bin") for path in published.repositories[tiny_models.BASE].files)
    assert not [path for path in published.paths() if path.endswith((".bin", ".ckpt", ".md"))]


def test_what_was_fetched_is_noted_with_its_digest(hub: Hub, published: Published) -> None:
    fetched(hub)

    content = published.repositories[tiny_models.GGUF].files[GGUF_FILE]
    entry = lock.read(here.settings()).verified(place_of("gguf-q4-k-m"))
    assert entry is not None
    assert (entry.repository, entry.commit, entry.file) == (tiny_models.GGUF, tiny_models.COMMIT, GGUF_FILE)
    assert (entry.bytes, entry.sha256) == (len(content), sha256(content))
    assert len(lock.read(here.settings()).files) == sum(
        path.is_file() for path in settings.load().model_store_root.rglob("*.*")
    )


def test_a_branch_is_pinned_by_the_first_fetch_and_stays(hub: Hub, published: Published) -> None:
    fetched(hub)
    moved = published.repositories[tiny_models.LORA]
    published.repositories[tiny_models.LORA] = replace(moved, commit="f" * 40, files={"other.txt": b""})
    place_of("lightning-4steps").unlink()
    weights.forget()

    # The hub's branch is at another commit now, which the pin does not follow.
    with pytest.raises(HubRefused, match=r"has no such revision any more; remove it from models\.lock"):
        planned(hub)
    assert lock.read(here.settings()).commit(tiny_models.LORA, "main") == tiny_models.COMMIT


def test_a_backend_that_shares_a_base_fetches_only_what_it_adds(hub: Hub) -> None:
    fetched(hub)

    plan = planned(hub, "bf16")

    by_name = {item.model.name: item for item in plan.items}
    assert by_name["lightning-4steps"].there
    paths = {wanted.remote.path for wanted in by_name["base-2511"].files}
    assert {path.split("/")[0] for path in paths} == {"transformer"}
    assert all(path.endswith(".safetensors") for path in paths)
    fetched(hub, "bf16")
    assert weights.missing("bf16", here.settings()) is None


def test_a_failed_file_stops_the_others_and_the_next_run_goes_on(hub: Hub, published: Published) -> None:
    published.faults.append(Fault(GGUF_FILE, "status", times=100))

    with pytest.raises(HubUnreachable, match="answered 500"):
        fetched(hub)
    assert weights.missing("gguf", here.settings()) is not None
    arrived = {entry.file for entry in lock.read(here.settings()).files}
    before = len(published.asked)
    published.faults.clear()
    fetched(hub)

    assert weights.missing("gguf", here.settings()) is None
    again = {path.partition(f"/{tiny_models.COMMIT}/")[2] for path in published.paths()[before:] if "/resolve/" in path}
    assert GGUF_FILE in again
    assert arrived
    assert not again & arrived


def test_a_hub_that_holds_another_model_under_the_name_is_refused(hub: Hub, published: Published) -> None:
    lora = published.repositories[tiny_models.LORA].files["edit-4steps.safetensors"]
    published.repositories[tiny_models.FP8].files["edit_fp8_lightning.safetensors"] = lora

    with pytest.raises(BadDownload, match=r"arrived whole, but .*it holds lora, not fp8-lightx2v"):
        fetched(hub, "fp8-lightning")

    assert not place_of("fp8-8steps").exists()
    assert place_of("fp8-8steps").with_name("edit_fp8_lightning.safetensors.quarantined-1").exists()


def test_a_mirror_that_gives_another_file_than_is_pinned_is_refused_before_anything_is_fetched(
    hub: Hub, published: Published
) -> None:
    content = bytearray(published.repositories[tiny_models.GGUF].files[GGUF_FILE])
    content[-1] ^= 1
    published.repositories[tiny_models.GGUF].files[GGUF_FILE] = bytes(content)

    with pytest.raises(BadDownload, match="is another file on this hub than the catalogue pins"):
        planned(hub)


def test_a_catalogue_that_is_out_of_date_is_told(hub: Hub, published: Published) -> None:
    del published.repositories[tiny_models.GGUF].files[GGUF_FILE]

    with pytest.raises(HubRefused, match=r"has no edit-Q4_K_M\.gguf at c0ffee000000: the catalogue is out of date"):
        planned(hub)


def test_a_disk_that_is_too_small_is_told_before_anything_is_fetched(
    hub: Hub, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 10**9 - 5 * 10**6, 5 * 10**6))

    with pytest.raises(NoRoom, match=r"0\.0 GB are free there: free 1\.0 GB, or set UNDERCARD_MODEL_STORE"):
        fetched(hub)

    assert not [path for path in published.paths() if "/resolve/" in path]


def test_offline_with_everything_there_nothing_is_asked(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched(hub)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    weights.forget()

    plan = planned(Hub("http://127.0.0.1:9", patience=()))

    assert plan.is_done
    assert weights.missing("gguf", here.settings()) is None


def test_without_a_hub_the_plan_has_the_catalogues_sizes_and_cannot_be_carried_out(published: Published) -> None:
    nowhere = Hub("http://127.0.0.1:9", patience=())

    plan = planned(nowhere)

    assert "cannot be reached" in plan.unreachable
    assert not any(item.exact for item in plan.items)
    assert plan.left_bytes > 1_000_000
    with pytest.raises(HubUnreachable, match="cannot be asked now"):
        provisioning.fetch(plan, Fetcher(nowhere, Meter(), here.settings()))


def test_a_listing_is_asked_for_again_where_the_hub_is_busy(published: Published) -> None:
    published.faults.append(Fault("/revision/main", "status", times=2, status=502))

    assert planned(Hub(published.url, patience=(0.0, 0.0))).unreachable == ""


def test_the_lock_names_repositories_and_keeps_no_address(hub: Hub, published: Published) -> None:
    fetched(hub)

    written = json.loads(settings.load().models_lock.read_text())

    assert {entry["repository"] for entry in written["files"]} == {
        tiny_models.BASE,
        tiny_models.GGUF,
        tiny_models.LORA,
    }
    assert "secret" not in settings.load().models_lock.read_text()
