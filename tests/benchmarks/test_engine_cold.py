"""What is read cold must have left the page cache, or its seconds say nothing."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import engine_cold

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux which pages are in memory")
IN_MEMORY = Path("/dev/shm")


@pytest.fixture
def kept() -> Iterator[Path]:
    """Yield a checkpoint that lies in memory."""
    if not IN_MEMORY.is_dir():
        pytest.skip("no file system in memory here")
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
        for part in engine_cold.READ_BY:
            (Path(folder) / part).mkdir()
            (Path(folder) / part / "a.safetensors").write_bytes(bytes(1 << 20))
        yield Path(folder)


def test_a_checkpoint_in_memory_cannot_be_read_cold_and_is_refused(kept: Path) -> None:
    files = engine_cold.files_of(kept)

    assert engine_cold.cached(files) == 1.0
    with pytest.raises(SystemExit, match=r"100% of .* stays in the page cache; put the checkpoint on a disk"):
        engine_cold.evict(files)


def test_what_a_first_picture_reads_is_the_transformer_and_the_autoencoder(kept: Path) -> None:
    (kept / "text_encoder").mkdir()
    (kept / "text_encoder" / "a.safetensors").write_bytes(bytes(8))

    assert {path.parent.name for path in engine_cold.files_of(kept)} == {"transformer", "vae"}
