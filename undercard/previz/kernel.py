"""The decorator of every compiled kernel: numba, cached on disk, free of the interpreter lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., object])


def kernel(function: Function) -> Function:
    """Compile *function* at its first call, keep the machine code on disk, and run it without the GIL.

    Bands of rows go to a thread pool of our own: numba's `parallel=True` aborts when two Python threads enter it under
    its default threading layer. No fastmath, so that a frame has the same bytes on every run.
    """
    compiled = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    return cast("Function", compiled)
