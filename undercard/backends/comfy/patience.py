"""Waiting for a server that answers no more, such as one that is being restarted, for as long as the settings say."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from undercard.backends.comfy.client import ServerGone
from undercard.domain import progress

T = TypeVar("T")

RETURN_SECONDS = 0.5
"""How often a server that is gone is asked again."""


def patiently(ask: Callable[[], T], wait_seconds: float) -> T:
    """Return what *ask* returns once the server answers.

    Raises:
        ServerGone: it does not within *wait_seconds*.
        BackendError: whatever else *ask* raises.
    """
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            return ask()
        except ServerGone as gone:
            if time.monotonic() >= deadline:
                raise ServerGone(
                    f"{gone}; it was waited for {wait_seconds:.0f} s (UNDERCARD_COMFYUI_WAIT_SECONDS)"
                ) from gone
        progress.tell("wait")
        time.sleep(min(RETURN_SECONDS, wait_seconds))
