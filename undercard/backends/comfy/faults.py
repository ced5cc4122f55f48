"""The seam where ComfyUI's errors become undercard's: a refused graph, memory that ran out, and anything else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from undercard.backends.comfy.nodes import Graph
from undercard.errors import BackendError, DeviceFault, OutOfMemory

OUT_OF_MEMORY = ("out of memory", "not enough memory", "can't allocate memory")
"""What drivers, libraries and the host's allocator say in errors of other types: over HTTP there is only their text."""
STAGES = (("decode", "decode"), ("encode", "encode"), ("sampler", "denoise"), ("loader", "open"))
"""A part of the kind of a node, and the stage that such nodes are."""
WANTED = re.compile(r"[Tt]ried to allocate ([\d.]+) ([KMG])iB")
UNITS = {"K": 1024, "M": 1024**2, "G": 1024**3}
WORDS = 300
"""Letters of a message that are passed on."""


def stage_of(kind: str) -> str:
    """Return the stage of a picture in which nodes of *kind* work; empty for those that belong to none."""
    return next((stage for part, stage in STAGES if part in kind.lower()), "")


def failure(told: Mapping[str, object]) -> BackendError:
    """Return what the server's `execution_error` *told* means."""
    kind, said = str(told.get("exception_type") or "an error"), str(told.get("exception_message") or "").strip()
    stage = stage_of(str(told.get("node_type") or ""))
    what = f"{_node(told)}: {said[:WORDS] or kind}"
    # The text is all there is: torch's own type, MemoryError, or what a driver said in a RuntimeError.
    if kind.endswith(("OutOfMemoryError", "MemoryError")) or any(words in said.lower() for words in OUT_OF_MEMORY):
        return OutOfMemory(f"ComfyUI ran out of memory at {what}", stage=stage, wanted_bytes=_wanted(said))
    error: BackendError
    if kind.endswith("AcceleratorError") or said.startswith("CUDA error"):
        error = DeviceFault(f"ComfyUI's card failed at {what}; restart ComfyUI if it goes on")
    else:
        error = BackendError(f"ComfyUI failed at {what} ({kind})")
    error.stage = stage
    return error


def interruption(told: Mapping[str, object]) -> BackendError:
    """Return what the server's `execution_interrupted` *told* means."""
    return BackendError(f"somebody interrupted ComfyUI at {_node(told)}; run the same again with `failed` to go on")


def refusal(told: Mapping[str, object], graph: Graph) -> BackendError:
    """Return what the server means that refuses *graph*, with every node and input that it names."""
    error = told.get("error")
    about = error if isinstance(error, dict) else {}
    problems = list(_node_problems(told.get("node_errors"), graph))
    if not problems:
        what = str(about.get("message") or "it does not say why").rstrip(".")
        details = about.get("details")
        problems.append(f"{what} ({details})" if details else what)
    return BackendError("ComfyUI refuses the graph: " + "; ".join(problems))


def _node_problems(told: object, graph: Graph) -> Iterator[str]:
    for name, about in (told if isinstance(told, dict) else {}).items():
        kind = graph[name].kind if name in graph else about.get("class_type")
        for one in about.get("errors") or ():
            yield f"node {name} ({kind}): {one.get('message')} ({one.get('details')})"


def _node(told: Mapping[str, object]) -> str:
    return f"node {told.get('node_id')} ({told.get('node_type')})"


def _wanted(said: str) -> int:
    """Return the bytes that torch's allocator was asked for; 0 when the message does not say."""
    found = WANTED.search(said)
    return round(float(found[1]) * UNITS[found[2]]) if found else 0
