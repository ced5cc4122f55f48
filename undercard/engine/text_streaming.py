"""The text encoder, 16.6 GB in bf16, on a card that has room for two of its layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from undercard.engine import embeddings, text
from undercard.engine.blocks import layout_of
from undercard.engine.checkpoint import Checkpoint, open_checkpoint
from undercard.engine.codecs import codec_named
from undercard.engine.embeddings import Encode
from undercard.engine.loading import BlockReader, load
from undercard.engine.sources import InMemory
from undercard.engine.streaming import CudaStreamer, HostStreamer, Streamer

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
    encoder, checkpoint = text.encoder_skeleton(folder), open_checkpoint(source)
    for name in text.encoder_rest(encoder):
        owner, _, leaf = name.rpartition(".")
        value = checkpoint.read(text.stored_name(name, checkpoint.entries)).to(torch.bfloat16)
        if name == WORDS:
            encoder.model.language_model.embed_tokens = text.HostEmbedding(value)
        else:
            parameter = nn.Parameter(value.to(device), requires_grad=False)
            setattr(encoder.get_submodule(owner), leaf, parameter)
    with ExitStack() as stack:
        streamers = [
            stack.enter_context(_streamed(name, layers, checkpoint, device))
            for name, layers in text.encoder_layers(encoder)
        ]
        _keep_what_fits(streamers, free_bytes() - ENCODE_BYTES)
        headless = text.Headless(encoder, picture_positions=picture_positions)
        for buffer_owner in headless.modules():
            for name, buffer in buffer_owner.named_buffers(recurse=False):
                setattr(buffer_owner, name, buffer.to(device))
        try:
            yield embeddings.encoding(headless, text.open_processor(folder), device)
        finally:
            # Whoever still holds it, such as the frame that is left last, holds no memory of the card with it.
            encoder.to("meta")


@contextmanager
def _streamed(name: str, layers: nn.ModuleList, checkpoint: Checkpoint, device: torch.device) -> Iterator[Streamer]:
    """Let *layers*, on the meta device, borrow their parameters while they compute."""
    layout = layout_of(layers[0])
    stored = checkpoint.entries
    blocks = [
        {place.name: checkpoint[text.stored_name(f"{name}.{number}.{place.name}", stored)] for place in layout.places}
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
