"""The table of thresholds, thresholds.toml: what each check lets pass, by backend where they differ."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from importlib import resources
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from undercard.errors import BadInput
from undercard.gate.contract import Fault, Finding, Region


class Threshold(BaseModel):
    """One row of the table; the file's head says what each field means."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fault: Fault
    score: str
    least: float | None = None
    most: float | None = None
    calibrated: str = Field(min_length=1)
    on: dict[str, Threshold] = Field(default_factory=dict)
    check: str = ""
    """Whose row it is; the table's key."""

    @model_validator(mode="after")
    def _has_one_side(self) -> Self:
        if (self.least is None) == (self.most is None):
            raise ValueError("a threshold is either the least or the most that passes: give one of the two")
        return self

    @property
    def limit(self) -> float:
        """The last score that passes."""
        limit = self.most if self.least is None else self.least
        assert limit is not None
        return limit

    def passes(self, score: float) -> bool:
        """Say whether a picture with *score* passes."""
        return score <= self.limit if self.least is None else score >= self.limit

    def finding(self, score: float, cause: str, region: Region | None = None) -> Finding:
        """Return what the check says of a picture with *score*: the rest is only told when that does not pass."""
        if self.passes(score):
            return Finding(check=self.check, score=score, threshold=self.limit, passed=True, cause="")
        return Finding(
            check=self.check,
            score=score,
            threshold=self.limit,
            passed=False,
            cause=cause,
            fault=self.fault,
            region=region,
        )

    def abstention(self, score: float) -> Finding:
        """Return what the check says where it cannot judge; *score* is that of a picture without fault."""
        return Finding(check=self.check, score=score, threshold=self.limit, passed=True, cause="", judged=False)


def threshold(check: str, backend: str = "") -> Threshold:
    """Return the row of the check called *check*, for pictures of *backend*.

    Raises:
        BadInput: the table has no such row.
    """
    rows = table()
    if check not in rows:
        raise BadInput(f"thresholds.toml has no row for the check {check!r}; add one, or use {', '.join(rows)}")
    row = rows[check]
    return row.on.get(backend, row)


@lru_cache(maxsize=1)
def table() -> dict[str, Threshold]:
    """Return every row by the name of its check."""
    text = resources.files("undercard.gate").joinpath("thresholds.toml").read_text("utf-8")
    return parsed(text)


def parsed(text: str) -> dict[str, Threshold]:
    """Return the rows of a table's *text*; what a backend's row leaves out is as in the check's own."""
    rows = {}
    for check, entry in tomllib.loads(text).items():
        own = {key: value for key, value in entry.items() if key != "on"}
        on = {
            backend: {"fault": own["fault"], "score": own["score"], **special, "check": check}
            for backend, special in entry.get("on", {}).items()
        }
        rows[check] = Threshold.model_validate({**own, "check": check, "on": on})
    return rows
