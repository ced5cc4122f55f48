"""How `undercard doctor` shows backends: which can be used and with what, why the others cannot, and what helps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Column, Table
from rich.text import Text

from undercard import backends
from undercard.cli.console import place
from undercard.domain.requests import MOST_STEPS
from undercard.domain.unavailable import Unavailable
from undercard.gate.critic.condition import Condition
from undercard.models import lightning
from undercard.models.weights import Weights
from undercard.settings import Settings

NAMES_WIDTH = 17
"""Of the longest backend's name: a narrow terminal must not break it."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A backend on this machine."""

    name: str
    exact: bool
    reason: Unavailable | None
    """Why it cannot be used, and what would change that; None where it can."""
    weights: Weights | None = None
    """What it renders with."""


def usable(found: Sequence[Diagnosis], settings: Settings, advice: str) -> Group:
    """Return backends as a table, what can be used first, and below it what *advice* there is, if any."""
    table = Table(
        Column("", width=1),
        Column("backend", min_width=NAMES_WIDTH, max_width=NAMES_WIDTH),
        Column("exact", justify="center"),
        Column("", ratio=1, overflow="fold"),
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        expand=True,
    )
    for each in found:
        if each.reason is None:
            table.add_row(
                "[green]✓[/]", each.name, "yes" if each.exact else "–", _with(each.name, each.weights, settings)
            )
    # One remedy serves all that share what is wrong.
    alike: dict[str, list[tuple[Diagnosis, Unavailable]]] = {}
    for each in found:
        if each.reason is not None:
            alike.setdefault(each.reason.what, []).append((each, each.reason))
    for group in alike.values():
        names = "\n".join(each.name for each, _ in group)
        exact = "\n".join("yes" if each.exact else "–" for each, _ in group)
        table.add_row("[red]✗[/]", names, exact, _why(group[0][1]))
    parts: list[RenderableType] = [table]
    if advice:
        parts.append(Text.from_markup(f"[bold]Next:[/] {escape(advice)}"))
    return Group(*parts)


def judge(found: Condition) -> Text:
    """Return a line on the gate's judge: which, and whether it can be asked."""
    if not found.name:
        return Text("judge: none; UNDERCARD_JUDGE names one")
    line = Text.assemble("judge: ", (found.name, "bold"))
    if found.reason is None:
        return line.append(" · answers", style="green")
    return line.append(f"\n→ {found.reason}", style="yellow")


def _why(reason: Unavailable) -> Text:
    text = Text(reason.what)
    if reason.remedy:
        text.append(f"\n→ {reason.remedy}", style="cyan")
    return text


def _with(backend: str, weights: Weights | None, settings: Settings) -> str:
    if weights is None:
        return ""
    more = weights.steps < MOST_STEPS and lightning.in_steps(backend, MOST_STEPS, settings) is not None
    repairs = f", {MOST_STEPS} to repair" if more and "steps" in backends.heeded(backend, settings) else ""
    guidance = lightning.guidance(backend, settings)
    guided = f", guided by {guidance:g}" if guidance > 1.0 else ""
    files = [path for path in (weights.transformer or weights.folder, weights.lora) if path is not None]
    return f"{weights.steps} steps{repairs}{guided} · {escape(' + '.join(place(path) for path in files))}"
