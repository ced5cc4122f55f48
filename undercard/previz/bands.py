"""Work split into bands of rows over the machine's cores."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from undercard.hardware.cores import cores

Rows: TypeAlias = tuple[int, int]
"""First row and the one after the last."""


@dataclass(frozen=True, slots=True)
class Bands:
    """Runs a pass over a picture, a band of rows at a time."""

    executor: ThreadPoolExecutor

    def run(self, work: Callable[[Rows], object], height: int, rows: int = 48) -> None:
        """Call *work* for every band of *height*; a band's result must not depend on another's."""
        edges = [*range(0, height, rows), height]
        # Drained, so that an error in a band is raised here.
        for _ in self.executor.map(work, itertools.pairwise(edges)):
            pass


@contextmanager
def bands(threads: int | None = None) -> Iterator[Bands]:
    """Yield the pool that one picture is drawn with, a thread a core unless *threads* says otherwise."""
    # One pool a picture: starting two threads costs 0.1 ms, and a pool that outlives a fork is dead.
    with ThreadPoolExecutor(threads or cores(), thread_name_prefix="previz") as executor:
        yield Bands(executor)
