"""What a server makes clips with: its files of Wan, or the user's workflow for clips."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from undercard.backends.clips.wan.files import WanWanted, choose
from undercard.backends.clips.wan.graph import KINDS, ClipValues, WanGraph
from undercard.backends.comfy import server, validation, workflow
from undercard.backends.comfy.client import Client
from undercard.backends.comfy.nodes import Graph
from undercard.backends.comfy.placeholders import Form, filled
from undercard.backends.comfy.workflow import Workflow
from undercard.errors import BackendUnavailable
from undercard.settings import Settings
from undercard.store import Store

NEEDED = {
    "first": "no clip would begin with its keyframe",
    "last": "no clip would end with its keyframe",
    "frames": "no clip would be as long as it must",
    "seed": "a clip could not be made again",
}
SAMPLE = ClipValues("a boxer jabs", "", 1, 832, 480, 17, "first.png", "last.png", "undercard")


class ClipWay(Protocol):
    """How a server makes clips."""

    @property
    def detail(self) -> str:
        """What people call it."""

    @property
    def spared(self) -> str:
        """What is done otherwise to take as little of the card as can be."""

    def built(self, values: ClipValues) -> tuple[Graph, str]:
        """Return the graph that makes *values*, and its node that saves the frames."""


def named(values: ClipValues) -> dict[str, object]:
    """Return *values* by the names of the placeholders that they go into."""
    return {
        "first": values.first,
        "last": values.last,
        "prompt": values.prompt,
        "negative_prompt": values.negative_prompt,
        "frames": values.frames,
        "seed": values.seed,
        "width": values.width,
        "height": values.height,
        "output": values.output,
    }


FORM = Form(NEEDED, named(SAMPLE))
"""Of a workflow that makes clips."""


@dataclass(frozen=True, slots=True)
class OwnClipWorkflow:
    """A workflow for clips that a server was found to have the nodes for."""

    workflow: Workflow
    output: str
    """Its node that saves the frames."""

    @property
    def detail(self) -> str:
        """What people call it."""
        return Path(self.workflow.file).stem

    @property
    def spared(self) -> str:
        """What is done otherwise to take as little of the card as can be; the graph is the user's own."""
        return "after the server freed its memory"

    def built(self, values: ClipValues) -> tuple[Graph, str]:
        """Return the workflow filled with *values*, and its node that saves the frames."""
        return filled(self.workflow.nodes, named(values)), self.output


@dataclass(frozen=True, slots=True)
class ClipWishes:
    """What the settings say of the server and what it is to make clips with."""

    url: str
    workflow: Path | None
    files: WanWanted
    wait_seconds: float
    pixels: int
    """Of a clip's frame, at most."""
    hang_seconds: float
    store: Store

    def find(self, client: Client) -> ClipWay:
        """Return the way to make clips with the server behind *client*; see `server.Asked`."""
        if self.workflow is not None:
            own = workflow.read(self.workflow)
            return OwnClipWorkflow(own, workflow.result_of(own, client.schemas(own.kinds), FORM))
        schemas = client.schemas(KINDS)
        graph = WanGraph(choose(schemas, self.files))
        for sparing in (False, True):
            sample = graph.built(replace(SAMPLE, sparing=sparing))[0]
            if problems := validation.problems(sample, schemas):
                told = "; ".join(f"{one.where}: {one.what}; {one.remedy}" for one in problems)
                raise BackendUnavailable(f"this ComfyUI cannot make clips with {graph.detail}: {told}; update it")
        return graph


def wishes(settings: Settings) -> ClipWishes:
    """Return what *settings* say."""
    return ClipWishes(
        url=str(settings.comfyui).rstrip("/"),
        workflow=settings.clip_workflow,
        files=WanWanted(settings.clip_unet, settings.clip_lora),
        wait_seconds=settings.comfyui_wait_seconds,
        pixels=settings.clip_pixels,
        hang_seconds=settings.hang_seconds,
        store=Store(settings.store_root),
    )


def recipe(wanted: ClipWishes) -> str:
    """Return what decides the pixels of *wanted*; empty where nothing is known of it."""
    found = server.digest(wanted)
    return f"{wanted.pixels} px {found}" if found else ""
