"""The text encoder, 16.6 GB in bf16, on a card that has room for two of its layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from undercard.engine.files.checkpoint import Checkpoint, open_checkpoint
from undercard.engine.streaming.sources import InMemory
from undercard.engine.streaming.streamer import CudaStreamer, HostStreamer, Streamer
from undercard.engine.text import embeddings
from undercard.engine.text.embeddings import Encode
from undercard.engine.text.encoder import (
    Headless,
    HostEmbedding,
    encoder_layers,
    encoder_rest,
    encoder_skeleton,
    open_processor,
    stored_name,
)
from undercard.engine.weights.blocks import layout_of
from undercard.engine.weights.codecs import codec_named
from undercard.engine.weights.loading import BlockReader, load

WORDS = "model.language_model.embed_tokens.weight"
ENCODE_BYTES = 600_000_000
"""Left alone for what a prompt with three pictures takes on the way through: 1,000 tokens of 18,944 channels, and the
attention of the largest picture; an estimate on the safe side."""


@contextmanager
def opened(
    folder: Path, device: torch.device, free_bytes: Callable[[], int], *, picture_positions: bool = False
) -> Iterator[Encode]:
    """Open the text encoder of a checkpoint in diffusers' layout for as long as the context lasts.

    Its layers pass through the card packed without loss, and as many as fit stay there for the next prompt.

    Args:
        folder: holds `text_encoder/` and `processor/`.
        device: where to compute.
        free_bytes: what may be taken on it.
        picture_positions: as in `text.Headless`.

    Raises:
        BadCheckpoint: the folder holds another model's encoder, or a damaged one.
        torch.OutOfMemoryError: two layers do not fit.
    """
    source = folder / "text_encoder"
    encoder, checkpoint = encoder_skeleton(folder), open_checkpoint(source)
    for name in encoder_rest(encoder):
        owner, _, leaf = name.rpartition(".")
        value = checkpoint.read(stored_name(name, checkpoint.entries)).to(torch.bfloat16)
        if name == WORDS:
            encoder.model.language_model.embed_tokens = HostEmbedding(value)
        else:
            parameter = nn.Parameter(value.to(device), requires_grad=False)
            setattr(encoder.get_submodule(owner), leaf, parameter)
    with ExitStack() as stack:
        streamers = [
            stack.enter_context(_streamed(name, layers, checkpoint, device)) for name, layers in encoder_layers(encoder)
        ]
        _keep_what_fits(streamers, free_bytes() - ENCODE_BYTES)
        headless = Headless(encoder, picture_positions=picture_positions)
        for buffer_owner in headless.modules():
            for name, buffer in buffer_owner.named_buffers(recurse=False):
                setattr(buffer_owner, name, buffer.to(device))
        try:
            yield embeddings.encoding(headless, open_processor(folder), device)
        finally:
            # Whoever still holds it, such as the frame that is left last, holds no memory of the card with it.
            encoder.to("meta")


@contextmanager
def _streamed(name: str, layers: nn.ModuleList, checkpoint: Checkpoint, device: torch.device) -> Iterator[Streamer]:
    """Let *layers*, on the meta device, borrow their parameters while they compute."""
    layout = layout_of(layers[0])
    stored = checkpoint.entries
    blocks = [
        {place.name: checkpoint[stored_name(f"{name}.{number}.{place.name}", stored)] for place in layout.places}
        for number in range(len(layers))
    ]
    codec = codec_named("packed" if layout.matrix_bytes // 2 % 16 == 0 else "bf16")
    kept = load(BlockReader(layout, blocks), codec, device)
    streamer: Streamer
    if device.type == "cuda":
        streamer = CudaStreamer(layout, InMemory(kept), device, scratches=1)
    else:
        streamer = HostStreamer(layout, InMemory(kept))
    for number, layer in enumerate(layers):
        layer.forward = partial(_borrowing, streamer, layer, number, layer.forward)
    try:
        yield streamer
    finally:
        for layer in layers:
            # It refers to the layer itself, and would keep it until the next collection of such circles.
            del layer.forward
        streamer.close()


def _keep_what_fits(streamers: Sequence[Streamer], room_bytes: int) -> None:
    """Let as many layers stay on the card as *room_bytes* hold: they arrive with the first prompt."""
    for streamer in streamers:
        if isinstance(streamer, CudaStreamer):
            staying = min(streamer.count, max(0, room_bytes) // streamer.layout.size_bytes)
            streamer.keep_resident(staying)
            room_bytes -= staying * streamer.layout.size_bytes


def _borrowing(
    streamer: Streamer, layer: nn.Module, number: int, forward: Callable[..., Any], *inputs: Any, **named: Any
) -> Any:
    with streamer.using(number) as buffer:
        streamer.layout.attach(layer, buffer)
        return forward(*inputs, **named)
