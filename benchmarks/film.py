"""Times the cutting of a film against the bare ffmpeg command on the same stills, and what one changed shot takes.

    python -m benchmarks.film            50 and 500 shots
    python -m benchmarks.film 50         only as many

Prints a table and writes benchmarks/results/film.json. Both sides hold each still for three seconds at 1080p24, cut
hard, with the same encoder settings, and neither has sound. ffmpeg scales each still once and has every core. Ours
looks at each encoded piece by decoding it, too, which is in its time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TypedDict

import imageio_ffmpeg
import psutil
from PIL import Image
from rich.console import Console
from rich.table import Table

from undercard.film import qc
from undercard.film.footage import Still
from undercard.film.motion import frames
from undercard.film.pixels import Pixels
from undercard.film.segments import encode, join, piece_frames
from undercard.film.timeline import Clip, Piece, Span, Timeline
from undercard.film.watch import Expected, Watch

SIZE = (1920, 1080)
FPS = Fraction(24)
SHOT_FRAMES = 72
STILLS = 4
RESULTS = Path(__file__).parent / "results" / "film.json"


class Measured(TypedDict):
    """What one way of making the film took."""

    seconds: float
    core_seconds: float
    peak_bytes: int
    film_bytes: int


class Row(TypedDict):
    """A number of shots."""

    shots: int
    ffmpeg: Measured
    ours: Measured
    changed_seconds: float
    """One changed shot: its segment, and the whole film joined and checked."""


def still(folder: Path, shot: int) -> Path:
    """Return the still of *shot*: there are `STILLS`, by turns."""
    return folder / f"still-{shot % STILLS}.png"


def draw_stills(folder: Path) -> None:
    """Draw the stills with the previz: pictures with the grain and the edges of the real thing."""
    # Its kernels would count as memory of what is measured.
    from benchmarks.previz import stagings
    from undercard.previz.render import draw

    for index, staging in enumerate(stagings()[:STILLS]):
        Image.fromarray(draw(staging, SIZE, 1).image).save(still(folder, index))


def bare(folder: Path, shots: int) -> None:
    """Make the film with one ffmpeg command."""
    listed = folder / "stills.ffconcat"
    seconds = float(SHOT_FRAMES / FPS)
    lines = [f"file '{still(folder, shot)}'\nduration {seconds}\n" for shot in range(shots)]
    # The demuxer ignores the length of the last picture, unless it is named again.
    listed.write_text("ffconcat version 1.0\n" + "".join(lines) + f"file '{still(folder, shots - 1)}'\n")
    colours = "-color_primaries bt709 -color_trc bt709 -colorspace bt709 -color_range tv"
    scale = "scale=out_range=limited:out_color_matrix=bt709:flags=bicubic+accurate_rnd+full_chroma_int"
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-f", "concat", "-safe", "0", "-i", str(listed),
        "-vf", f"{scale},format=yuv420p,fps={FPS}", "-frames:v", str(shots * SHOT_FRAMES),
        "-c:v", "libx264", "-crf", "17", "-preset", "faster", "-g", "48", *colours.split(), "-movflags", "+faststart",
        str(folder / "bare.mp4"),
    ]  # fmt: skip
    subprocess.run(command, check=True)


def shoot(folder: Path, span: Span) -> Iterator[Pixels]:
    """Hold the still of the span's shot."""
    path = still(folder, int(span.clip.shot))
    return frames("hold", [Still(0, path)], SIZE, span.clip.frames, None, span.start, span.stop)


def cut(folder: Path, number: int, piece: Piece) -> Path:
    """Encode a piece and look at it, as `undercard.cutting` does."""
    path = folder / f"{number}.mp4"
    watch = Watch(SIZE)
    encode(watch.over(piece_frames(piece, partial(shoot, folder))), path, SIZE, FPS, piece.frame_count)
    qc.check_piece(path, FPS, SIZE, watch.looks, Expected(), str)
    return path


def timeline(shots: int) -> Timeline:
    """Return the film."""
    return Timeline(FPS, SIZE, tuple(Clip(str(shot), SHOT_FRAMES, "hold") for shot in range(shots)))


def ours(folder: Path, shots: int) -> None:
    """Make the film piece by piece, join the pieces and check them."""
    film = timeline(shots)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        segments = list(pool.map(partial(cut, folder), range(shots), film.pieces()))
    finish(folder, film, segments)


def finish(folder: Path, film: Timeline, segments: Sequence[Path]) -> None:
    """Join and check."""
    join(segments, folder / "ours.mp4")
    qc.check_joined(folder / "ours.mp4", film, segments)


def changed(folder: Path, shots: int) -> None:
    """Cut the middle shot again and finish the film; the other pieces lie there."""
    film = timeline(shots)
    middle = shots // 2
    cut(folder, middle, film.pieces()[middle])
    finish(folder, film, [folder / f"{number}.mp4" for number in range(shots)])


WAYS: dict[str, Callable[[Path, int], None]] = {"bare": bare, "ours": ours, "changed": changed}


def measured(folder: Path, way: str, shots: int) -> Measured:
    """Make a film in a process of its own and say what it and its children took."""
    command = [sys.executable, "-m", "benchmarks.film", way, str(folder), str(shots)]
    started = time.perf_counter()
    with psutil.Popen(command, stdout=subprocess.PIPE) as process:
        peak = [0]
        watcher = threading.Thread(target=_watch, args=(process, peak))
        watcher.start()
        said, _ = process.communicate()
        watcher.join()
        if process.returncode != 0:
            raise SystemExit(f"{way} of {shots} shots failed")
    whole = time.perf_counter() - started
    found = json.loads(said)
    name = "bare.mp4" if way == "bare" else "ours.mp4"
    return Measured(
        # Starting Python is no part of what is compared: a run has started it already.
        seconds=round(min(found["seconds"], whole), 2),
        core_seconds=round(found["core_seconds"], 2),
        peak_bytes=peak[0],
        film_bytes=(folder / name).stat().st_size,
    )


def _watch(process: psutil.Process, peak: list[int]) -> None:
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        total = 0
        try:
            for each in (process, *process.children(recursive=True)):
                total += each.memory_info().rss
        except psutil.NoSuchProcess:
            continue
        peak[0] = max(peak[0], total)
        time.sleep(0.05)


def compare(folder: Path, shots: int) -> Row:
    """Make a film of *shots* both ways, one after the other, and one of them again with a changed shot."""
    theirs = measured(folder, "bare", shots)
    mine = measured(folder, "ours", shots)
    again = measured(folder, "changed", shots)
    return Row(shots=shots, ffmpeg=theirs, ours=mine, changed_seconds=again["seconds"])


def child(way: str, folder: Path, shots: int) -> None:
    """Make a film in this process and print what that took."""
    started = time.perf_counter()
    WAYS[way](folder, shots)
    seconds = time.perf_counter() - started
    times = os.times()
    used = times.user + times.system + times.children_user + times.children_system
    print(json.dumps({"seconds": seconds, "core_seconds": used}))


def main(counts: Sequence[int]) -> None:
    """Measure, print the table, write the results."""
    from benchmarks.previz import machine

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        draw_stills(folder)
        rows = [compare(folder, shots) for shots in counts]
    table = Table(title=f"film · 1080p24, shots of 3 s · {machine()['cpu']} · {machine()['cores']} cores")
    for heading in ("shots", "ffmpeg", "undercard", "ratio", "cores", "peak: ffmpeg", "undercard", "one changed shot"):
        table.add_column(heading, justify="right")
    for row in rows:
        theirs, mine = row["ffmpeg"], row["ours"]
        table.add_row(
            str(row["shots"]),
            f"{theirs['seconds']:.1f} s",
            f"{mine['seconds']:.1f} s",
            f"{mine['seconds'] / theirs['seconds']:.2f}×",
            f"{theirs['core_seconds']:.0f} / {mine['core_seconds']:.0f} s",
            f"{theirs['peak_bytes'] / 1e6:.0f} MB",
            f"{mine['peak_bytes'] / 1e6:.0f} MB",
            f"{row['changed_seconds']:.1f} s",
        )
    Console().print(table)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    if len(sys.argv) == 4:
        child(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main([int(count) for count in sys.argv[1:]] or [50, 500])
