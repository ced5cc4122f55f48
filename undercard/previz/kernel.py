"""The decorators of every compiled kernel: numba, cached on disk, free of the interpreter lock."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Protocol, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., object])

# All that fast maths allows but for what takes infinities and NaN to be absent: a depth is infinite where nothing is.
# The machine code stays the same from run to run, and so do a frame's bytes.
_LOOSE = {"contract", "arcp", "nsz", "afn", "reassoc"}
_STAMP = "kernels.sha256"


class _Stats(Protocol):
    @property
    def cache_path(self) -> str | None: ...


class _Compiled(Protocol):
    @property
    def stats(self) -> _Stats: ...


_KERNELS: list[_Compiled] = []


def kernel(function: Function) -> Function:
    """Compile *function* at its first call, keep the machine code on disk, and run it without the GIL.

    Bands of rows go to a thread pool of our own: numba's `parallel=True` aborts when two Python threads enter it under
    its default threading layer.
    """
    compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=_LOOSE)(function)
    _KERNELS.append(compiled)
    return cast("Function", compiled)


def part(function: Function) -> Function:
    """Compile *function* into the kernels that call it; Python itself cannot."""
    # Wrappers that nobody calls would be compiled, too; numba's stubs leave out that they can be left out.
    compiled = numba.njit(  # type: ignore[call-overload]
        nogil=True, error_model="numpy", fastmath=_LOOSE, no_cfunc_wrapper=True, no_cpython_wrapper=True
    )(function)
    return cast("Function", compiled)


@cache
def forget_stale_kernels() -> None:
    """Delete machine code on disk that was made from other sources than these; once a process, before the first call.

    numba takes a kernel for current as long as its own file is: one that calls into a file that has changed since would
    run as it was.
    """
    sources = Path(__file__).parent
    digest = hashlib.sha256()
    for source in sorted(sources.glob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    for folder in {Path(compiled.stats.cache_path) for compiled in _KERNELS if compiled.stats.cache_path}:
        clear_stale(folder, digest.hexdigest(), [source.stem for source in sources.glob("*.py")])


def clear_stale(folder: Path, digest: str, modules: list[str]) -> None:
    """Delete what numba keeps in *folder* of *modules* unless it was made from sources of this *digest*."""
    stamp = folder / _STAMP
    # Where the folder cannot be written numba kept nothing in it either.
    with contextlib.suppress(OSError):
        if stamp.is_file() and stamp.read_text("ascii") == digest:
            return
        for module in modules:
            for kept in (*folder.glob(f"{module}.*.nbi"), *folder.glob(f"{module}.*.nbc")):
                kept.unlink(missing_ok=True)
        stamp.write_text(digest, "ascii")
