"""Final Cut's XML, written here because its frame times are fractions and the adapter's are not at 24000/1001."""

from __future__ import annotations

from fractions import Fraction
from xml.etree import ElementTree

import opentimelineio as otio

from undercard.requests import Size

VERSION = "1.8"


def text(edit: otio.schema.Timeline, fps: Fraction, size: Size, samples: int) -> str:
    """Return *edit*, whose clips are all of one film, as FCPXML.

    Args:
        edit: from `interchange.timeline_of`.
        fps: frames a second of the film.
        size: of its frames, (width, height).
        samples: samples a second of its sound; 0 for a film without.

    Source: Apple, "FCPXML Reference", `resources` and `spine`; times are fractions of a second with an `s` after them.
    """
    (picture,) = edit.video_tracks()
    clips = list(picture.find_clips())
    film = clips[0].media_reference
    total = _seconds(film.available_range.duration.value, fps)
    root = ElementTree.Element("fcpxml", version=VERSION)
    resources = ElementTree.SubElement(root, "resources")
    width, height = size
    ElementTree.SubElement(
        resources, "format", id="r1", frameDuration=_seconds(1, fps), width=str(width), height=str(height)
    )
    asset = ElementTree.SubElement(
        resources, "asset", id="r2", name=film.target_url, src=f"./{film.target_url}", start="0s", duration=total
    )
    asset.attrib.update({"hasVideo": "1", "format": "r1"})
    if samples:
        asset.attrib.update({"hasAudio": "1", "audioSources": "1", "audioChannels": "2", "audioRate": str(samples)})
    event = ElementTree.SubElement(ElementTree.SubElement(root, "library"), "event", name=edit.name)
    project = ElementTree.SubElement(event, "project", name=edit.name)
    length = _seconds(picture.duration().value, fps)
    sequence = ElementTree.SubElement(project, "sequence", format="r1", duration=length, tcStart="0s", tcFormat="NDF")
    spine = ElementTree.SubElement(sequence, "spine")
    offset = 0.0
    for clip in clips:
        found = clip.source_range
        times = {
            "offset": _seconds(offset, fps),
            "start": _seconds(found.start_time.value, fps),
            "duration": _seconds(found.duration.value, fps),
        }
        ElementTree.SubElement(spine, "asset-clip", {"ref": "r2", "name": clip.name, "format": "r1", **times})
        offset += found.duration.value
    ElementTree.indent(root)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n'
    return head + ElementTree.tostring(root, encoding="unicode") + "\n"


def _seconds(frames: float, fps: Fraction) -> str:
    seconds = round(frames) / fps
    return f"{seconds.numerator}/{seconds.denominator}s" if seconds.denominator > 1 else f"{seconds.numerator}s"
