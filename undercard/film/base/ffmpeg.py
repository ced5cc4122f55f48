"""The only file that knows ffmpeg: its command lines, and its process while it runs."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import ffmpeg
import imageio_ffmpeg

from undercard.domain.requests import Size
from undercard.errors import EncodingFailed

BT709 = {"color_primaries": "bt709", "color_trc": "bt709", "colorspace": "bt709"}
BT2020 = {"color_primaries": "bt2020", "color_trc": "bt2020-10", "colorspace": "bt2020nc"}
TAGS = {"bt709": BT709, "bt2020": BT2020}
"""What is written into a file of each colour space, in ffmpeg's words."""
CONVERSIONS = {
    "bt709": "scale=in_range=full:out_range=limited:out_color_matrix=bt709:flags=bicubic+accurate_rnd+full_chroma_int",
    # Through light as a display of BT.1886 gives it, so that a wider display shows the colours that were meant
    # (ITU-R BT.2087-0, 2). In floating point: 8 bits would leave steps in the tenth.
    "bt2020": "format=gbrpf32le,zscale=matrixin=gbr:rangein=full:primariesin=709:transferin=709:matrix=2020_ncl"
    ":range=limited:primaries=2020:transfer=2020_10:agamma=false:npl=100",
}
"""How frames of R'G'B' of BT.709 become each."""
LOOKS_SAME = {"crf": 17, "preset": "faster"}
"""17 is the rate factor that x264's guide calls visually lossless."""
STANDS_CRF = 5.5
"""What x264 comes to at 17 for a picture that others repeat: the longer it is seen, the finer it is coded. By equal
PSNR of luma on stills of the previz (benchmarks/film.py), in about as many bytes."""
SOUND_RATE = 48_000
SOUND_BITRATE = 192_000
"""Where AAC in stereo is taken for transparent."""
GROUP_SECONDS = 2
"""Longest way between two places that a player can seek to, through frames that move."""
KEPT_BYTES = 4000
"""How much of what ffmpeg said last goes into an error."""


def encode_command(path: Path, size: Size, fps: Fraction, *, stands: bool = False) -> list[str]:
    """Return the command that reads raw RGB frames from its standard input and writes H.264 in MP4 to *path*.

    One thread and `bitexact`: the same frames give the same bytes. The groups of pictures are closed, and the parameter
    sets the same whatever is encoded, so that segments may follow each other in any order.

    Args:
        path: where it goes.
        size: of the frames, (width, height).
        fps: frames a second.
        stands: it is a single frame, which others will repeat.
    """
    source = ffmpeg.input("pipe:0", format="rawvideo", pix_fmt="rgb24", video_size=size, framerate=str(fps))
    # Left to itself swscale converts RGB by bt601, whatever the tags say.
    stream = source.filter(
        "scale",
        in_range="full",
        out_range="limited",
        out_color_matrix="bt709",
        flags="bicubic+accurate_rnd+full_chroma_int+bitexact",
    )
    stream = stream.filter("format", "yuv420p").filter("setparams", range="limited", **BT709).filter("setsar", 1)
    group = max(1, round(GROUP_SECONDS * fps))
    output = ffmpeg.output(
        stream,
        f"file:{path}",
        format="mp4",
        vcodec="libx264",
        pix_fmt="yuv420p",
        color_range="tv",
        threads=1,
        flags="+bitexact+cgop",
        fflags="+bitexact",
        video_track_timescale=ticks_per_second(fps),
        **{
            "x264-params": f"keyint={group}:open-gop=0:bframes=3:b-pyramid=normal:stitchable=1",
            "enc_time_base": f"{fps.denominator}/{fps.numerator}",
        },
        **{**LOOKS_SAME, **({"crf": STANDS_CRF} if stands else {})},
        **BT709,
    )
    return _command(output)


def lossless_command(path: Path, size: Size, fps: Fraction) -> list[str]:
    """Return the command that reads raw RGB frames from its standard input and keeps every bit of them in *path*.

    FFV1 in R'G'B', every frame on its own: half of what x264 takes for the same, and checked by a sum (RFC 9043).
    """
    source = ffmpeg.input("pipe:0", format="rawvideo", pix_fmt="rgb24", video_size=size, framerate=str(fps))
    output = ffmpeg.output(
        source,
        f"file:{path}",
        format="matroska",
        vcodec="ffv1",
        level=3,
        g=1,
        slices=4,
        slicecrc=1,
        pix_fmt="bgr0",
        threads=1,
        flags="+bitexact",
        fflags="+bitexact",
    )
    return _command(output)


def join_command(path: Path, sound: Path | None = None, clock: int = 0) -> list[str]:
    """Return the command that reads pictures as MP4 from its standard input and writes them to *path* as they are.

    Args:
        path: where the film goes.
        sound: written by `level_command`; None for a film without.
        clock: ticks a second of the film's own clock, on which its streams' lengths are whole; 0 for ffmpeg's.
    """
    source = ffmpeg.input("pipe:0", format="mp4")
    heard = (ffmpeg.input(f"file:{sound}").audio,) if sound else ()
    output = ffmpeg.output(
        source.video,
        *heard,
        f"file:{path}",
        format="mp4",
        vcodec="copy",
        **({"acodec": "copy"} if sound else {}),
        **({"movie_timescale": clock} if clock else {}),
        fflags="+bitexact",
        movflags="+faststart",
    )
    return _command(output)


def with_tags(command: list[str], tags: Path) -> list[str]:
    """Return *command*, from `join_command`, with the metadata and the chapters in the file *tags*."""
    # ffmpeg-python leaves out an input that no stream comes from.
    inputs = command.count("-i")
    after = len(command) - command[::-1].index("-i") + 1
    chosen = ["-map_metadata", str(inputs), "-map_chapters", str(inputs)]
    return [*command[:after], "-f", "ffmetadata", "-i", f"file:{tags}", *chosen, *command[after:]]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a finished film is delivered."""

    options: Mapping[str, str | int]
    filters: tuple[str, ...]
    sound: str | None
    tagged: bool
    colours: str = "bt709"
    """A key of `TAGS`."""


def deliver_command(film: Path, path: Path, recipe: Recipe, size: Size, fps: Fraction) -> list[str]:
    """Return the command that reads raw RGB frames from its standard input and delivers them with *film*'s sound.

    Args:
        film: whose sound, chapters and title go along.
        path: where it goes; its ending says in what format.
        recipe: of `delivery.PRESETS`.
        size: of the frames, (width, height).
        fps: frames a second.
    """
    pixels = recipe.options.get("pix_fmt", "yuv420p")
    tags = f"{CONVERSIONS[recipe.colours]},format={pixels},setparams=range=limited:" + ":".join(
        f"{name}={value}" for name, value in TAGS[recipe.colours].items()
    )
    graph = ",".join([*((tags,) if recipe.tagged else ()), *recipe.filters, "setsar=1"])
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostats", "-loglevel", "error", "-xerror", "-y"]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-video_size", f"{size[0]}x{size[1]}", "-framerate", str(fps)]
    command += ["-i", "pipe:0", "-i", f"file:{film}", "-filter_complex", f"[0:v]{graph}[v]", "-map", "[v]"]
    for name, value in recipe.options.items():
        command += [f"-{name}", str(value)]
    if recipe.tagged:
        for name, value in {**TAGS[recipe.colours], "color_range": "tv"}.items():
            command += [f"-{name}", value]
        command += ["-movflags", "+faststart", "-video_track_timescale", str(ticks_per_second(fps))]
    if recipe.sound:
        command += ["-map", "1:a", "-c:a", "copy" if recipe.sound == "aac" else recipe.sound]
    return [*command, "-map_metadata", "1", "-map_chapters", "1", f"file:{path}"]


def measure_command(stats: Path, sound: Path | None = None) -> list[str]:
    """Return the command that measures a sound's loudness by EBU R128 and writes what it found to *stats*, as JSON.

    Args:
        stats: where the JSON goes; `input_i` is the loudness in LUFS, `input_tp` the true peak in dBTP.
        sound: the file to measure; None for samples on the standard input, as of `level_command`.
    """
    source = ffmpeg.input(f"file:{sound}").audio if sound else _samples()
    heard = source.filter("loudnorm", print_format="json", stats_file=str(stats))
    return _command(ffmpeg.output(heard, "-", format="null"))


def level_command(path: Path, gain_db: float, ceiling_db: float, samples: int) -> list[str]:
    """Return the command that reads samples from its standard input and writes AAC in MP4 to *path*.

    Args:
        path: where the sound goes.
        gain_db: what all of it is amplified by.
        ceiling_db: true peaks above it are held down, those alone, as a limiter does that looks ahead.
        samples: how many the file holds.
    """
    # A peak between two samples shows itself at four times their rate (ITU-R BS.1770-5, annex 2).
    heard = _samples().filter("volume", f"{gain_db:.4f}dB").filter("aresample", 4 * SOUND_RATE)
    limit = 10 ** (ceiling_db / 20)
    heard = heard.filter("alimiter", limit=f"{limit:.6f}", attack=3, release=80, level=0, latency=1)
    heard = heard.filter("aresample", SOUND_RATE).filter("apad", whole_len=samples).filter("atrim", end_sample=samples)
    output = ffmpeg.output(
        heard,
        f"file:{path}",
        format="mp4",
        acodec="aac",
        audio_bitrate=SOUND_BITRATE,
        flags="+bitexact",
        fflags="+bitexact",
        movie_timescale=SOUND_RATE,
    )
    return _command(output)


def _samples() -> Any:
    return ffmpeg.input("pipe:0", format="f32le", ar=SOUND_RATE, ac=2)


def ticks_per_second(fps: Fraction) -> int:
    """Return a clock on which every frame of *fps* begins on a whole tick."""
    # 24 fps gets the clock of 24000/1001 and its like, on which a frame is 1000 or 1001 ticks.
    return fps.numerator if fps.numerator >= 10_000 else fps.numerator * 1000


@contextlib.contextmanager
def running(command: list[str], doing: str) -> Iterator[IO[bytes]]:
    """Run ffmpeg and yield its standard input; leaving the context closes that and waits for ffmpeg to end.

    Args:
        command: from `encode_command` or `join_command`.
        doing: what it is for, as an error names it.

    Raises:
        EncodingFailed: ffmpeg ended with an error, with what it said last.
    """
    # A file, not a pipe: however much ffmpeg says, nobody has to read it for the frames to go on.
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said) as process,
    ):
        assert process.stdin is not None
        whole = False
        try:
            # It may end before it has every frame; its exit status and last words say why.
            with contextlib.suppress(BrokenPipeError), process.stdin:
                yield process.stdin
                process.stdin.flush()
                whole = True
        except BaseException:
            process.kill()
            raise
        if process.wait() != 0 or not whole:
            raise EncodingFailed(f"{doing}: ffmpeg ended with status {process.returncode}: {_last_words(said)}")


def _last_words(said: IO[bytes]) -> str:
    length = said.seek(0, 2)
    said.seek(max(0, length - KEPT_BYTES))
    return said.read().decode(errors="replace").strip() or "it said nothing"


def _command(output: object) -> list[str]:
    quiet = ffmpeg.overwrite_output(output).global_args("-hide_banner", "-nostats", "-loglevel", "error", "-xerror")
    return [str(word) for word in ffmpeg.compile(quiet, cmd=imageio_ffmpeg.get_ffmpeg_exe())]
