"""Planning and fetching what a backend needs, from a hub that sometimes fails."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cards import H100, RTX_3060, machine
from tests.models import tiny_models
from tests.models.hub_server import Fault, Published, sha256
from tests.models.test_presence import write
from undercard import catalogue_file, provision_choice, provisioning, settings, weights
from undercard.errors import BadDownload, HubRefused, HubUnreachable, NoRoom, UnknownModel
from undercard.models import lock, presence
from undercard.models.fetching import Fetcher
from undercard.models.hub import Hub
from undercard.progress import Meter
from undercard.provisioning import Plan

GGUF = "edit-Q4_K_M.gguf"
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def hub(published: Published) -> Hub:
    return Hub(published.url, patience=())


def planned(hub: Hub, backend: str | None = "gguf", model: str | None = None, *, verify: bool = False) -> Plan:
    return provisioning.plan("a plan", provision_choice.picks_for(backend, model, machine()), hub, verify=verify)


def fetched(hub: Hub, backend: str = "gguf", model: str | None = None) -> Fetcher:
    """Fetch what *backend* needs and return what did."""
    fetcher = Fetcher(hub, Meter(), first_pause=0.0)
    provisioning.fetch(planned(hub, backend, model), fetcher)
    return fetcher


def target(name: str) -> Path:
    return presence.target_of(catalogue_file.load().named(name))


def test_a_plan_says_what_is_missing_how_large_it_is_and_where_it_goes(hub: Hub, published: Published) -> None:
    plan = planned(hub)

    by_name = {item.model.name: item for item in plan.items}
    assert list(by_name) == ["lightning-4steps", "base-2511", "gguf-q4-k-m"]
    assert not any(item.there for item in plan.items)
    gguf = published.repositories[tiny_models.GGUF].files[GGUF]
    assert (by_name["gguf-q4-k-m"].left_bytes, by_name["gguf-q4-k-m"].exact) == (len(gguf), True)
    base = published.repositories[tiny_models.BASE].files
    expected = {
        path for path in base if not path.endswith((".bin", ".md")) and not path.startswith("transformer/diffusion")
    } | {"transformer/diffusion_pytorch_model.safetensors.index.json"}
    assert {wanted.remote.path for wanted in by_name["base-2511"].files} == expected
    assert by_name["base-2511"].left_bytes == sum(len(base[path]) for path in expected)
    ((folder, left, free),) = plan.rooms()
    assert (left, free) == (plan.left_bytes, shutil.disk_usage(folder).free)
    # Nothing was made, and nothing but listings was asked for.
    assert not settings.load().model_store_root.exists()
    assert all("/api/models/" in path for path in published.paths())


def test_after_fetching_the_backend_has_its_weights_and_nothing_is_left_to_do(hub: Hub, published: Published) -> None:
    fetched(hub)

    assert weights.missing("gguf") is None
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

    content = published.repositories[tiny_models.GGUF].files[GGUF]
    entry = lock.read().verified(target("gguf-q4-k-m"))
    assert entry is not None
    assert (entry.repository, entry.commit, entry.file) == (tiny_models.GGUF, tiny_models.COMMIT, GGUF)
    assert (entry.bytes, entry.sha256) == (len(content), sha256(content))
    assert len(lock.read().files) == sum(path.is_file() for path in settings.load().model_store_root.rglob("*.*"))


def test_a_branch_is_pinned_by_the_first_fetch_and_stays(hub: Hub, published: Published) -> None:
    fetched(hub)
    moved = published.repositories[tiny_models.LORA]
    published.repositories[tiny_models.LORA] = replace(moved, commit="f" * 40, files={"other.txt": b""})
    target("lightning-4steps").unlink()
    weights.forget()

    # The hub's branch is at another commit now, which the pin does not follow.
    with pytest.raises(HubRefused, match=r"has no such revision any more; remove it from models\.lock"):
        planned(hub)
    assert lock.read().commit(tiny_models.LORA, "main") == tiny_models.COMMIT


def test_a_backend_that_shares_a_base_fetches_only_what_it_adds(hub: Hub) -> None:
    fetched(hub)

    plan = planned(hub, "bf16")

    by_name = {item.model.name: item for item in plan.items}
    assert by_name["lightning-4steps"].there
    paths = {wanted.remote.path for wanted in by_name["base-2511"].files}
    assert {path.split("/")[0] for path in paths} == {"transformer"}
    assert all(path.endswith(".safetensors") for path in paths)
    fetched(hub, "bf16")
    assert weights.missing("bf16") is None


def test_a_failed_file_stops_the_others_and_the_next_run_goes_on(hub: Hub, published: Published) -> None:
    published.faults.append(Fault(GGUF, "status", times=100))

    with pytest.raises(HubUnreachable, match="answered 500"):
        fetched(hub)
    assert weights.missing("gguf") is not None
    arrived = {entry.file for entry in lock.read().files}
    before = len(published.asked)
    published.faults.clear()
    fetched(hub)

    assert weights.missing("gguf") is None
    again = {path.partition(f"/{tiny_models.COMMIT}/")[2] for path in published.paths()[before:] if "/resolve/" in path}
    assert GGUF in again
    assert arrived
    assert not again & arrived


def test_a_file_that_was_cut_since_is_moved_aside_and_fetched_again(hub: Hub, published: Published) -> None:
    fetched(hub)
    path = target("gguf-q4-k-m")
    path.write_bytes(path.read_bytes()[:5000])
    weights.forget()

    (item,) = [item for item in planned(hub).items if item.model.name == "gguf-q4-k-m"]
    assert "it has 5000 bytes" in item.wrong[0]
    fetcher = fetched(hub)

    assert weights.missing("gguf") is None
    assert path.with_name(f"{GGUF}.quarantined-1").stat().st_size == 5000
    assert "it has 5000 bytes, not" in fetcher.notes[0]


@pytest.mark.parametrize("shard", ["text_encoder/model-00002-of-00004.safetensors"])
def test_a_shard_that_was_swapped_for_another_is_fetched_again(shard: str, hub: Hub, published: Published) -> None:
    fetched(hub)
    path = target("base-2511") / shard
    path.write_bytes((target("base-2511") / shard.replace("00002-of", "00003-of")).read_bytes())
    weights.forget()
    assert "is not what its index says" in str(weights.missing("gguf"))

    fetched(hub)

    assert weights.missing("gguf") is None
    assert path.read_bytes() == published.repositories[tiny_models.BASE].files[shard]


def test_a_hub_that_holds_another_model_under_the_name_is_refused(hub: Hub, published: Published) -> None:
    lora = published.repositories[tiny_models.LORA].files["edit-4steps.safetensors"]
    published.repositories[tiny_models.FP8].files["edit_fp8_lightning.safetensors"] = lora

    with pytest.raises(BadDownload, match=r"arrived whole, but .*it holds lora, not fp8-lightx2v"):
        fetched(hub, "fp8-lightning")

    assert not target("fp8-8steps").exists()
    assert target("fp8-8steps").with_name("edit_fp8_lightning.safetensors.quarantined-1").exists()


def test_a_mirror_that_gives_another_file_than_is_pinned_is_refused_before_anything_is_fetched(
    hub: Hub, published: Published
) -> None:
    content = bytearray(published.repositories[tiny_models.GGUF].files[GGUF])
    content[-1] ^= 1
    published.repositories[tiny_models.GGUF].files[GGUF] = bytes(content)

    with pytest.raises(BadDownload, match="is another file on this hub than the catalogue pins"):
        planned(hub)


def test_a_catalogue_that_is_out_of_date_is_told(hub: Hub, published: Published) -> None:
    del published.repositories[tiny_models.GGUF].files[GGUF]

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
    assert weights.missing("gguf") is None


def test_without_a_hub_the_plan_has_the_catalogues_sizes_and_cannot_be_carried_out(published: Published) -> None:
    nowhere = Hub("http://127.0.0.1:9", patience=())

    plan = planned(nowhere)

    assert "cannot be reached" in plan.unreachable
    assert not any(item.exact for item in plan.items)
    assert plan.left_bytes > 1_000_000
    with pytest.raises(HubUnreachable, match="cannot be asked now"):
        provisioning.fetch(plan, Fetcher(nowhere, Meter()))


def test_a_listing_is_asked_for_again_where_the_hub_is_busy(published: Published) -> None:
    published.faults.append(Fault("/revision/main", "status", times=2, status=502))

    assert planned(Hub(published.url, patience=(0.0, 0.0))).unreachable == ""


def test_what_the_user_has_is_used_in_place_and_not_fetched(
    hub: Hub, published: Published, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "ComfyUI" / "models"
    monkeypatch.setenv("UNDERCARD_MODEL_FOLDERS", str(folder))
    path = write(published, tiny_models.GGUF, folder / "unet", GGUF) / GGUF
    before = path.stat()

    fetched(hub)

    found = weights.of("gguf")
    assert found is not None
    assert found.transformer == path
    assert path.stat() == before
    assert [each.name for each in (folder / "unet").iterdir()] == [GGUF]
    assert not target("gguf-q4-k-m").exists()


def test_what_a_killed_run_fetched_and_could_not_note_is_verified_not_fetched(hub: Hub, published: Published) -> None:
    fetched(hub)
    settings.load().models_lock.unlink()
    weights.forget()
    before = len(published.asked)

    plan = planned(hub)
    assert all(item.there for item in plan.items)
    assert plan.left_bytes == 0
    fetched(hub)

    assert lock.read().verified(target("gguf-q4-k-m")) is not None
    assert not [path for path in published.paths()[before:] if "/resolve/" in path]


def test_verifying_finds_a_file_that_rotted(hub: Hub, published: Published) -> None:
    fetched(hub)
    path = target("gguf-q4-k-m")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    weights.forget()
    assert planned(hub).is_done

    fetcher = Fetcher(hub, Meter(), first_pause=0.0)
    provisioning.fetch(planned(hub, verify=True), fetcher)

    assert path.read_bytes() == published.repositories[tiny_models.GGUF].files[GGUF]
    assert "its SHA-256 begins with" in fetcher.notes[0]


def test_verifying_leaves_the_users_own_files_alone(
    hub: Hub, published: Published, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("UNDERCARD_MODEL_FOLDERS", str(tmp_path / "mine"))
    path = write(published, tiny_models.GGUF, tmp_path / "mine", GGUF) / GGUF
    fetched(hub)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)

    with pytest.raises(BadDownload, match=r"mine/edit-Q4_K_M\.gguf is not .*its SHA-256 .*; move it away"):
        provisioning.fetch(planned(hub, verify=True), Fetcher(hub, Meter()))

    assert path.read_bytes() == bytes(content)
    assert [each.name for each in path.parent.iterdir()] == [GGUF]


def test_what_comfyui_needs_goes_into_its_own_folders(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("UNDERCARD_COMFYUI_MODELS", str(tmp_path / "ComfyUI" / "models"))

    fetched(hub, "comfyui")

    assert (tmp_path / "ComfyUI/models/unet" / GGUF).is_file()
    assert (tmp_path / "ComfyUI/models/loras/edit-4steps.safetensors").is_file()
    assert planned(hub, "comfyui").is_done


def test_what_lies_elsewhere_is_linked_for_comfyui_and_not_copied(
    hub: Hub, published: Published, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fetched(hub)
    monkeypatch.setenv("UNDERCARD_COMFYUI_MODELS", str(tmp_path / "ComfyUI" / "models"))
    before = len(published.asked)

    plan = planned(hub, "comfyui")
    assert plan.left_bytes == 0
    fetched(hub, "comfyui")

    linked = tmp_path / "ComfyUI/models/unet" / GGUF
    assert linked.samefile(target("gguf-q4-k-m"))
    assert len(published.asked) == before
    assert planned(hub, "comfyui").is_done


@pytest.mark.parametrize(("model", "names"), [
    ("gguf-q4-k-m", ["lightning-4steps", "base-2511", "gguf-q4-k-m"]),
    ("base-2511", ["lightning-4steps", "base-2511"]),
    ("svdq-r16", ["base-2509", "svdq-r16"]),
    ("lightning-4steps", ["lightning-4steps"]),
])  # fmt: skip
def test_a_model_brings_what_belongs_to_it(model: str, names: list[str], hub: Hub) -> None:
    assert [item.model.name for item in planned(hub, None, model).items] == names


def test_what_the_settings_name_is_not_fetched(
    hub: Hub, published: Published, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    base = write(published, tiny_models.BASE, tmp_path / "mine")
    monkeypatch.setenv("UNDERCARD_MODEL", str(base))
    monkeypatch.setenv("UNDERCARD_GGUF", str(write(published, tiny_models.GGUF, tmp_path / "mine", GGUF) / GGUF))
    monkeypatch.setenv("UNDERCARD_LORA", "none")

    plan = planned(hub)

    assert [(item.model.name, item.own, item.path) for item in plan.items] == [
        ("base-2511", True, base),
        ("gguf-q4-k-m", True, tmp_path / "mine" / GGUF),
    ]
    assert plan.is_done
    assert published.asked == []


@pytest.mark.parametrize(
    ("backend", "model", "words"),
    [
        (None, "nothing", "model 'nothing' does not exist; use one of base-2511, base-2509"),
        ("previz", None, "backend 'previz' needs no models of the catalogue; those that do are bf16, fp8, gguf"),
        ("gguf", "fp8-8steps", "backend 'gguf' does not render with 'fp8-8steps'"),
        ("gguf", "nothing", "model 'nothing' does not exist"),
    ],
)
def test_what_the_catalogue_does_not_have_is_named(
    backend: str | None, model: str | None, words: str, published: Published
) -> None:
    with pytest.raises(UnknownModel, match=words):
        provision_choice.picks_for(backend, model, machine())


def test_a_card_that_cannot_compute_with_a_file_is_told(published: Published) -> None:
    old = machine(replace(RTX_3060, capability=(7, 0)))

    with pytest.raises(UnknownModel, match=r"suits a card of compute capability 7\.0"):
        provision_choice.picks_for("nunchaku", None, old)
    assert provision_choice.picks_for("nunchaku", None, machine(RTX_3060))


def test_the_machine_decides_where_no_backend_is_named(published: Published) -> None:
    small = replace(machine(RTX_3060), host_free_bytes=9 * 10**9)

    assert provision_choice.backend_for(machine()) is None
    assert provision_choice.backend_for(machine(H100)) == "bf16"
    # Nothing that this catalogue has fits that memory.
    assert provision_choice.backend_for(small) is None


def test_the_lock_names_repositories_and_keeps_no_address(hub: Hub, published: Published) -> None:
    fetched(hub)

    written = json.loads(settings.load().models_lock.read_text())

    assert {entry["repository"] for entry in written["files"]} == {
        tiny_models.BASE,
        tiny_models.GGUF,
        tiny_models.LORA,
    }
    assert "secret" not in settings.load().models_lock.read_text()
