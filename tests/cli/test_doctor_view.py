"""What `undercard doctor` prints of backends and of the judge."""

from __future__ import annotations

import io

from rich.console import Console, RenderableType

from tests import here
from undercard.cli import doctor_view
from undercard.cli.doctor_view import Diagnosis
from undercard.domain.unavailable import Cause, Unavailable
from undercard.gate.critic.condition import Condition

NO_CARD = Unavailable("there is no card", "", Cause.NO_CARD)
NO_PACKAGE = Unavailable("diffusers is missing", "pip install 'undercard[gpu]'", Cause.MISSING_PACKAGE)


def printed(view: RenderableType) -> list[list[str]]:
    """Return the words of each line that is not empty, on a terminal of 80 columns."""
    said = io.StringIO()
    Console(file=said, width=80).print(view)
    return [line.split() for line in said.getvalue().splitlines() if line.strip(" ─╶╴━")]


def test_what_can_be_used_comes_first_with_whether_it_is_exact() -> None:
    found = [Diagnosis("bf16", True, NO_CARD), Diagnosis("previz", False, None), Diagnosis("cpu-offload", True, None)]

    lines = printed(doctor_view.usable(found, here.settings(), ""))

    assert lines[1:] == [
        ["✓", "previz", "–"],
        ["✓", "cpu-offload", "yes"],
        ["✗", "bf16", "yes", "there", "is", "no", "card"],
    ]


def test_backends_that_lack_the_same_share_what_would_help() -> None:
    found = [
        Diagnosis("bf16", True, NO_PACKAGE),
        Diagnosis("nunchaku-official", False, NO_CARD),
        Diagnosis("int8", False, NO_PACKAGE),
    ]

    lines = printed(doctor_view.usable(found, here.settings(), ""))

    assert lines[1:] == [
        ["✗", "bf16", "yes", "diffusers", "is", "missing"],
        ["int8", "–", "→", "pip", "install", "'undercard[gpu]'"],
        ["✗", "nunchaku-official", "–", "there", "is", "no", "card"],
    ]


def test_advice_stands_below_the_table_as_it_is() -> None:
    assert printed(doctor_view.usable([], here.settings(), "pip install 'undercard[gpu]'"))[-1] == [
        *("Next:", "pip", "install", "'undercard[gpu]'")
    ]
    assert [line for line in printed(doctor_view.usable([], here.settings(), "")) if "Next:" in line] == []


def test_the_judge_is_told_with_why_it_cannot_be_asked() -> None:
    assert doctor_view.judge(Condition("")).plain == "judge: none; UNDERCARD_JUDGE names one"
    assert doctor_view.judge(Condition("qwen[awq] at home")).plain == "judge: qwen[awq] at home · answers"
    asleep = doctor_view.judge(Condition("qwen at home", "it is away; start it"))
    assert asleep.plain == "judge: qwen at home\n→ it is away; start it"
