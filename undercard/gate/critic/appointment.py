"""Who the judge is: the server, the model and the key of the settings, and whether it may be asked at all."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from undercard.errors import BadInput
from undercard.gate.critic.question import REVISION
from undercard.settings import Settings


@dataclass(frozen=True, slots=True)
class Appointment:
    """A judge who may be asked."""

    url: str
    """Of the API, without a slash at its end: `http://127.0.0.1:8000/v1`."""
    model: str
    key: str = field(default="", repr=False)
    """Empty where the server asks for none."""
    answer_seconds: float = 60.0
    wait_seconds: float = 60.0

    @property
    def name(self) -> str:
        """Who said something, asked in which words: another name has another opinion."""
        return f"{self.model} · prompt {REVISION}"


def appointed(settings: Settings) -> Appointment | None:
    """Return the judge of the settings, or None where there is none.

    Raises:
        BadInput: the settings name one who may not be asked, or leave out who.
    """
    who = server(settings)
    if who is not None and not who.model:
        raise BadInput(
            "UNDERCARD_JUDGE_MODEL is not set; name a model that the server has: `undercard doctor` lists them"
        )
    return who


def standing_judge(settings: Settings) -> str:
    """Return the name of the judge of the settings; empty where there is none.

    Raises:
        BadInput: the settings name one who may not be asked.
    """
    who = appointed(settings)
    return who.name if who is not None else ""


def server(settings: Settings) -> Appointment | None:
    """Return the judge of the settings like `appointed`, whose model may not be named yet.

    Raises:
        BadInput: its server may not be asked.
    """
    if settings.judge is None:
        return None
    url, key = str(settings.judge).rstrip("/"), settings.judge_key.get_secret_value() if settings.judge_key else ""
    here = is_here(url)
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise BadInput("UNDERCARD_JUDGE has a name or password in it; leave them out and set UNDERCARD_JUDGE_KEY")
    if not here and not settings.judge_remote:
        raise BadInput(
            f"UNDERCARD_JUDGE is {url}, which is not on this machine, and pictures would leave it; set"
            " UNDERCARD_JUDGE_REMOTE=true to let them, or name a server on 127.0.0.1"
        )
    if key and not here and parts.scheme != "https":
        raise BadInput(f"UNDERCARD_JUDGE is {url}, and the key would be sent in the clear; use https, or set no key")
    return Appointment(url, settings.judge_model, key, settings.judge_seconds, settings.judge_wait_seconds)


def is_here(url: str) -> bool:
    """Say whether the server of *url* is on this machine, by its address alone: no name is looked up."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
