"""Opens the networks that ship with the package, each once a process."""

from __future__ import annotations

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


def run(network: Network, fed: NDArray[Any]) -> Floats:
    """Return the first output of *network* for its one input, which has the shape and type that the network asks for.

    Safe to call from several threads at once.

    Raises:
        BadInput: the package was installed without its networks.
    """
    session = _session(network)
    return cast("Floats", session.run(None, {session.get_inputs()[0].name: fed})[0])


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
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
