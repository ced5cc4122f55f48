from __future__ import annotations

import os
import signal
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import psutil
import pytest
from PIL import Image

from tests.film.footage import decoded, grey
from undercard.errors import BadFilm, BadInput, EncodingFailed
from undercard.film.base import ffmpeg
from undercard.film.encoding import delivery
from undercard.film.encoding.delivery_presets import PRESETS, preset
from undercard.film.encoding.segments import encode, join
from undercard.film.sound import loudness
from undercard.film.sound.cue_sheet import CueSheet, Effect

SIZE = (128, 72)
FPS = Fraction(24000, 1001)
COUNT = 24


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A red bar that walks from left to right over grey, with sound."""
    folder = tmp_path_factory.mktemp("film")
    frames = []
    for frame in range(COUNT):
        picture = grey(90, SIZE).copy()
        picture[:, 4 * frame : 4 * frame + 12] = (210, 30, 40)
        frames.append(picture)
    encode(frames, folder / "a.mp4", SIZE, FPS, COUNT)
    loudness.write(CueSheet(FPS, COUNT, (Effect("thud", 5),)), folder / "sound.m4a")
    join([folder / "a.mp4"], folder / "film.mp4", folder / "sound.m4a")
    return folder / "film.mp4"


@pytest.mark.parametrize("name", ["h264", "hevc", "av1", "prores"])
def test_a_preset_keeps_every_frame_the_colours_and_the_sound(film: Path, tmp_path: Path, name: str) -> None:
    wanted = PRESETS[name]
    target = tmp_path / f"film{wanted.suffix}"

    delivery.deliver(film, target, wanted)

    shown = decoded(target)
    assert len(shown) == COUNT
    assert shown[12][36, 52].tolist() == pytest.approx((210, 30, 40), abs=25)
    assert shown[12][36, 110].tolist() == pytest.approx((90, 90, 90), abs=6)
    with av.open(str(target)) as made:
        picture, sound = made.streams.video[0], made.streams.audio[0]
        assert picture.average_rate == FPS
        assert sound.duration is not None
        assert sound.time_base is not None
        assert sound.duration * sound.time_base == COUNT / FPS
    content = target.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


@pytest.mark.parametrize("name", ["gif", "webp"])
def test_a_preview_moves_at_half_the_frames(film: Path, tmp_path: Path, name: str) -> None:
    target = tmp_path / f"film.{name}"

    delivery.deliver(film, target, PRESETS[name])

    with Image.open(target) as picture:
        assert picture.size == SIZE
        assert getattr(picture, "n_frames", 1) == 12
        picture.seek(6)
        red, green, _ = picture.convert("RGB").getpixel((52, 36))  # type: ignore[misc]
    assert red > 150 > 90 > green


@pytest.mark.parametrize(("shape", "size"), [("vertical", (40, 72)), ("square", (72, 72)), ("whole", SIZE)])
def test_a_shape_keeps_the_height_and_follows_its_centres(
    film: Path, tmp_path: Path, shape: str, size: tuple[int, int]
) -> None:
    centres = [(4 * frame + 6) / SIZE[0] for frame in range(COUNT)]

    delivery.deliver(film, tmp_path / "film.mp4", PRESETS["h264"], shape, centres)

    shown = decoded(tmp_path / "film.mp4")
    assert shown[0].shape == (size[1], size[0], 3)
    if shape != "whole":
        # Once the window is off the edge of the picture, the bar stands in its middle.
        for frame in (12, 14, 15):
            redness = shown[frame][36, :, 0].astype(int) - shown[frame][36, :, 1]
            assert np.flatnonzero(redness > 90).mean() == pytest.approx(size[0] / 2 - 0.5, abs=1.0)


def test_an_unknown_preset_or_shape_is_refused(film: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="preset 'mpeg2' does not exist; use one of h264"):
        preset("mpeg2")
    with pytest.raises(BadInput, match="shape 'round' does not exist; use one of whole, vertical, square"):
        delivery.deliver(film, tmp_path / "a.mp4", PRESETS["h264"], "round")


def test_a_film_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(b"none")

    with pytest.raises(BadFilm, match=r"film\.mp4 cannot be decoded"):
        delivery.deliver(tmp_path / "film.mp4", tmp_path / "b.mp4", PRESETS["h264"])


def test_a_disk_that_fills_leaves_the_film_that_was_there(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ffmpeg.deliver_command

    def limited(*arguments: object) -> list[str]:
        return ["sh", "-c", 'trap "" XFSZ; ulimit -f 2; exec "$@"', "sh", *command(*arguments)]  # type: ignore[arg-type]

    monkeypatch.setattr(ffmpeg, "deliver_command", limited)
    (tmp_path / "film.mov").write_bytes(b"good")

    with pytest.raises(EncodingFailed, match=r"cannot encode film\.mov: ffmpeg ended .*File too large"):
        delivery.deliver(film, tmp_path / "film.mov", PRESETS["prores"])

    assert (tmp_path / "film.mov").read_bytes() == b"good"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_an_ffmpeg_that_is_killed_leaves_the_segment_that_was_there(tmp_path: Path) -> None:
    (tmp_path / "jab.mp4").write_bytes(b"good")
    before = {child.pid for child in psutil.Process().children()}

    def kill() -> None:
        while not (born := [c for c in psutil.Process().children() if c.pid not in before]):
            time.sleep(0.01)
        os.kill(born[0].pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(EncodingFailed, match=rf"cannot encode jab\.mp4: ffmpeg ended with status -{signal.SIGKILL}"):
        encode((grey(n % 200, SIZE) for n in range(100_000)), tmp_path / "jab.mp4", SIZE, FPS, 100_000)
    killer.join()

    assert (tmp_path / "jab.mp4").read_bytes() == b"good"
    assert [path.name for path in tmp_path.iterdir()] == ["jab.mp4"]


COLOURED = {
    "red": (210, 30, 40),
    "green": (40, 180, 60),
    "skin": (224, 172, 140),
    "grey": (90, 90, 90),
    "white": (255,) * 3,
}


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of coloured cards, four frames each."""
    folder = tmp_path_factory.mktemp("cards")
    frames = [np.full((72, 128, 3), colour, np.uint8) for colour in COLOURED.values() for _ in range(4)]
    encode(frames, folder / "film.mp4", SIZE, Fraction(24), len(frames))
    return folder / "film.mp4"


def shown_on_bt2020(path: Path) -> list[tuple[float, ...]]:
    """Return what a display of BT.2020 shows of each card, in R'G'B' of BT.709: 0…255, by ITU-R BT.2087's figures."""
    to_709 = np.array(
        [[1.660491, -0.587641, -0.072850], [-0.124550, 1.132900, -0.008349], [-0.018151, -0.100579, 1.118730]]
    )
    found = []
    with av.open(str(path)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index % 4 != 2:
                continue
            assert frame.format.name == "yuv420p10le"
            luma, blue, red = (
                float(np.frombuffer(memoryview(plane), np.uint16).reshape(plane.height, -1)[10:20, 10:20].mean()) / 4
                for plane in frame.planes
            )
            y, cb, cr = (luma - 16) / 219, (blue - 128) / 224, (red - 128) / 224
            r, b = y + 1.4746 * cr, y + 1.8814 * cb
            g = (y - 0.2627 * r - 0.0593 * b) / 0.6780
            light = to_709 @ np.clip([r, g, b], 0, 1) ** 2.4
            found.append(tuple(255 * np.clip(light, 0, 1) ** (1 / 2.4)))
    return found


@pytest.mark.parametrize("name", ["hevc-bt2020", "av1-bt2020"])
def test_bt2020_holds_the_films_colours_on_a_wider_display_and_says_what_it_is(
    cards: Path, tmp_path: Path, name: str
) -> None:
    delivery.deliver(cards, tmp_path / "film.mp4", PRESETS[name])

    shown = shown_on_bt2020(tmp_path / "film.mp4")
    for colour, wanted in zip(shown, COLOURED.values(), strict=True):
        assert colour == pytest.approx(wanted, abs=4)
    with av.open(str(tmp_path / "film.mp4")) as container:
        # Of the container, before a picture is decoded: players read it there.
        tags = container.streams.video[0].codec_context
        assert (tags.color_primaries, tags.color_trc, tags.colorspace, tags.color_range) == (9, 14, 9, 1)
    # Tags alone would have left the numbers as they were: taken for BT.709, these are far duller than the card.
    plain = decoded(tmp_path / "film.mp4")[2][36, 64].astype(int)
    assert plain[0] - plain[1] < 150 < COLOURED["red"][0] - COLOURED["red"][1]


def test_what_is_not_tagged_as_it_was_asked_for_is_refused(
    cards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ffmpeg.TAGS, "bt2020", ffmpeg.BT709)

    with pytest.raises(BadFilm, match=r"colours, limited range\) are .*\(1, 1, 1\).*, not .*\(9, 14, 9\)"):
        delivery.deliver(cards, tmp_path / "film.mp4", PRESETS["hevc-bt2020"])

    assert not (tmp_path / "film.mp4").exists()
