"""By which names and metadata a file of weights says what it is: its architecture, its tool and its edition."""

from __future__ import annotations

import re

from undercard.models.headers import Header, plain_name

ARCHITECTURE = "qwen_image"
"""Of GGUF files."""
RELEASE_FIELDS = ("general.name", "general.basename", "general.base_model.0.name")
ZERO_COND_T = "__index_timestep_zero__"
"""Name of an otherwise empty tensor by which ComfyUI's tools mark Edit-2511; not all of them do."""
QUANTISATION = "quantization_config"
"""Key of the metadata that only nunchaku's files have."""


def edit_2511(header: Header) -> bool | None:
    """Say whether a file is of Edit-2511: by ComfyUI's marker, or the name that GGUF metadata give; None if unsaid."""
    if ZERO_COND_T in {plain_name(name) for name in header.tensors}:
        return True
    names = " ".join(str(header.metadata.get(field, "")) for field in RELEASE_FIELDS)
    releases = set(re.findall(r"25(?:09|11)", names))
    return "2511" in releases if len(releases) == 1 else None
