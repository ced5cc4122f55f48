"""The main job, on a real Prefect server with the real renderer and the real ffmpeg."""

from __future__ import annotations

import json
import re
from pathlib import Path

import av
import pytest
from PIL import Image
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterName
from prefect.client.schemas.sorting import TaskRunSort

from flows.produce import produce
from undercard.domain import progress
from undercard.domain.progress import Meter
from undercard.errors import BadInput, NeedsReview, ShotsFailed
from undercard.store import sha256_of

pytestmark = pytest.mark.usefixtures("prefect_server")


def frame_count(path: Path) -> int:
    with av.open(path) as container:
        return sum(1 for _ in container.decode(video=0))


def manifest_of(film: Path) -> dict[str, dict[str, object]]:
    content = json.loads((film.parent / "manifest.json").read_bytes())
    return {record["label"]: record for record in content["keyframes"]}


def cached(film: Path) -> dict[str, bool]:
    return {label: record["takes"][-1]["cached"] for label, record in manifest_of(film).items()}  # type: ignore[index]


def test_a_shot_list_becomes_a_film_of_exactly_its_frames_with_sheet_and_manifest(film: Path) -> None:
    made = produce(shot_list=film)

    assert made.name == "film.mp4"
    assert frame_count(made) == 8 + 12 + 10 - 4
    assert set(manifest_of(made)) == {"guard-01", "jab-01", "jab-02", "victory-01"}
    assert Image.open(made.parent / "contact_sheet.png").width >= 400
    preview = Image.open(made.with_name("preview.webp"))
    assert preview.n_frames == 3  # type: ignore[attr-defined]


def test_a_run_tells_its_meter_how_long_it_will_take(film: Path) -> None:
    meter = Meter()
    with progress.watching(meter):
        produce(shot_list=film)

    # The order in which the pieces end decides how the sum is rounded.
    assert meter.fraction == pytest.approx(1.0)
    assert meter.seconds_left == pytest.approx(0.0, abs=1e-6)
    assert meter.worked > 0.0


def test_a_second_run_renders_nothing_and_gives_the_same_bytes(film: Path, store: Path) -> None:
    first = produce(shot_list=film)
    content = first.read_bytes()
    objects = {path: path.stat().st_mtime_ns for path in (store / "objects").rglob("*.*")}

    second = produce(shot_list=film)

    assert cached(second) == dict.fromkeys(("guard-01", "jab-01", "jab-02", "victory-01"), True)
    assert second.read_bytes() == content
    assert {path: path.stat().st_mtime_ns for path in (store / "objects").rglob("*.*")} == objects


def test_editing_one_shot_renders_that_shot_only(film: Path) -> None:
    produce(shot_list=film)
    film.write_text(film.read_text().replace("{red: jab, blue: hurt}", "{red: cross, blue: hurt}"))

    made = produce(shot_list=film)

    assert cached(made) == {"guard-01": True, "jab-01": True, "jab-02": False, "victory-01": True}


def segments() -> list[str]:
    """The names of all task runs that asked for a segment, in the order in which they began."""
    asked = TaskRunFilter(name=TaskRunFilterName(like_="segment "))
    with get_client(sync_client=True) as client:
        runs = client.read_task_runs(task_run_filter=asked, sort=TaskRunSort.EXPECTED_START_TIME_ASC)
    return [run.name for run in runs]


def test_only_pieces_that_are_not_there_are_task_runs_and_those_are_encoded_from_the_cache_or_anew(
    film: Path, store: Path
) -> None:
    produce(shot_list=film)
    before = len(segments())
    film.write_text(film.read_text().replace("camera: wide", "camera: low"))

    made = produce(shot_list=film)

    assert segments()[before:] == ["segment guard"]
    content = made.read_bytes()
    (made.parent / "pieces.json").unlink()
    assert produce(shot_list=film).read_bytes() == content
    assert len(segments()) == before + 1 + 4


def test_a_picture_that_was_altered_in_the_store_is_rendered_again(film: Path, store: Path) -> None:
    made = produce(shot_list=film)
    before = made.read_bytes()
    record = manifest_of(made)["jab-02"]
    picture = store / record["takes"][0]["take"]["picture"]["path"]  # type: ignore[index]
    picture.write_bytes(b"not a picture any more")

    again = produce(shot_list=film)

    assert sha256_of(picture) == record["takes"][0]["take"]["picture"]["sha256"]  # type: ignore[index]
    assert again.read_bytes() == before


def test_a_failing_shot_is_named_and_does_not_stop_the_others(film: Path, faulty: str) -> None:
    film.write_text(film.read_text().replace("PROMPT-JAB", "fault: crash"))

    with pytest.raises(ShotsFailed, match=r"1 of 3 shots failed: jab .*the card fell off") as failure:
        produce(shot_list=film, backend=faulty)

    excerpt = next((Path(str(film)).parent / "store" / "films").rglob("excerpt.mp4"))
    assert "failed" in str(failure.value)
    assert frame_count(excerpt) == 8 + 10 - 4
    assert not (excerpt.parent / "film.mp4").exists()


def test_when_every_shot_fails_the_cause_is_told(film: Path, faulty: str) -> None:
    film.write_text(re.sub("PROMPT-[A-Z]+", "fault: crash", film.read_text()))

    with pytest.raises(ShotsFailed, match=r"3 of 3 shots failed: guard, jab, victory .*the card fell off"):
        produce(shot_list=film, backend=faulty)


def test_a_rerun_of_what_failed_renders_only_that_and_completes_the_film(film: Path, faulty: str) -> None:
    healthy = film.read_text()
    film.write_text(healthy.replace("PROMPT-JAB", "fault: crash"))
    with pytest.raises(ShotsFailed):
        produce(shot_list=film, backend=faulty)
    film.write_text(healthy)

    made = produce(shot_list=film, backend=faulty, failed=True)

    assert made.name == "film.mp4"
    assert frame_count(made) == 26
    assert cached(made) == {"guard-01": False, "jab-01": False, "jab-02": False, "victory-01": False}
    with pytest.raises(BadInput, match="nothing to render again"):
        produce(shot_list=film, backend=faulty, failed=True)


def test_a_rejected_take_is_tried_again_with_another_seed(film: Path, faulty: str) -> None:
    film.write_text(film.read_text().replace("PROMPT-VICTORY", "fault: blank once"))

    made = produce(shot_list=film, backend=faulty)

    takes = manifest_of(made)["victory-01"]["takes"]
    assert [take["take"]["number"] for take in takes] == [1, 2]  # type: ignore[attr-defined]
    rejected = takes[0]["verdict"]["findings"]  # type: ignore[index]
    assert any(not finding["passed"] and finding["cause"] for finding in rejected)


def test_a_rejection_is_not_repeated_from_the_cache_for_ever(film: Path, faulty: str) -> None:
    film.write_text(film.read_text().replace("PROMPT-GUARD", "fault: blank always"))
    with pytest.raises(NeedsReview, match="guard-01"):
        produce(shot_list=film, backend=faulty, take_limit=2)

    with pytest.raises(NeedsReview, match="guard-01"):
        produce(shot_list=film, backend=faulty, take_limit=2)

    folder = next((film.parent / "store" / "films").iterdir())
    takes = manifest_of(folder / "film.mp4")["guard-01"]["takes"]
    assert [take["take"]["number"] for take in takes] == [1, 2, 3, 4]  # type: ignore[attr-defined]
    assert [take["cached"] for take in takes] == [True, True, False, False]  # type: ignore[attr-defined]
    assert len({take["take"]["key"] for take in takes}) == 4  # type: ignore[attr-defined]


def test_a_selection_renders_only_its_shots_into_an_excerpt(film: Path) -> None:
    made = produce(shot_list=film, shots="jab")

    assert made.name == "excerpt.mp4"
    assert frame_count(made) == 12
    assert set(manifest_of(made)) == {"jab-01", "jab-02"}


def test_a_selection_completes_the_film_when_the_other_shots_are_there(film: Path) -> None:
    produce(shot_list=film, shots="1-2")

    made = produce(shot_list=film, start="victory")

    assert made.name == "film.mp4"
    assert frame_count(made) == 26
