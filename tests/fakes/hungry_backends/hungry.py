"""An exact backend that goes wrong for real, in its own process: what it needs against what a card has left.

The file `card.json` of the store is the card: `{"total": 24.0, "tenant": 0.0}` in GB. A rung that needs more than the
tenant leaves is out of memory. With `"caps"` the card is smaller than it looks: the first of them is its size until a
take is made, the next one until the second is, and the last one from then on.

A shot's prompt plants further faults, in the form `fault: KIND [over N] [once]`, where N is GB that the rung needs, of
VRAM or, for `kill`, of host memory; none happens once the store has a file `well`:

    denoise, decode   out of memory in that stage, whoever else uses the card
    kill              ended with signal 9, as by the kernel when host memory runs out
    abort             ended with signal 6, as by CUDA's libraries
    crash             an error that is about no rung
    hang              no sign of life
    black             a picture without anything, unless the rung is exact
"""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NotRequired, TypedDict, cast

from PIL import Image, ImageChops

from tests import here
from undercard.backends import Needs, Rendered, Renderer, Rung, Work
from undercard.domain import progress
from undercard.domain.requests import RenderRequest
from undercard.domain.unavailable import Cause, Unavailable
from undercard.errors import OutOfMemory
from undercard.hardware.devices import CONTEXT_BYTES, Device
from undercard.settings import Settings
from undercard.store import Store, write_atomically

GB = 1_000_000_000
FAULT = re.compile(r"fault: (\w+)(?: over (\d+))?( once)?")


class Card(TypedDict):
    """What is in `card.json`, in GB."""

    total: float
    tenant: float
    caps: NotRequired[list[float]]


def card() -> Card:
    root = here.store().root
    path = root / "card.json"
    if not path.is_file():
        return Card(total=24.0, tenant=0.0)
    found = cast("Card", json.loads(path.read_text()))
    if caps := found.get("caps"):
        made = len(list((root / "results").glob("take-*")))
        return Card(total=caps[min(made, len(caps) - 1)], tenant=found["tenant"])
    return found


def note(event: str) -> None:
    """Add a line to what the tests look at afterwards."""
    root = here.store().root
    root.mkdir(parents=True, exist_ok=True)
    with (root / "events.txt").open("a") as file:
        file.write(event + "\n")


class HungryRenderer:
    """Copies the control image, tinted by its seed."""

    def __init__(self, rung: Rung, tint: int, store: Store) -> None:
        self.rung = rung
        self.tint = tint
        self.store = store

    def encode(self, requests: Sequence[RenderRequest]) -> None:
        note(f"encode {len(requests)}")

    def render(self, request: RenderRequest) -> Rendered:
        fits(self.rung, "denoise")
        notes = self.denoised(request)
        plant(request, self.rung, "decode")
        with Image.open(self.store.find(request.references[0], ".png")) as control:
            tinted = ImageChops.offset(control.convert("RGB"), request.seed % 7 + self.tint, 0)
        if "fault: black" in request.prompt and not self.rung.exact:
            tinted = Image.new("RGB", tinted.size)
        needs = self.rung.needs
        # As foreseen, so that what is remembered of it changes nothing in the next test.
        return Rendered(tinted, needs.seconds, needs.vram_bytes, needs.host_bytes, notes)

    def denoised(self, request: RenderRequest) -> tuple[str, ...]:
        """Make the latents, or take those that an earlier rung left when its decoder ran out of memory."""
        latents = self.store.root / "latents" / request.key
        if latents.is_file():
            return ("decoded latents that an earlier attempt had kept",)
        progress.tell("denoise", 2, 4)
        for kind in ("denoise", "kill", "abort", "crash", "hang"):
            plant(request, self.rung, kind)
        note(f"denoised on {self.rung.label}")
        write_atomically(latents, b"latents")
        return ()


def plant(request: RenderRequest, rung: Rung, stage: str) -> None:
    """Go wrong as the prompt says, when it is about *stage* and this rung."""
    found = FAULT.search(request.prompt)
    if found is None or found[1] != stage or (here.store().root / "well").exists():
        return
    needs = rung.needs.host_bytes if stage == "kill" else rung.needs.vram_bytes
    if found[2] and needs <= int(found[2]) * GB:
        return
    if found[3]:
        once = here.store().root / f"once-{content(request)}"
        if once.exists():
            return
        once.parent.mkdir(parents=True, exist_ok=True)
        once.touch()
    happen(stage)


def content(request: RenderRequest) -> str:
    return re.sub(r"\W+", "-", request.prompt)[-40:]


def happen(stage: str) -> None:
    match stage:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "abort":
            os.write(2, b"CUDA error: an illegal memory access was encountered\n")
            os.abort()
        case "crash":
            raise ZeroDivisionError("the prompt has no words")
        case "hang":
            time.sleep(600)
        case _:
            progress.tell(stage)
            raise OutOfMemory(f"CUDA out of memory in {stage}", stage=stage, wanted_bytes=GB)


def fits(rung: Rung, stage: str) -> None:
    """Raise when the card that the file speaks of has less left than the rung needs."""
    now = card()
    if rung.needs.vram_bytes + CONTEXT_BYTES > (now["total"] - now["tenant"]) * GB:
        raise OutOfMemory("CUDA out of memory", stage=stage)


@dataclass(frozen=True, slots=True)
class HungryBackend:
    """The backend; its rungs are named after how much of a model is resident."""

    name: str
    exact: bool
    tint: int
    sizes: tuple[tuple[str, float, float, float], ...]
    """Name, GB of VRAM, GB of host memory and seconds of each rung."""
    family: str = "qwen-image-edit"
    revision: int = 1
    prompted: bool = True
    draws_itself: bool = False
    animates: bool = False
    in_child: bool = True

    def rungs(self, work: Work, device: Device, settings: Settings) -> tuple[Rung, ...]:
        scale = work.size[0] * work.size[1] / 1e6
        return tuple(
            Rung(
                self.name,
                exact=self.exact,
                needs=Needs(int(vram * GB), int(host * GB), seconds + scale, open_seconds=1.0),
                detail=f"{detail} resident",
            )
            for detail, vram, host, seconds in self.sizes
        )

    def unavailable(self, device: Device, settings: Settings) -> Unavailable | None:
        return None if device.gpus else Unavailable("there is no graphics card", "put one in", Cause.NO_CARD)

    @contextmanager
    def open(self, device: Device, rung: Rung, settings: Settings) -> Iterator[Renderer]:
        fits(rung, "open")
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "nothing")
        note(f"open {rung.label} on {visible}")
        # What `FakeCard.look` counts for as long as this process lives.
        held = f"{visible} {rung.needs.vram_bytes}"
        write_atomically(settings.store_root / f"held-{os.getpid()}", held.encode())
        yield HungryRenderer(rung, self.tint, Store(settings.store_root))
        note("closed")


BACKEND = HungryBackend(
    "hungry", exact=True, tint=0, sizes=(("all", 18.0, 4.0, 1.0), ("half", 9.0, 8.0, 1.2), ("nothing", 3.0, 12.0, 1.5))
)
