"""Open a file of quantised weights, whichever kind its header says it is."""

from __future__ import annotations

from pathlib import Path

from undercard.engine.files.checkpoint import open_checkpoint
from undercard.engine.files.stored import StoredModel
from undercard.models.file_marks import QUANTISATION
from undercard.models.headers import is_gguf


def open_stored(path: Path) -> StoredModel:
    """Open a GGUF file, or a safetensors file of 8-bit floats or of nunchaku's; no weight is read.

    Raises:
        BadCheckpoint: it is none of these, or one that cannot be decoded.
    """
    from undercard.engine.files.fp8_file import open_fp8
    from undercard.engine.files.gguf_file import open_gguf
    from undercard.engine.files.nunchaku_file import open_nunchaku

    if is_gguf(path):
        return open_gguf(path)
    checkpoint = open_checkpoint(path)
    return open_nunchaku(checkpoint) if QUANTISATION in checkpoint.metadata else open_fp8(checkpoint)
