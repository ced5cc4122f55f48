"""The presets of a delivery. To add one, write its row in `PRESETS`."""

from __future__ import annotations

from dataclasses import dataclass, field

from undercard.errors import BadInput


@dataclass(frozen=True, slots=True)
class Preset:
    """A row of the table."""

    about: str
    suffix: str
    codec: str
    """As a decoder calls it."""
    options: dict[str, str | int] = field(default_factory=dict)
    """Of ffmpeg's encoder."""
    filters: tuple[str, ...] = ()
    """After the frames have their size, one `name=value:…` each."""
    sound: str | None = "aac"
    """ffmpeg's encoder of the sound; None where the format has none."""
    longest: int | None = None
    """A preview's longer side, px."""
    tagged: bool = True
    """Its format says which colours it holds."""
    colours: str = "bt709"
    """A key of `CODE_POINTS`."""


CODE_POINTS = {"bt709": (1, 1, 1), "bt2020": (9, 14, 9)}
"""Primaries, transfer and matrix of a colour space (ITU-T H.273, tables 2 to 4); 14 is BT.2020's for ten bits."""
LIMITED_RANGE = 1
"""AVCOL_RANGE_MPEG of FFmpeg's pixfmt.h."""
_HEVC: dict[str, str | int] = {
    "vcodec": "libx265",
    "crf": 20,
    "preset": "medium",
    # Apple's players take no other tag.
    "vtag": "hvc1",
    "x265-params": "log-level=error",
}
_AV1: dict[str, str | int] = {
    "vcodec": "libsvtav1",
    "crf": 28,
    "preset": 7,
    "pix_fmt": "yuv420p10le",
    "svtav1-params": "lp=2",
}
_PREVIEW_FPS = 12
PRESETS: dict[str, Preset] = {
    "h264": Preset("plays everywhere", ".mp4", "h264", {"vcodec": "libx264", "crf": 18, "preset": "medium"}),
    "hevc": Preset(
        "two thirds of the size; Apple's devices and newer browsers",
        ".mp4",
        "hevc",
        _HEVC,
    ),
    "hevc-bt2020": Preset(
        "the same in ten bits and BT.2020, where that is asked for; no more colours than the film has",
        ".mp4",
        "hevc",
        {**_HEVC, "pix_fmt": "yuv420p10le"},
        colours="bt2020",
    ),
    "av1": Preset("half of the size; slow to make", ".mp4", "av1", _AV1),
    "av1-bt2020": Preset("the same in BT.2020, where that is asked for", ".mp4", "av1", _AV1, colours="bt2020"),
    "prores": Preset(
        "ProRes 422 HQ, for an editor",
        ".mov",
        "prores",
        {"vcodec": "prores_ks", "profile:v": 3, "vendor": "apl0", "pix_fmt": "yuv422p10le"},
        sound="pcm_s16le",
    ),
    "gif": Preset(
        "a moving picture for a page or a chat, at half the frames",
        ".gif",
        "gif",
        {"vcodec": "gif", "loop": 0},
        (f"fps={_PREVIEW_FPS}", "split [a][b];[a] palettegen=stats_mode=diff [p];[b][p] paletteuse=dither=bayer"),
        sound=None,
        longest=480,
        tagged=False,
    ),
    "webp": Preset(
        "the same, smaller and in full colour",
        ".webp",
        "webp",
        {"vcodec": "libwebp_anim", "loop": 0, "quality": 70, "compression_level": 4},
        (f"fps={_PREVIEW_FPS}",),
        sound=None,
        longest=480,
        tagged=False,
    ),
}


def preset(name: str) -> Preset:
    """Return the preset called *name*.

    Raises:
        BadInput: there is no such preset.
    """
    if name not in PRESETS:
        raise BadInput(f"preset {name!r} does not exist; use one of {', '.join(PRESETS)}")
    return PRESETS[name]
