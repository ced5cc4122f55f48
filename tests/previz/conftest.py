"""What the tests of the previz share: kernels that are those of the sources as they are."""

from __future__ import annotations

import pytest

from undercard.previz.kernel import forget_stale_kernels


@pytest.fixture(scope="session", autouse=True)
def _fresh_kernels() -> None:
    """Forget kernels that were compiled from other sources; drawing does so itself, a test of one kernel would not."""
    forget_stale_kernels()
