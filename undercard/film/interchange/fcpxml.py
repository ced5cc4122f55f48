"""Final Cut's XML, written here because its frame times are fractions and the adapter's are not at 24000/1001."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from xml.etree import ElementTree

import opentimelineio as otio

from undercard.domain.requests import Size

VERSION = "1.8"


def text(edit: otio.schema.Timeline, fps: Fraction, size: Size, samples: int) -> str:
    """Return *edit*, whose pictures are all of one size and rate, as FCPXML.

    Args:
        edit: from `interchange.timeline_of` or `handles.timeline_of`.
        fps: frames a second of the film.
        size: of its frames, (width, height).
        samples: samples a second of its media's sound; 0 for media without.

    Source: Apple, "FCPXML Reference", `resources`, `spine` and `transition`; times are fractions of a second with an
    `s` after them, and a transition lies over the cut between two clips.
    """
    (picture,) = edit.video_tracks()
    root = ElementTree.Element("fcpxml", version=VERSION)
    resources = ElementTree.SubElement(root, "resources")
    width, height = size
    ElementTree.SubElement(
        resources, "format", id="r1", frameDuration=_seconds(1, fps), width=str(width), height=str(height)
    )
    assets = _assets(resources, picture, fps, samples)
    event = ElementTree.SubElement(ElementTree.SubElement(root, "library"), "event", name=edit.name)
    project = ElementTree.SubElement(event, "project", name=edit.name)
    length = _seconds(picture.duration().value, fps)
    sequence = ElementTree.SubElement(project, "sequence", format="r1", duration=length, tcStart="0s", tcFormat="NDF")
    _fill(ElementTree.SubElement(sequence, "spine"), picture, fps, assets)
    ElementTree.indent(root)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n'
    return head + ElementTree.tostring(root, encoding="unicode") + "\n"


def _assets(resources: ElementTree.Element, picture: otio.schema.Track, fps: Fraction, samples: int) -> dict[str, str]:
    """Add the media of *picture* to *resources*, and return the id of each by its path."""
    found: dict[str, str] = {}
    for clip in picture.find_clips():
        media = clip.media_reference
        if media.target_url in found:
            continue
        found[media.target_url] = f"r{len(found) + 2}"
        length = _seconds(media.available_range.duration.value, fps)
        names = {"id": found[media.target_url], "name": media.target_url, "src": f"./{media.target_url}"}
        asset = ElementTree.SubElement(resources, "asset", start="0s", duration=length, hasVideo="1", format="r1")
        asset.attrib.update(names)
        if samples:
            asset.attrib.update({"hasAudio": "1", "audioSources": "1", "audioChannels": "2", "audioRate": str(samples)})
    return found


def _fill(spine: ElementTree.Element, picture: otio.schema.Track, fps: Fraction, assets: Mapping[str, str]) -> None:
    """Add the clips and the dissolves of *picture* to *spine*."""
    offset = 0.0
    for item in picture:
        if isinstance(item, otio.schema.Transition):
            if item.transition_type == otio.schema.TransitionTypes.SMPTE_Dissolve:
                begins, length = offset - item.in_offset.value, item.in_offset.value + item.out_offset.value
                times = {"offset": _seconds(begins, fps), "duration": _seconds(length, fps)}
                ElementTree.SubElement(spine, "transition", {"name": "Cross Dissolve", **times})
            continue
        found = item.source_range
        times = {
            "offset": _seconds(offset, fps),
            "start": _seconds(found.start_time.value, fps),
            "duration": _seconds(found.duration.value, fps),
        }
        ref = assets[item.media_reference.target_url]
        ElementTree.SubElement(spine, "asset-clip", {"ref": ref, "name": item.name, "format": "r1", **times})
        offset += found.duration.value


def _seconds(frames: float, fps: Fraction) -> str:
    seconds = round(frames) / fps
    return f"{seconds.numerator}/{seconds.denominator}s" if seconds.denominator > 1 else f"{seconds.numerator}s"
