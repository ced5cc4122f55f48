"""The gate's tasks: judge the takes of one shot, and hear the judge about them where there is one."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.context import TaskRunContext
from prefect.logging import get_run_logger

from undercard.domain.keys import content_key
from undercard.domain.requests import Control, Size
from undercard.gate.contract import Verdict
from undercard.gate.critic.hearing import Hearing
from undercard.gate.evidence import Exhibit, evidence_of
from undercard.gate.judging import REVISION, judge_exhibit


def _verdict_key(context: TaskRunContext, parameters: dict[str, Any]) -> str:
    seen = [_seen(exhibit) for exhibit in parameters["exhibits"]]
    return "verdicts-" + content_key([REVISION, parameters["size"], seen])


def _seen(exhibit: Exhibit) -> list[object]:
    """Return all of *exhibit* that a check may look at: its label is for people."""
    compared = (exhibit.picture, exhibit.neighbour, exhibit.before, *exhibit.takes)
    return [
        [picture.sha256 if picture else None for picture in compared],
        [picture.sha256 for picture in exhibit.references],
        [_drawn(control) for control in (exhibit.control, exhibit.before_control)],
        exhibit.staging,
        exhibit.backend,
    ]


def _drawn(control: Control | None) -> list[str] | None:
    return [control.frame.sha256, control.depth.sha256, control.keypoints.sha256] if control else None


@task(
    task_run_name="{shot} · gate",
    cache_key_fn=_verdict_key,
    persist_result=True,
    # A result is read from the store each time, so that a file gone since is noticed.
    cache_result_in_memory=False,
    result_serializer="json",
)
def judge_shot(shot: str, exhibits: list[Exhibit], size: Size) -> list[Verdict]:
    """Say of each take whether it can stand in the film, and why not."""
    verdicts = [judge_exhibit(exhibit, size) for exhibit in exhibits]
    for exhibit, verdict in zip(exhibits, verdicts, strict=True):
        if not verdict.accepted:
            get_run_logger().warning("%s rejected: %s", exhibit.label, "; ".join(verdict.causes))
    return verdicts


# What the judge said is kept by the library, and what he did not say must not be.
@task(task_run_name="{shot} · judge", cache_policy=NO_CACHE, persist_result=False)
def hear_judge(
    shot: str, exhibits: list[Exhibit], size: Size, verdicts: list[Verdict], hearing: Hearing
) -> list[Verdict]:
    """Show the judge what every check lets pass, and add to the verdicts what it says."""
    heard = [
        hearing.heard(verdict, evidence_of(exhibit, size)) for exhibit, verdict in zip(exhibits, verdicts, strict=True)
    ]
    for exhibit, before, verdict in zip(exhibits, verdicts, heard, strict=True):
        if before.accepted and not verdict.accepted:
            get_run_logger().warning("%s rejected: %s", exhibit.label, "; ".join(verdict.causes))
        elif verdict.unheard:
            get_run_logger().warning("%s: the judge was not heard: %s", exhibit.label, verdict.unheard)
    return heard
