"""What a run shows in Prefect's UI: contact sheet, table of shots, where the film is, bars."""

from __future__ import annotations

import base64
import time
from pathlib import Path
from uuid import UUID

from PIL.Image import Image
from prefect import task
from prefect.artifacts import (
    create_image_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from tasks.listener import Listener
from undercard.film.sheet.contact_sheet import small_jpeg
from undercard.production.report import ShotRow

SHOWN = frozenset({".mp4", ".mov", ".mkv", ".srt", ".vtt", ".otio", ".edl", ".fcpxml", ".webp"})
"""Files of a film's folder that people open."""


@task(task_run_name="contact sheet")
def publish_contact_sheet(sheet: Image, key: str, title: str, subtitle: str) -> None:
    """Show the contact sheet in Prefect's UI."""
    # The UI keeps the picture in its database, so it gets a small one.
    picture = "data:image/jpeg;base64," + base64.b64encode(small_jpeg(sheet)).decode()
    create_image_artifact(image_url=picture, key=key, description=f"{title}: {subtitle}")


@task(task_run_name="table of shots")
def publish_shot_table(rows: list[ShotRow], key: str, title: str) -> None:
    """Show the shots with status, take, backend and seconds in Prefect's UI."""
    create_table_artifact(
        table=[
            {
                "no.": row.number,
                "shot": row.shot,
                "status": row.status,
                "take": row.take,
                "backend": row.backend,
                "seconds": row.seconds,
                "cause": row.cause,
                "repairs": row.mended,
            }
            for row in rows
        ],
        key=key,
        description=f"{title}: {len(rows)} shots",
    )


@task(task_run_name="where the film is")
def publish_film(path: Path, key: str, title: str) -> None:
    """Show where the film lies in Prefect's UI: as a path, since browsers open no links to files from there."""
    files = (each for each in sorted(path.parent.iterdir()) if each.is_file() and each != path)
    beside = ", ".join(each.name for each in files if each.suffix in SHOWN)
    told = f"```\n{path}\n```\n\n{path.stat().st_size / 1e6:.1f} MB. Beside it: {beside}."
    create_markdown_artifact(markdown=told, key=key, description=title)


class ProgressBar:
    """A bar in Prefect's UI."""

    # Each move of the bar is a request to the server, and nobody watches it closer than this.
    MOVE_SECONDS = 5.0

    def __init__(self, listener: Listener, key: str, description: str, total: int) -> None:
        self.listener = listener
        artifact = listener.tell(create_progress_artifact, progress=0.0, key=key, description=description)
        self.artifact = artifact if isinstance(artifact, UUID) else None
        self.total = total
        self.done = 0
        self.moved = time.monotonic()

    def step(self) -> None:
        """Count one more of the total as done."""
        self.done += 1
        due = self.done == self.total or time.monotonic() - self.moved >= self.MOVE_SECONDS
        if due and self.artifact is not None:
            share = round(100.0 * self.done / self.total, 1)
            self.listener.tell(update_progress_artifact, self.artifact, progress=share)
            self.moved = time.monotonic()
