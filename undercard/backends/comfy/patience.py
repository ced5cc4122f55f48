"""Wait for a server that stopped responding, such as one that is being restarted, for as long as the settings say."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

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
    retrying = Retrying(
        retry=retry_if_exception_type(ServerGone),
        stop=stop_after_delay(wait_seconds),
        wait=wait_fixed(min(RETURN_SECONDS, wait_seconds)),
        before_sleep=lambda _state: progress.tell("wait"),
        reraise=True,
    )
    try:
        return retrying(ask)
    except ServerGone as gone:
        raise ServerGone(f"{gone}; it was waited for {wait_seconds:.0f} s (UNDERCARD_COMFYUI_WAIT_SECONDS)") from gone
