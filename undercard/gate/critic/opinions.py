"""What an opinion does to a verdict, and for how long it holds. Pure."""

from __future__ import annotations

from undercard.gate.contract import Finding, Opinion, Verdict

NAME = "judge"
"""What its finding is called, beside those of the checks."""


def with_opinion(verdict: Verdict, opinion: Opinion) -> Verdict:
    """Return *verdict* with *opinion*, which is a finding like any other where the judge was heard."""
    if not opinion.heard:
        return verdict.model_copy(update={"opinion": opinion})
    finding = Finding(
        check=NAME,
        score=0.0 if opinion.accepts else 1.0,
        threshold=0.0,
        passed=opinion.accepts,
        cause="" if opinion.accepts else f"the judge: {opinion.words}",
        region=None if opinion.accepts else opinion.region,
    )
    return verdict.model_copy(update={"opinion": opinion, "findings": (*verdict.findings, finding)})


def holds(verdict: Verdict, judge: str) -> bool:
    """Say whether *verdict* is what *judge* (`Appointment.name`; empty for none) would leave of it.

    What a check has rejected, no judge was asked about; what was accepted without one is to be shown to one that there
    is now, and what another one has rejected is to be judged again.
    """
    opinion = verdict.opinion
    if opinion is None:
        return not judge or not verdict.accepted
    if not opinion.heard:
        return not judge
    return opinion.judge == judge or (not judge and opinion.accepts)
