"""Whether the judge of the settings can be asked now, for `undercard doctor`: no picture is sent."""

from __future__ import annotations

from dataclasses import dataclass

from undercard.errors import BadInput, JudgeUnheard
from undercard.gate.critic.appointment import server
from undercard.gate.critic.client import Client
from undercard.settings import Settings

MOST_NAMES = 6
"""Models of a server that are told."""


@dataclass(frozen=True, slots=True)
class Condition:
    """How it is with the judge."""

    name: str
    """Its model and where that is; empty where no judge is set."""
    reason: str | None = None
    """Why it cannot be asked, and what to do; None where it can, or is not set."""


def condition(settings: Settings) -> Condition:
    """Ask the judge's server for its models, and return how it is with the judge."""
    try:
        who = server(settings)
        if who is None:
            return Condition("")
        with Client(who) as client:
            models = client.models()
    except (BadInput, JudgeUnheard) as exc:
        return Condition(str(settings.judge), str(exc))
    name = f"{who.model or '?'} at {who.url}"
    if who.model in models:
        return Condition(name)
    there = ", ".join(models[:MOST_NAMES]) + (" …" if len(models) > MOST_NAMES else "")
    wrong = f"has no model {who.model!r}" if who.model else "is there, and no model of it is named"
    return Condition(name, f"the server {wrong}; set UNDERCARD_JUDGE_MODEL to one of {there or 'those it will have'}")
