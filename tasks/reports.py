"""What a run leaves to look at: contact sheet, table of shots, link to the film."""

from __future__ import annotations

import base64
import time
from pathlib import Path
from uuid import UUID

from prefect import task
from prefect.artifacts import (
    create_image_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from undercard.film.sheet.contact_sheet import small_jpeg
from undercard.production.report import ShotRow, draw_sheet

SHOWN = frozenset({".mp4", ".mov", ".mkv", ".srt", ".vtt", ".otio", ".edl", ".fcpxml", ".webp"})
"""Files of a film's folder that people open."""


@task(task_run_name="contact sheet")
def publish_contact_sheet(rows: list[ShotRow], key: str, title: str, subtitle: str, path: Path) -> Path:
    """Draw the contact sheet, save it beside the film and show it in Prefect's UI."""
    sheet = draw_sheet(rows, title, subtitle)
    sheet.save(path, compress_level=1)
    # The UI keeps the picture in its database, so it gets a small one.
    picture = "data:image/jpeg;base64," + base64.b64encode(small_jpeg(sheet)).decode()
    create_image_artifact(image_url=picture, key=key, description=f"{title}: {subtitle}")
    return path


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
    beside = [each.name for each in sorted(path.parent.iterdir()) if each.is_file() and each.suffix in SHOWN]
    told = f"**{title}**\n\n```\n{path}\n```\n\n{path.stat().st_size / 1e6:.1f} MB. Beside it: {', '.join(beside)}."
    create_markdown_artifact(markdown=told, key=key, description=title)


class ProgressBar:
    """A bar in Prefect's UI."""

    # Each move of the bar is a request to the server, and nobody watches it closer than this.
    MOVE_SECONDS = 5.0

    def __init__(self, key: str, description: str, total: int) -> None:
        artifact = create_progress_artifact(progress=0.0, key=key, description=description)
        assert isinstance(artifact, UUID)
        self.artifact = artifact
        self.total = total
        self.done = 0
        self.moved = time.monotonic()

    def step(self) -> None:
        """Count one more of the total as done."""
        self.done += 1
        if self.done == self.total or time.monotonic() - self.moved >= self.MOVE_SECONDS:
            update_progress_artifact(self.artifact, progress=round(100.0 * self.done / self.total, 1))
            self.moved = time.monotonic()
