"""Pictures that stand: encoded once, and repeated."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest

from tests.film.footage import SIZE, decoded, grey, level, numbered, stamps
from undercard.domain.requests import Size
from undercard.errors import EncodingFailed
from undercard.film.base import ffmpeg
from undercard.film.base.pixels import Pixels
from undercard.film.encoding import h264, mp4
from undercard.film.encoding.segments import encode, join

FPS = Fraction(24)
LEAST = 30
"""Frames that a picture has to stand at `FPS` to be repeated."""


def painted(size: Size, seed: int = 1) -> Pixels:
    """A picture with edges in every macroblock, so that one that is not its own shows."""
    tiles = np.random.default_rng(seed).integers(0, 256, (size[1] // 8 + 1, size[0] // 8 + 1, 3), np.uint8)
    return tiles.repeat(8, axis=0).repeat(8, axis=1)[: size[1], : size[0]]


def planes(path: Path) -> list[bytes]:
    """Decode as a player does that takes no damage; every frame's pixels."""
    with av.open(str(path)) as film:
        film.streams.video[0].codec_context.options = {"err_detect": "explode"}
        return [frame.to_ndarray().tobytes() for frame in film.decode(video=0)]


@pytest.mark.parametrize(
    ("size", "fps"),
    [
        ((64, 48), FPS),
        ((66, 50), Fraction(60000, 1001)),
        ((1280, 720), FPS),
        ((16, 16), FPS),
        ((3840, 2160), Fraction(4)),
    ],
)
def test_every_repeat_decodes_to_the_very_pixels_of_its_picture(tmp_path: Path, size: Size, fps: Fraction) -> None:
    count = round(fps * Fraction(3, 2))

    encode([painted(size)] * count, tmp_path / "a.mp4", size, fps, count)

    shown = planes(tmp_path / "a.mp4")
    assert len(shown) == count
    assert set(shown) == {shown[0]}


def test_repeats_take_no_bytes_and_a_player_can_seek_every_ten_seconds(tmp_path: Path) -> None:
    encode([painted(SIZE)] * 500, tmp_path / "a.mp4", SIZE, FPS, 500)

    track = mp4.read(tmp_path / "a.mp4")
    assert np.flatnonzero(track.keys).tolist() == [0, 240, 480]
    assert track.lengths[~track.keys].max() < 40
    assert len(set(planes(tmp_path / "a.mp4"))) == 1


def test_a_decoder_has_nothing_to_say_about_repeats(tmp_path: Path) -> None:
    encode([painted(SIZE)] * 100, tmp_path / "a.mp4", SIZE, FPS, 100)

    looking = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "warning", "-err_detect", "explode", "-xerror"]
    found = subprocess.run(
        [*looking, "-i", str(tmp_path / "a.mp4"), "-f", "null", "-"], capture_output=True, text=True, check=False
    )

    assert (found.returncode, found.stderr) == (0, "")


@pytest.mark.parametrize(
    "lengths",
    [[1, 30], [30, 1], [3, 31, 2], [29, 29], [30, 30], [5, 49, 1, 1, 33, 1, 241, 7], [240], [241], [1, 1, 1]],
)
def test_frames_come_out_in_their_order_whatever_stands_and_whatever_moves(tmp_path: Path, lengths: list[int]) -> None:
    levels = [20 + 25 * index for index in range(len(lengths))]
    wanted = [each for each, length in zip(levels, lengths, strict=True) for _ in range(length)]

    encode((grey(each) for each in wanted), tmp_path / "a.mp4", SIZE, FPS, len(wanted))

    assert [level(frame) for frame in decoded(tmp_path / "a.mp4")] == pytest.approx(wanted, abs=1)
    assert stamps(tmp_path / "a.mp4") == [1000 * frame for frame in range(len(wanted))]


def test_what_moves_and_what_stands_is_joined_in_any_order(tmp_path: Path) -> None:
    parts: list[list[Pixels]] = [[grey(40)] * 30, list(numbered(0, 20)), [grey(90)] * 33, list(numbered(60, 63))]
    segments = []
    for index, part in enumerate(parts):
        segments.append(tmp_path / f"{index}.mp4")
        encode(part, segments[-1], SIZE, FPS, len(part))

    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [2, 2, 0, 1]):
        join([segments[index] for index in order], tmp_path / "film.mp4")

        wanted = [level(frame) for index in order for frame in parts[index]]
        assert [level(frame) for frame in decoded(tmp_path / "film.mp4")] == pytest.approx(wanted, abs=1)
        assert stamps(tmp_path / "film.mp4") == [1000 * frame for frame in range(len(wanted))]


@pytest.mark.parametrize(
    ("stands", "commands"),
    [([40], [True]), ([29], [False]), ([2, 30, 2], [False, True, False]), ([30, 30], [True] * 2)],
)
def test_the_encoder_is_asked_once_for_what_stands_long_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stands: list[int], commands: list[bool]
) -> None:
    asked: list[bool] = []
    command = ffmpeg.encode_command

    def noted(path: Path, size: Size, fps: Fraction, *, stands: bool) -> list[str]:
        asked.append(stands)
        return command(path, size, fps, stands=stands)

    monkeypatch.setattr(ffmpeg, "encode_command", noted)
    frames = [grey(20 + 30 * index) for index, count in enumerate(stands) for _ in range(count)]

    encode(frames, tmp_path / "a.mp4", SIZE, FPS, len(frames))

    assert asked == commands


def test_a_change_of_one_pixel_is_no_repeat(tmp_path: Path) -> None:
    before = painted((256, 256))
    after = before.copy()
    after[131:140, 90:99] = 255 - after[131:140, 90:99]

    encode([before] * LEAST + [after] * LEAST, tmp_path / "a.mp4", (256, 256), FPS, 2 * LEAST)

    shown = planes(tmp_path / "a.mp4")
    assert len(set(shown[:LEAST])) == len(set(shown[LEAST:])) == 1
    assert shown[LEAST - 1] != shown[LEAST]


def test_a_frame_that_stands_is_kept_once_however_long_it_stands(tmp_path: Path) -> None:
    alive = most = 0

    class Counted(np.ndarray):
        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def counted() -> Iterator[Pixels]:
        nonlocal alive, most
        for _ in range(200):
            frame = np.full((48, 64, 3), 77, np.uint8).view(Counted)
            alive += 1
            most = max(most, alive)
            yield frame

    encode(counted(), tmp_path / "a.mp4", SIZE, FPS, 200)

    assert most <= 4


@pytest.mark.parametrize("parameters", ["cabac=0", "bframes=0", "interlaced=1"])
def test_an_encoder_of_another_kind_is_refused_rather_than_repeated_wrongly(tmp_path: Path, parameters: str) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", "testsrc=s=64x64:d=0.1"]
    command += ["-pix_fmt", "yuv420p", "-c:v", "libx264", "-x264-params", parameters, str(tmp_path / "a.mp4")]
    subprocess.run(command, check=True)

    with pytest.raises(EncodingFailed, match="use libx264"):
        h264.headers(mp4.read(tmp_path / "a.mp4").configuration)


def test_parameter_sets_that_are_cut_short_are_refused(tmp_path: Path) -> None:
    encode([grey(1)], tmp_path / "a.mp4", SIZE, FPS, 1)
    configuration = mp4.read(tmp_path / "a.mp4").configuration
    whole = h264.headers(configuration)

    for kept in range(len(configuration)):
        try:
            found = h264.headers(configuration[:kept])
        except EncodingFailed:
            continue
        # The last bytes say how colour is sampled, once more.
        assert found == whole
        assert kept > len(configuration) - 8


def test_numbers_of_frames_and_their_order_go_round(tmp_path: Path) -> None:
    encode([grey(1)], tmp_path / "a.mp4", SIZE, FPS, 1)
    found = h264.headers(mp4.read(tmp_path / "a.mp4").configuration)

    repeats = [h264.skipped(found, index) for index in range(1, 200)]

    assert all(int.from_bytes(each[:4], "big") == len(each) - 4 for each in repeats)
    assert not any(b"\0\0\1" in each[4:] or b"\0\0\0" in each[4:] for each in repeats)
    assert len(set(repeats[: 1 << found.order_bits - 1])) == 1 << found.order_bits - 1
    assert list(accumulate(map(len, repeats)))[-1] < 200 * 40
