"""Where a run keeps what it makes."""

from __future__ import annotations

from pathlib import Path

from undercard import settings
from undercard.planning.plan import Plan, output_folder


def folder_of(plan: Plan) -> Path:
    """Return where the film and the manifest of *plan* go."""
    return output_folder(settings.load().store_root, plan)


def results_folder() -> Path:
    """Return where Prefect keeps the small results of tasks, beside the files they speak of."""
    return settings.load().store_root / "results"
