"""The colours that a shot list may name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

COLOURS: Mapping[str, str] = {
    "black": "#141416",
    "charcoal": "#33363b",
    "grey": "#808489",
    "silver": "#c0c4c9",
    "white": "#f2f2ee",
    "ivory": "#efe6cf",
    "red": "#c8141c",
    "crimson": "#9c0f26",
    "maroon": "#5c0f18",
    "orange": "#dd6a16",
    "gold": "#d0a02e",
    "yellow": "#e8cf2c",
    "lime": "#86c52a",
    "green": "#1f8a3b",
    "emerald": "#0d6b4b",
    "teal": "#127c80",
    "turquoise": "#2fb8b4",
    "sky_blue": "#5aa6e0",
    "blue": "#1b45c4",
    "royal_blue": "#2a36a8",
    "navy": "#141d4a",
    "purple": "#5a2a94",
    "magenta": "#b5208a",
    "pink": "#e788a8",
    "blond": "#b9924f",
    "chestnut": "#4a2a18",
    "ginger": "#8e4318",
    # Skin, from light to dark; after the range of the Monk skin tone scale, in this renderer's light.
    "porcelain": "#e9c7ae",
    "fair": "#dcae8c",
    "olive": "#c1926b",
    "tan": "#a8744c",
    "brown": "#7c4f32",
    "umber": "#5b3823",
    "ebony": "#3f271b",
}


@lru_cache(maxsize=256)
def colour_name(colour: str) -> str:
    """Return the word for *colour* (`#rrggbb`) that a prompt uses: the nearest of `COLOURS`, by squared distance."""

    def channels(text: str) -> tuple[int, ...]:
        return tuple(int(text[start : start + 2], 16) for start in (1, 3, 5))

    wanted = channels(colour)
    return min(
        COLOURS,
        key=lambda name: sum((a - b) ** 2 for a, b in zip(wanted, channels(COLOURS[name]), strict=True)),
    ).replace("_", " ")
