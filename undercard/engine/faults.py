"""The seam where torch's and CUDA's errors become undercard's: out of memory, or a fault of the device."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TypeAlias

import torch

from undercard.errors import BackendError, DeviceFault, HostMemoryExhausted, OutOfMemory

Stage: TypeAlias = Literal["open", "encode", "denoise", "decode"]

CUDA_OUT_OF_MEMORY = 2
"""cudaErrorMemoryAllocation, in CUDA's driver_types.h."""
LIBRARY_OUT_OF_MEMORY = ("CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED", "CUDA out of memory")
"""What cuBLAS, cuDNN and older torches say in a bare RuntimeError, which has nothing but its message."""
HOST_OUT_OF_MEMORY = "DefaultCPUAllocator"
"""Who says so when the host's memory ends, also in a bare RuntimeError."""
WANTED = re.compile(r"Tried to allocate ([\d.]+) ([KMG])iB")
UNITS = {"K": 1024, "M": 1024**2, "G": 1024**3}


@contextmanager
def stage(name: Stage) -> Iterator[None]:
    """Translate what goes wrong on the device within the context; other errors pass as they are.

    What is raised holds on to nothing: a traceback keeps the locals of its frames, and with them the memory that the
    next attempt needs.

    Raises:
        OutOfMemory: the device's memory ran out.
        HostMemoryExhausted: the host's memory ran out.
        DeviceFault: the device failed otherwise; this process cannot use it any more.
    """
    failure: BackendError | None = None
    try:
        yield
    except (RuntimeError, MemoryError) as exc:
        failure = translated(exc, name)
        if failure is None:
            raise
        # The with statement still holds exc, and would chain it to what is raised below.
        traceback.clear_frames(exc.__traceback__)
        exc.__traceback__ = None
    if failure is not None:
        if torch.cuda.is_initialized():
            failure.peak_vram_bytes = torch.cuda.max_memory_allocated()
        raise failure


def translated(error: RuntimeError | MemoryError, name: Stage) -> BackendError | None:
    """Return what *error* is in undercard's terms, or None when neither memory nor the device is to blame."""
    message = str(error)
    first_line = message.partition("\n")[0]
    if is_out_of_memory(error):
        return OutOfMemory(f"out of device memory in {name}: {first_line}", stage=name, wanted_bytes=_wanted(message))
    if isinstance(error, MemoryError) or HOST_OUT_OF_MEMORY in message:
        return HostMemoryExhausted(f"out of host memory in {name}: {first_line or 'MemoryError'}")
    if isinstance(error, torch.AcceleratorError):
        return DeviceFault(f"the device failed in {name}: {first_line}")
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether *error* means that the device's memory ran out, whoever found out."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    if isinstance(error, torch.AcceleratorError):
        return getattr(error, "error_code", None) == CUDA_OUT_OF_MEMORY
    return isinstance(error, RuntimeError) and any(words in str(error) for words in LIBRARY_OUT_OF_MEMORY)


def _wanted(message: str) -> int:
    """Return the bytes that torch's allocator was asked for, for the record; 0 when the message does not say."""
    found = WANTED.search(message)
    return round(float(found[1]) * UNITS[found[2]]) if found else 0
