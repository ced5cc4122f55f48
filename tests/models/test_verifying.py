"""What was fetched, looked at again: whole files stay, spoilt ones are fetched anew, the user's own are left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import here
from tests.fakes import tiny_models
from tests.fakes.hub_server import Published
from tests.fakes.tiny_models import GGUF_FILE
from tests.models.conftest import fetched, place_of, planned
from tests.models.test_presence import write
from undercard import settings
from undercard.domain.progress import Meter
from undercard.errors import BadDownload
from undercard.models import lock, provisioning, weights
from undercard.models.fetching import Fetcher
from undercard.models.hub import Hub


def test_a_file_that_was_cut_since_is_moved_aside_and_fetched_again(hub: Hub, published: Published) -> None:
    fetched(hub)
    path = place_of("gguf-q4-k-m")
    path.write_bytes(path.read_bytes()[:5000])
    weights.forget()

    (item,) = [item for item in planned(hub).items if item.model.name == "gguf-q4-k-m"]
    assert "it has 5000 bytes" in item.wrong[0]
    fetcher = fetched(hub)

    assert weights.missing("gguf", here.settings()) is None
    assert path.with_name(f"{GGUF_FILE}.quarantined-1").stat().st_size == 5000
    assert "it has 5000 bytes, not" in fetcher.notes[0]


@pytest.mark.parametrize("shard", ["text_encoder/model-00002-of-00004.safetensors"])
def test_a_shard_that_was_swapped_for_another_is_fetched_again(shard: str, hub: Hub, published: Published) -> None:
    fetched(hub)
    path = place_of("base-2511") / shard
    path.write_bytes((place_of("base-2511") / shard.replace("00002-of", "00003-of")).read_bytes())
    weights.forget()
    assert "is not what its index says" in str(weights.missing("gguf", here.settings()))

    fetched(hub)

    assert weights.missing("gguf", here.settings()) is None
    assert path.read_bytes() == published.repositories[tiny_models.BASE].files[shard]


def test_what_a_killed_run_fetched_and_could_not_note_is_verified_not_fetched(hub: Hub, published: Published) -> None:
    fetched(hub)
    settings.load().models_lock.unlink()
    weights.forget()
    before = len(published.asked)

    plan = planned(hub)
    assert all(item.there for item in plan.items)
    assert plan.left_bytes == 0
    fetched(hub)

    assert lock.read(here.settings()).verified(place_of("gguf-q4-k-m")) is not None
    assert not [path for path in published.paths()[before:] if "/resolve/" in path]


def test_verifying_finds_a_file_that_rotted(hub: Hub, published: Published) -> None:
    fetched(hub)
    path = place_of("gguf-q4-k-m")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    weights.forget()
    assert planned(hub).is_done

    fetcher = Fetcher(hub, Meter(), here.settings(), first_pause=0.0)
    provisioning.fetch(planned(hub, verify=True), fetcher)

    assert path.read_bytes() == published.repositories[tiny_models.GGUF].files[GGUF_FILE]
    assert "its SHA-256 begins with" in fetcher.notes[0]


def test_verifying_leaves_the_users_own_files_alone(
    hub: Hub, published: Published, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("UNDERCARD_MODEL_FOLDERS", str(tmp_path / "mine"))
    path = write(published, tiny_models.GGUF, tmp_path / "mine", GGUF_FILE) / GGUF_FILE
    fetched(hub)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)

    with pytest.raises(BadDownload, match=r"mine/edit-Q4_K_M\.gguf is not .*its SHA-256 .*; move it away"):
        provisioning.fetch(planned(hub, verify=True), Fetcher(hub, Meter(), here.settings()))

    assert path.read_bytes() == bytes(content)
    assert [each.name for each in path.parent.iterdir()] == [GGUF_FILE]
