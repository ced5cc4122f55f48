"""A folder of labelled pictures, on disk: a folder a fault, and one that is called `good`.

A picture may have others beside it, which are found by their names: of `jab.png` these are `jab.control.png` (what it
was drawn from), `jab.before.png` (the keyframe before), `jab.before-control.png`, and any number of `jab.take-1.png`
(earlier takes) and `jab.reference-1.png` (the fighters).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from undercard.domain.requests import Size
from undercard.errors import BadInput, UnreadableImage
from undercard.gate.contract import Fault
from undercard.gate.evidence import Evidence

GOOD = "good"
ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".webp"})
BESIDE = ("control", "before", "before-control", "take", "reference")


@dataclass(frozen=True, slots=True)
class Labelled:
    """A picture of a folder."""

    path: Path
    fault: Fault | None
    """What is wrong with it; None when it is good."""
    evidence: Evidence


def read(folder: Path, backend: str = "") -> Iterator[Labelled]:
    """Yield the pictures of *folder*, which *backend* drew.

    Raises:
        BadInput: there is no such folder, a folder in it is named for no fault, or none holds good pictures.
        UnreadableImage: a picture cannot be decoded.
    """
    if not folder.is_dir():
        raise BadInput(f"{folder} is no folder; give one with a folder `{GOOD}` and one for each fault")
    labels = sorted(path for path in folder.iterdir() if path.is_dir())
    faults = {path: _fault(path) for path in labels}
    if not any(path.name == GOOD and _pictures(path) for path in labels):
        raise BadInput(f"{folder} has no folder `{GOOD}` with pictures that should pass; thresholds lie beyond those")
    for path in labels:
        for picture in _pictures(path):
            yield Labelled(picture, faults[path], _evidence(picture, backend))


def _fault(folder: Path) -> Fault | None:
    name = folder.name.replace("_", " ").replace("-", " ").lower()
    if name == GOOD:
        return None
    known = [fault.value for fault in Fault]
    if name not in known:
        raise BadInput(f"{folder} is named for no fault; use `{GOOD}` or one of {', '.join(known)}")
    return Fault(name)


def _pictures(folder: Path) -> list[Path]:
    """Return the pictures themselves, without those beside them."""
    return sorted(
        path for path in folder.iterdir() if path.suffix.lower() in ENDINGS and _beside(path) is None and path.is_file()
    )


def _beside(path: Path) -> str | None:
    """Return as what *path* lies beside a picture: `control`, `take`; None for a picture itself."""
    kind = path.stem.rpartition(".")[2] if "." in path.stem else ""
    return next((name for name in BESIDE if kind == name or kind.rpartition("-")[0] == name), None)


def _evidence(picture: Path, backend: str) -> Evidence:
    beside: dict[str, list[Path]] = {name: [] for name in BESIDE}
    for path in sorted(picture.parent.glob(f"{picture.stem}.*")):
        kind = _beside(path)
        if kind is not None and path.suffix.lower() in ENDINGS and path.stem.rpartition(".")[0] == picture.stem:
            beside[kind].append(path)
    first = {name: paths[0] if paths else None for name, paths in beside.items()}
    before = first["before"]
    return Evidence(
        picture,
        _size(picture),
        neighbours=[] if before is None else [before],
        before=before,
        takes=beside["take"],
        control=first["control"],
        references=beside["reference"],
        backend=backend,
        before_control=first["before-control"],
    )


def _size(path: Path) -> Size:
    try:
        with Image.open(path) as image:
            return image.size
    except OSError as exc:
        raise UnreadableImage(f"{path} cannot be read as a picture: {exc}; remove it, or save it again") from exc
