"""Opens the networks that ship with the package, each once a process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from undercard.errors import BadInput

Network: TypeAlias = Literal["movenet-multipose.fp16", "movenet-thunder.fp16"]
Floats: TypeAlias = NDArray[np.float32]

THREADS = 2
"""A keyframe is judged while the next is rendered: the gate leaves the other cores to that."""
INNER: Mapping[Network, tuple[str, ...]] = {"movenet-multipose.fp16": ("StatefulPartitionedCall/Sigmoid_1:0",)}
"""Values inside a network that it is asked for beside its own output: MultiPose's maps of joints."""


def run(network: Network, fed: NDArray[Any]) -> Sequence[Floats]:
    """Return the output of *network* and its INNER values for its one input, of the shape and type that it asks for.

    Safe to call from several threads at once.

    Raises:
        BadInput: the package was installed without its networks.
    """
    session = _session(network)
    return cast("Sequence[Floats]", session.run(None, {session.get_inputs()[0].name: fed}))


@cache
def _session(network: Network) -> Any:
    # It takes 0.1 s to import, and most commands judge nothing.
    import onnxruntime

    file = Path(str(resources.files("undercard"))) / "assets" / f"{network}.onnx"
    if not file.is_file():
        raise BadInput(f"{file} is missing; install undercard again, its wheel holds it")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.inter_op_num_threads = 1
    # Threads that wait by spinning would take a core from whoever renders.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    model = file.read_bytes() + _asking_for(INNER.get(network, ()))
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _asking_for(values: Sequence[str]) -> bytes:
    """Return what a serialised ONNX model has to end with so that it puts out *values* as well.

    Protocol buffers merge a message with what follows it: this is one more `ModelProto` whose `graph` (field 7) has
    nothing but `output` (field 12) entries of a `name` (field 1).
    """
    return b"".join(_field(7, _field(12, _field(1, value.encode()))) for value in values)


def _field(number: int, content: bytes) -> bytes:
    """Return one length-delimited field; *content* shorter than 128 bytes."""
    assert len(content) < 128
    return bytes([number << 3 | 2, len(content)]) + content
