"""The tests' hub, held to what the real client of the hub does with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import (
    GatedRepoError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tests.fakes import tiny_models
from tests.fakes.hub_server import Published, blob, sha256


@pytest.fixture
def without_xet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr("huggingface_hub.file_download.is_xet_available", lambda: False)


@pytest.mark.parametrize(
    ("name", "path"), [(tiny_models.GGUF, "edit-Q4_K_M.gguf"), (tiny_models.BASE, "model_index.json")]
)
def test_the_hubs_own_client_downloads_from_it(
    name: str, path: str, published: Published, without_xet: None, tmp_path: Path
) -> None:
    found = hf_hub_download(name, path, endpoint=published.url, cache_dir=tmp_path / "cache", token=False)

    assert Path(found).read_bytes() == published.repositories[name].files[path]
    assert Path(found).parent.name == tiny_models.COMMIT


def test_it_describes_files_as_the_hubs_own_client_reads_them(published: Published) -> None:
    info = HfApi(endpoint=published.url, token=False).model_info(tiny_models.GGUF, revision="main", files_metadata=True)

    content = published.repositories[tiny_models.GGUF].files["edit-Q4_K_M.gguf"]
    found = {sibling.rfilename: sibling for sibling in info.siblings or []}
    large = found["edit-Q4_K_M.gguf"].lfs
    assert large is not None
    assert (large.size, large.sha256) == (len(content), sha256(content))
    assert found["README.md"].lfs is None
    assert found["README.md"].blob_id == blob(b"# GGUF")


def test_it_refuses_as_the_hub_does(published: Published, without_xet: None, tmp_path: Path) -> None:
    published.repositories["tiny/gated"] = published.repositories[tiny_models.GGUF]
    published.repositories["tiny/gated"].gated = True
    cases = {
        RepositoryNotFoundError: ("tiny/nothing", "a.gguf", "main"),
        RevisionNotFoundError: (tiny_models.LORA, "a.gguf", "0" * 40),
        RemoteEntryNotFoundError: (tiny_models.LORA, "a.gguf", "main"),
        GatedRepoError: ("tiny/gated", "edit-Q4_K_M.gguf", "main"),
    }

    for error, (name, path, revision) in cases.items():
        with pytest.raises(error):
            hf_hub_download(
                name, path, revision=revision, endpoint=published.url, cache_dir=tmp_path / "cache", token=False
            )
