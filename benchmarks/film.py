"""Times the cutting of a film against the bare ffmpeg command on the same stills, and what one changed shot takes.

    python -m benchmarks.film                    50 and 500 shots: about a quarter of an hour on two quiet cores
    python -m benchmarks.film 50                 only as many: two minutes
    python -m benchmarks.film 20 --into x.json   not over the results that are kept

Prints a table and writes benchmarks/results/film.json. Each shot holds a still of its own for three seconds at 1080p24,
cut hard, with the same encoder settings on both sides, and neither has sound or titles. ffmpeg has every core, scales
each still once and repeats the frame by itself.

Ours is all that a run does from accepted takes to the film, Prefect and the files for editors apart: keys, the look
for pieces that are there, segments, their check by decoding every frame, the store with its hashes, joining, and the
check of the film against its segments. It is quicker because it encodes a still once and repeats it by pictures of some
sixty bytes, where ffmpeg's encoder searches each frame for what moved. That must not be had by a worse picture, so both
films are decoded and held against the stills: `dB` is the PSNR of luma, and `size` says at what price. What moves is
encoded frame by frame by both; nothing here says how long that takes.

Memory is the sum of the resident sizes of the process and all that it starts, sampled every 50 ms: pages that processes
share count for each. Of the bare command it is ffmpeg's own alone.

One changed shot: it has another still, everything else lies in the store. From accepted takes to the film again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypedDict

import av
import imageio_ffmpeg
import numpy as np
import psutil
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table

from undercard import backends, settings
from undercard.domain import progress
from undercard.domain.requests import Control
from undercard.domain.takes import Take
from undercard.hardware.devices import Device
from undercard.planning.plan import Plan, plan_film
from undercard.production.assembly import piece_index, pieces
from undercard.shotlist.load import load_shot_list
from undercard.store import Store

SIZE = (1920, 1080)
SHOT_FRAMES = 72
DRAWN = 4
"""Stills that the previz draws; the others are these, moved to the side."""
LOOKED_AT = 8
"""Shots whose every frame is compared with its still."""
RESULTS = Path(__file__).parent / "results" / "film.json"
HEADER = """\
title: Stills
fps: 24
cast:
  red: {name: Red, corner: red}
  blue: {name: Blue, corner: blue}
shots:
"""
SHOT = (
    "  - {{id: s{shot}, length: {frames}, motion: hold, keyframes: [{{at: 0, poses: {{red: guard, blue: guard}}}}]}}\n"
)


class Measured(TypedDict):
    """What one way of making the film took."""

    seconds: float
    core_seconds: float
    peak_bytes: int
    film_bytes: int
    luma_psnr: float


class Row(TypedDict):
    """A number of shots."""

    shots: int
    ffmpeg: Measured
    ours: Measured
    changed: Measured


def still(folder: Path, shot: int) -> Path:
    """Return the still of *shot*."""
    return folder / f"still-{shot}.png"


def draw_stills(folder: Path, count: int) -> None:
    """Draw the stills with the previz: pictures with the grain and the edges of the real thing, none twice."""
    # Its kernels would count as memory of what is measured.
    from benchmarks.previz import stagings
    from undercard.previz.render import draw

    drawn = [draw(staging, SIZE, 1).image for staging in stagings()[:DRAWN]]
    for shot in range(count):
        moved = np.roll(drawn[shot % DRAWN], 2 * shot, axis=1)
        Image.fromarray(moved).save(still(folder, shot), compress_level=1)


def bare(folder: Path, shots: int) -> None:
    """Make the film with one ffmpeg command."""
    listed = folder / "stills.ffconcat"
    seconds = SHOT_FRAMES / 24
    lines = [f"file '{still(folder, shot)}'\nduration {seconds}\n" for shot in range(shots)]
    # The demuxer ignores the length of the last picture, unless it is named again.
    listed.write_text("ffconcat version 1.0\n" + "".join(lines) + f"file '{still(folder, shots - 1)}'\n")
    colours = "-color_primaries bt709 -color_trc bt709 -colorspace bt709 -color_range tv"
    scale = "scale=out_range=limited:out_color_matrix=bt709:flags=bicubic+accurate_rnd+full_chroma_int"
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-f", "concat", "-safe", "0", "-i", str(listed),
        "-vf", f"{scale},format=yuv420p,fps=24", "-frames:v", str(shots * SHOT_FRAMES),
        "-c:v", "libx264", "-crf", "17", "-preset", "faster", "-g", "48", *colours.split(), "-movflags", "+faststart",
        str(folder / "bare.mp4"),
    ]  # fmt: skip
    subprocess.run(command, check=True)


def planned(folder: Path, shots: int) -> Plan:
    """Return the film as a run plans it."""
    path = folder / "stills.yaml"
    path.write_text(HEADER + "".join(SHOT.format(shot=shot, frames=SHOT_FRAMES) for shot in range(shots)))
    here = Device(cores=os.cpu_count() or 1, host_bytes=0)
    return plan_film(load_shot_list(path), here, settings.load(), backend="previz", size=SIZE)


def taken(folder: Path, shots: int) -> pieces.Takes:
    """Return an accepted take of each shot, whose picture is its still."""

    def take(shot: int) -> tuple[Take, ...]:
        picture = Store(settings.load().store_root).put_bytes(still(folder, shot).read_bytes(), ".png")
        maps = Control(
            key="", frame=picture, depth=picture, normals=picture, skeleton=picture, keypoints=picture, seconds=0
        )
        return (Take(key="", number=1, backend="previz", picture=picture, control=maps, seconds=0),)

    return {f"s{shot}": take(shot) for shot in range(shots)}


def ours(folder: Path, plan: Plan, takes: pieces.Takes) -> None:
    """Make the film as `flows.assemble` does, from accepted takes on."""
    shown = plan.timeline.pieces()
    keys = [pieces.piece_key(plan, piece, takes) for piece in shown]
    found = piece_index.remembered(folder, keys, plan.store)
    missing = {key: piece for key, piece in zip(keys, shown, strict=True) if key not in found}
    rung = backends.fastest("previz", plan.work, plan.device, plan.settings)
    drawing = backends.backend("previz").open(plan.device, rung, plan.settings)
    with drawing as renderer, ThreadPoolExecutor(os.cpu_count()) as pool:
        cut = partial(pieces.cut_piece, plan, takes=takes, renderer=renderer, meter=progress.current())
        made: list[pieces.CutPiece] = list(pool.map(cut, missing.values()))
    found |= dict(zip(missing, made, strict=True))
    piece_index.remember(folder, found, whole=True)
    film = pieces.join_film([found[key] for key in keys], plan.timeline, plan.store, None, pieces.film_tags(plan))
    plan.store.copy_out(film.file, folder / "ours.mp4")


def measured(folder: Path, way: str, shots: int) -> Measured:
    """Make a film in a process of its own and say what it and its children took."""
    command = [sys.executable, "-m", "benchmarks.film", "--child", way, str(folder), str(shots)]
    environment = {**os.environ, "UNDERCARD_STORE": str(folder / "store")}
    print(f"{shots} shots, {way} …", file=sys.stderr, flush=True)
    with psutil.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        peak = [0]
        watcher = threading.Thread(target=_watch, args=(process, peak, way != "bare"))
        watcher.start()
        said, _ = process.communicate()
        watcher.join()
        if process.returncode != 0:
            raise SystemExit(f"{way} of {shots} shots failed")
    found = json.loads(said)
    film = folder / f"{way}.mp4"
    return Measured(
        seconds=round(found["seconds"], 2),
        core_seconds=round(found["core_seconds"], 2),
        peak_bytes=peak[0],
        film_bytes=film.stat().st_size,
        luma_psnr=round(_psnr(film, folder, min(shots, LOOKED_AT)), 2),
    )


def _watch(process: psutil.Process, peak: list[int], own: bool) -> None:
    program = process.exe()
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        total = 0
        try:
            for each in (*([process] if own else []), *process.children(recursive=True)):
                # A child that has not begun its own program lives on its parent's memory.
                if each == process or each.exe() != program:
                    total += each.memory_info().rss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        peak[0] = max(peak[0], total)
        time.sleep(0.05)


def _psnr(film: Path, folder: Path, shots: int) -> float:
    """Return how near the luma of the first *shots* is to that of their stills, in dB, over all of their frames."""
    errors: list[float] = []
    wanted = np.empty(0, np.float32)
    with av.open(film) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index == shots * SHOT_FRAMES:
                break
            if index % SHOT_FRAMES == 0:
                wanted = _luma_of(still(folder, index // SHOT_FRAMES))
            errors.append(float(np.square(_luma(frame) - wanted).mean()))
    return float(10 * np.log10(255**2 / np.mean(errors)))


def _luma_of(path: Path) -> NDArray[np.float32]:
    with Image.open(path) as picture:
        frame = av.VideoFrame.from_ndarray(np.asarray(picture.convert("RGB")), format="rgb24")
    return _luma(frame.reformat(format="yuv420p", dst_colorspace="ITU709", src_color_range=2, dst_color_range=1))


def _luma(frame: av.VideoFrame) -> NDArray[np.float32]:
    plane = frame.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    return rows[:, : plane.width].astype(np.float32)


def compare(folder: Path, shots: int) -> Row:
    """Make a film of *shots* both ways, one after the other, and one of them again with a changed shot."""
    theirs = measured(folder, "bare", shots)
    mine = measured(folder, "ours", shots)
    # A still that no other shot has.
    middle = still(folder, shots // 2)
    middle.write_bytes(still(folder, shots).read_bytes())
    return Row(shots=shots, ffmpeg=theirs, ours=mine, changed=measured(folder, "ours", shots))


def child(way: str, folder: Path, shots: int) -> None:
    """Make a film in this process and print what that took."""
    make: Callable[[], None] = (
        partial(bare, folder, shots)
        if way == "bare"
        else partial(ours, folder, planned(folder, shots), taken(folder, shots))
    )
    started, before = time.perf_counter(), os.times()
    make()
    seconds, after = time.perf_counter() - started, os.times()
    print(json.dumps({"seconds": seconds, "core_seconds": sum(after[:4]) - sum(before[:4])}))


def show(rows: list[Row], console: Console) -> None:
    """Print the table."""
    from benchmarks.previz import machine

    table = Table(title=f"film · 1080p24, stills of 3 s · {machine()['cpu']} · {machine()['cores']} cores")
    for heading in ("shots", "", "seconds", "ratio", "core s", "peak", "dB", "size", "one changed shot"):
        table.add_column(heading, justify="right")
    for row in rows:
        for name, found in (("ffmpeg", row["ffmpeg"]), ("undercard", row["ours"])):
            mine = found is row["ours"]
            table.add_row(
                str(row["shots"]),
                name,
                f"{found['seconds']:.1f}",
                f"{found['seconds'] / row['ffmpeg']['seconds']:.2f}×" if mine else "",
                f"{found['core_seconds']:.1f}",
                f"{found['peak_bytes'] / 1e6:.0f} MB",
                f"{found['luma_psnr']:.1f}",
                f"{found['film_bytes'] / 1e6:.0f} MB",
                f"{row['changed']['seconds']:.1f} s, {row['changed']['peak_bytes'] / 1e6:.0f} MB" if mine else "",
            )
    console.print(table)


def main() -> None:
    """Measure, print the table, write the results."""
    from benchmarks.previz import machine

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shots", type=int, nargs="*", default=[50, 500])
    parser.add_argument("--into", type=Path, default=RESULTS)
    asked = parser.parse_args()
    rows = []
    for shots in asked.shots:
        with tempfile.TemporaryDirectory() as scratch:
            draw_stills(Path(scratch), shots + 1)
            rows.append(compare(Path(scratch), shots))
    show(rows, Console())
    asked.into.parent.mkdir(exist_ok=True)
    asked.into.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
    else:
        main()
