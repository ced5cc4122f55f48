"""What is delivered beside a film: with it, after it, and not at all where the film is it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av
import pytest
from typer.testing import CliRunner

from flows.produce import produce
from undercard.cli.app import app
from undercard.errors import BadInput

pytestmark = pytest.mark.usefixtures("prefect_server")


def record(film: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((film.parent / "manifest.json").read_bytes())["films"][film.name]
    return content


def facts(path: Path) -> tuple[str, int, int, int]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        count = sum(1 for _ in container.decode(stream))
        return stream.codec_context.codec.canonical_name, stream.width, stream.height, count


def test_h264_is_the_film_itself_and_costs_nothing(film: Path, store: Path) -> None:
    made = produce(shot_list=film, presets=["h264"])

    assert record(made)["delivered"] == {}
    assert not list(store.rglob("*.mkv"))
    assert {path.suffix for path in made.parent.iterdir()} >= {".mp4", ".otio"}
    # Nor are whole shots there, unless they are asked for.
    assert [path.name for path in made.parent.glob("film-*")] == []


def test_what_a_run_or_a_shot_list_asks_for_lies_beside_the_film_and_is_made_once(film: Path, store: Path) -> None:
    film.write_text(film.read_text().replace("fps: 24", "fps: 24\ndelivery: [hevc, {preset: h264, shape: square}]"))

    made = produce(shot_list=film)

    assert facts(made.with_name("film-hevc.mp4")) == ("hevc", 128, 72, 26)
    assert facts(made.with_name("film-h264-square.mp4")) == ("h264", 72, 72, 26)
    assert set(record(made)["delivered"]) == {"film-hevc.mp4", "film-h264-square.mp4"}
    # A master a piece, found again by its digest.
    assert len(record(made)["masters"]) == len({*store.rglob("*.mkv")}) == 4
    objects = {path: path.stat().st_mtime_ns for path in (store / "objects").rglob("*.*")}
    produce(shot_list=film)
    assert {path: path.stat().st_mtime_ns for path in (store / "objects").rglob("*.*")} == objects

    # What a run names is made in place of what the list says; what lies there of the same film stays on record.
    hevc = made.with_name("film-hevc.mp4")
    hevc.unlink()
    produce(shot_list=film, presets=["gif"])
    assert set(record(made)["delivered"]) == {"film-hevc.mp4", "film-h264-square.mp4", "film-gif.gif"}
    assert not hevc.exists()


def test_a_preset_that_does_not_exist_is_told_before_anything_renders(film: Path, store: Path) -> None:
    with pytest.raises(BadInput, match="preset 'vp9' does not exist"):
        produce(shot_list=film, presets=["vp9"])
    with pytest.raises(BadInput, match="shape 'round' does not exist"):
        produce(shot_list=film, shape="round")

    assert not (store / "objects").exists()


def test_the_command_delivers_afterwards_and_says_from_what(film: Path) -> None:
    def deliver(*options: str) -> str:
        found = CliRunner().invoke(app, ["deliver", str(film), *options])
        assert found.exit_code == 0, found.output
        return found.output

    before = CliRunner().invoke(app, ["deliver", str(film)])
    assert before.exit_code == 2
    assert "render it first" in " ".join(before.output.split())
    made = produce(shot_list=film)

    assert "film.mp4 encoded again" in deliver("--preset", "hevc")
    assert facts(made.with_name("film-hevc.mp4")) == ("hevc", 128, 72, 26)
    assert "film.mp4 as it is" in deliver("--into", str(made.with_name("copy.mp4")))
    assert made.with_name("copy.mp4").read_bytes() == made.read_bytes()
    produce(shot_list=film, presets=["hevc"])
    assert "film.mp4 from its frames without loss" in deliver("--preset", "prores")
    assert facts(made.with_name("film-prores.mov"))[0] == "prores"
