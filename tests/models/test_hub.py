"""What is asked of a hub and what it is told, and what its refusals mean."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.fakes import tiny_models
from tests.fakes.hub_server import Published, sha256
from undercard.errors import HubRefused, HubUnreachable
from undercard.models.fetching import Fetcher
from undercard.models.hub import Hub, RemoteFile


def test_a_hub_that_is_not_there_is_unreachable(fetcher: Fetcher, remote: RemoteFile, target: Path) -> None:
    fetcher.hub = Hub("http://127.0.0.1:9", patience=())

    with pytest.raises(HubUnreachable, match=r"http://127\.0\.0\.1:9 cannot be reached \(.*refused"):
        fetcher.fetch(remote, target)
    with pytest.raises(HubUnreachable, match="cannot be reached"):
        fetcher.hub.listing(tiny_models.GGUF, "main")


def test_a_hub_that_is_not_there_is_asked_again_after_each_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)

    with pytest.raises(HubUnreachable):
        Hub("http://127.0.0.1:9", patience=(1.0, 3.0)).listing(tiny_models.GGUF, "main")

    assert waits == [1.0, 3.0]


def test_the_token_stays_with_the_hub_and_nobody_asks_for_xet(
    fetcher: Fetcher, remote: RemoteFile, published: Published, monkeypatch: pytest.MonkeyPatch, target: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.utils._headers.get_token", lambda: "hf_secret")

    fetcher.fetch(remote, target)

    resolve = next(asked for asked in published.asked if "/resolve/" in asked.path)
    storage = next(asked for asked in published.asked if "signature" in asked.path)
    assert resolve.headers["authorization"] == "Bearer hf_secret"
    assert not {"authorization", "Authorization"} & set(storage.headers)
    assert not any("xet" in asked.path for asked in published.asked)


@pytest.mark.parametrize(
    ("name", "revision", "words"),
    [
        ("tiny/nothing", "main", "has no such repository, or it is private"),
        (tiny_models.GGUF, "0" * 40, "has no such revision any more"),
    ],
)
def test_what_the_hub_does_not_have_is_refused_at_once(name: str, revision: str, words: str, hub: Hub) -> None:
    with pytest.raises(HubRefused, match=words):
        hub.listing(name, revision)


@pytest.mark.parametrize("path", ["../escaped.json", "vae/../../escaped.json", "/etc/escaped.json", "a\\escaped.json"])
def test_a_hub_that_names_a_file_outside_of_its_repository_is_refused(
    path: str, hub: Hub, published: Published
) -> None:
    published.repositories[tiny_models.BASE].files[path] = b"{}"

    with pytest.raises(HubRefused, match="names a file outside of tiny/Edit-2511: "):
        hub.listing(tiny_models.BASE, "main")


def test_a_gated_file_says_how_to_get_at_it(
    fetcher: Fetcher, remote: RemoteFile, published: Published, target: Path
) -> None:
    published.repositories[tiny_models.GGUF].gated = True

    with pytest.raises(HubRefused, match=r"ask for an agreement; accept it at .*, then run `hf auth login`"):
        fetcher.fetch(remote, target)


@pytest.mark.parametrize("endpoint", ["not-an-address", "ftp://hub.example", "http://"])
def test_an_endpoint_that_is_no_address_is_told(endpoint: str) -> None:
    with pytest.raises(HubRefused, match=r"is no address of a hub: .*; set HF_ENDPOINT"):
        Hub(endpoint, patience=()).listing("a/b", "main")


def test_a_page_for_people_in_the_hubs_place_is_told(published: Published) -> None:
    # The storage answers whatever is asked of it with bytes.
    digest = sha256(published.repositories[tiny_models.GGUF].files["README.md"])

    with pytest.raises(HubRefused, match=r"does not answer as a hub does: .*; look at HF_ENDPOINT"):
        Hub(f"{published.storage}/{digest}?", patience=()).listing("a/b", "main")


def test_offline_nothing_is_asked(hub: Hub, published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    with pytest.raises(HubRefused, match="HF_HUB_OFFLINE forbids to fetch it"):
        hub.listing(tiny_models.GGUF, "main")

    assert published.asked == []
