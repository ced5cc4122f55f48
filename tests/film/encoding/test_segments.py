from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import IO

import av
import numpy as np
import pytest

from tests.film.footage import SIZE, decoded, grey, level, numbered, stamps
from undercard.errors import BadInput, EncodingFailed, FilmError
from undercard.film.base import ffmpeg
from undercard.film.base.pixels import Pixels
from undercard.film.encoding import mp4
from undercard.film.encoding.segments import encode, join
from undercard.film.encoding.track import Track

FPS = Fraction(24)
NTSC_FILM = Fraction(24000, 1001)


def written(folder: Path, lengths: list[int], fps: Fraction = FPS) -> list[Path]:
    """Encode segments of *lengths*; their frames are numbered on from one to the next."""
    segments = []
    start = 0
    for index, length in enumerate(lengths):
        segments.append(folder / f"{index}.mp4")
        encode(numbered(start, start + length), segments[-1], SIZE, fps, length)
        start += length
    return segments


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_segment_holds_the_frames_it_was_given_in_their_order(tmp_path: Path) -> None:
    (path,) = written(tmp_path, [30])

    assert [level(frame) - 20 for frame in decoded(path)] == pytest.approx(range(30), abs=1)


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (230, 180, 150), (128, 128, 128)])
def test_colours_come_back_when_decoded_as_the_tags_say(tmp_path: Path, colour: tuple[int, int, int]) -> None:
    frame = np.broadcast_to(np.array(colour, np.uint8), (48, 64, 3))

    encode([frame], tmp_path / "a.mp4", SIZE, FPS, 1)

    assert decoded(tmp_path / "a.mp4")[0][24, 32].tolist() == pytest.approx(colour, abs=3)


def test_luma_is_that_of_bt709_in_limited_range(tmp_path: Path) -> None:
    red = np.broadcast_to(np.array((255, 0, 0), np.uint8), (48, 64, 3))

    encode([red], tmp_path / "a.mp4", SIZE, FPS, 1)

    with av.open(str(tmp_path / "a.mp4")) as film:
        luma = next(film.decode(video=0)).to_ndarray()[24, 32]
    # 16 + 219 · 0.2126 by BT.709; BT.601 would give 81.
    assert int(luma) == pytest.approx(16 + 219 * 0.2126, abs=1)


@pytest.mark.parametrize("fps", [FPS, NTSC_FILM, Fraction(30000, 1001), Fraction(25), Fraction(12), Fraction(240)])
def test_joined_segments_play_on_without_a_gap(tmp_path: Path, fps: Fraction) -> None:
    lengths = [1, 2, 3, 1, 7, 26, 1]

    join(written(tmp_path, lengths, fps), tmp_path / "film.mp4")

    assert [level(frame) - 20 for frame in decoded(tmp_path / "film.mp4")] == pytest.approx(range(41), abs=1)
    with av.open(str(tmp_path / "film.mp4")) as film:
        time_base = film.streams.video[0].time_base
        assert time_base is not None
    assert [pts * time_base for pts in stamps(tmp_path / "film.mp4")] == [n / fps for n in range(41)]


def test_rounding_does_not_add_up_over_many_segments(tmp_path: Path) -> None:
    segment = written(tmp_path, [1], NTSC_FILM)[0]

    join([segment] * 400, tmp_path / "film.mp4")

    assert stamps(tmp_path / "film.mp4") == [1001 * n for n in range(400)]


def test_the_same_frames_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        join(written(tmp_path / name, [5, 9]), tmp_path / f"{name}.mp4")

    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


@pytest.mark.parametrize(
    "name", ["a film.mp4", 'it\'s "mine".mp4', "čas 映画 🥊.mp4", "-y.mp4", "a:b.mp4", "50%03d.mp4"]
)
def test_any_file_name_can_be_encoded_and_joined(tmp_path: Path, name: str) -> None:
    folder = tmp_path / f"folder {name}"
    folder.mkdir()
    encode(numbered(0, 2), folder / name, SIZE, FPS, 2)

    join([folder / name, folder / name], tmp_path / name)

    assert len(decoded(tmp_path / name)) == 4


def test_relative_paths_are_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    encode(numbered(0, 2), Path("a.mp4"), SIZE, FPS, 2)

    join([Path("a.mp4")], Path("film.mp4"))

    assert len(decoded(tmp_path / "film.mp4")) == 2


@pytest.mark.parametrize(("came", "message"), [(3, "3 frames came where 5 belong"), (6, "more than the 5 frames")])
def test_too_few_or_too_many_frames_leave_no_file(tmp_path: Path, came: int, message: str) -> None:
    with pytest.raises(FilmError, match=message):
        encode(numbered(0, came), tmp_path / "a.mp4", SIZE, FPS, 5)

    assert names(tmp_path) == []


def test_a_frame_of_another_size_is_named(tmp_path: Path) -> None:
    with pytest.raises(FilmError, match=r"a\.mp4: frame 1 is uint8 \(10, 10, 3\), not uint8 \(48, 64, 3\)"):
        encode([grey(1), grey(1, (10, 10))], tmp_path / "a.mp4", SIZE, FPS, 2)


def test_an_odd_size_is_refused_before_ffmpeg_starts(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="size 63x48"):
        encode([grey(1, (63, 48))], tmp_path / "a.mp4", (63, 48), FPS, 1)


def test_a_failure_while_drawing_passes_through_and_keeps_the_old_segment(tmp_path: Path) -> None:
    (path,) = written(tmp_path, [2])
    before = path.read_bytes()

    def breaking() -> Iterator[Pixels]:
        yield grey(1)
        raise LookupError("no pose")

    with pytest.raises(LookupError, match="no pose"):
        encode(breaking(), path, SIZE, FPS, 2)

    assert path.read_bytes() == before
    assert names(tmp_path) == ["0.mp4"]


def test_ffmpeg_that_dies_half_way_is_reported_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ffmpeg.encode_command

    def limited(path: Path, size: tuple[int, int], fps: Fraction, *, stands: bool) -> list[str]:
        # It stops after 4 kB have been written, as on a full disk.
        return ["sh", "-c", 'trap "" XFSZ; ulimit -f 4; exec "$@"', "sh", *command(path, size, fps, stands=stands)]

    monkeypatch.setattr(ffmpeg, "encode_command", limited)
    noise = np.random.default_rng(1)
    frames = (noise.integers(0, 256, (48, 64, 3), np.uint8) for _ in range(400))

    with pytest.raises(EncodingFailed, match=r"cannot encode a\.mp4: ffmpeg ended with status .*File too large"):
        encode(frames, tmp_path / "a.mp4", SIZE, FPS, 400)

    assert names(tmp_path) == []


def test_a_disk_that_is_full_when_a_segment_is_put_together_is_reported_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(track: Track, file: IO[bytes]) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(mp4, "write", full)

    with pytest.raises(EncodingFailed, match=r"cannot encode a\.mp4: No space left on device; free space"):
        encode(numbered(0, 2), tmp_path / "a.mp4", SIZE, FPS, 2)

    assert names(tmp_path) == []


def test_a_process_that_is_killed_while_encoding_leaves_nothing_under_the_name(tmp_path: Path) -> None:
    program = (
        "import sys, time, pathlib, fractions, numpy\n"
        "from undercard.film.encoding.segments import encode\n"
        "def frames():\n"
        "    yield numpy.zeros((48, 64, 3), numpy.uint8)\n"
        "    print('encoding', flush=True)\n"
        "    time.sleep(60)\n"
        "encode(frames(), pathlib.Path(sys.argv[1]), (64, 48), fractions.Fraction(24), 2)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "a.mp4")]

    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"encoding\n"
        process.kill()

    assert not (tmp_path / "a.mp4").exists()


def fed(command: list[str], content: bytes) -> None:
    with ffmpeg.running(command, "test") as stdin:
        stdin.write(content)


def test_ffmpeg_that_talks_without_end_does_not_block_the_frames() -> None:
    flood = ["sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x >&2; cat >/dev/null; echo the end >&2; exit 3"]

    with pytest.raises(EncodingFailed, match=r"status 3: x{1000,4000}the end$"):
        fed(flood, bytes(1_000_000))


def test_ffmpeg_that_leaves_before_the_last_frame_has_failed_whatever_its_status() -> None:
    with pytest.raises(EncodingFailed, match="status 0"):
        fed(["true"], bytes(10_000_000))


def test_joining_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FilmError, match=r"film\.mp4: no segments to join"):
        join([], tmp_path / "film.mp4")


def test_a_segment_that_is_gone_is_named_and_the_old_film_stays(tmp_path: Path) -> None:
    segments = written(tmp_path, [2, 2])
    film = tmp_path / "film.mp4"
    film.write_bytes(b"the old film")
    segments[1].unlink()

    with pytest.raises(EncodingFailed, match=r"1\.mp4"):
        join(segments, film)

    assert film.read_bytes() == b"the old film"
    assert names(tmp_path) == ["0.mp4", "film.mp4"]


def test_a_damaged_segment_in_the_middle_is_named(tmp_path: Path) -> None:
    segments = written(tmp_path, [2, 2, 2])
    segments[1].write_bytes(segments[1].read_bytes()[:600])

    with pytest.raises(EncodingFailed, match=r"1\.mp4 cannot be read"):
        join(segments, tmp_path / "film.mp4")


@pytest.mark.parametrize(("size", "fps"), [((32, 32), FPS), (SIZE, NTSC_FILM)])
def test_segments_that_do_not_belong_together_are_refused(tmp_path: Path, size: tuple[int, int], fps: Fraction) -> None:
    (first,) = written(tmp_path, [2])
    encode(numbered(0, 2, size), tmp_path / "other.mp4", size, fps, 2)

    with pytest.raises(FilmError, match=r"other\.mp4 has .* and 0\.mp4 has .*; encode both"):
        join([first, tmp_path / "other.mp4"], tmp_path / "film.mp4")


def test_a_segment_that_is_damaged_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"not a film")

    with pytest.raises(EncodingFailed, match=r"a\.mp4 cannot be read"):
        join([tmp_path / "a.mp4"], tmp_path / "film.mp4")


def test_frames_are_taken_one_at_a_time(tmp_path: Path) -> None:
    alive = 0
    most = 0

    class Counted(np.ndarray):
        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def counted() -> Iterator[Pixels]:
        nonlocal alive, most
        for _ in range(50):
            frame = np.zeros((48, 64, 3), np.uint8).view(Counted)
            alive += 1
            most = max(most, alive)
            yield frame

    encode(counted(), tmp_path / "a.mp4", SIZE, FPS, 50)

    assert most <= 3
