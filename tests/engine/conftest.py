"""Fixtures of the engine's tests: tiny checkpoints, written once a session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.fakes import tiny


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Compute on one thread: on matrices this small a second one only waits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def no_grad() -> Iterator[None]:
    """Compute without gradients."""
    with torch.no_grad():
        yield


@pytest.fixture(scope="session")
def checkpoint_2511(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen-Image-Edit-2511, in shards."""
    return tiny.build(tmp_path_factory.mktemp("qwen-image-edit-2511"))


@pytest.fixture(scope="session")
def checkpoint_2509(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen-Image-Edit-2509, in single files."""
    return tiny.build(tmp_path_factory.mktemp("qwen-image-edit-2509"), zero_cond_t=False, sharded=False)
