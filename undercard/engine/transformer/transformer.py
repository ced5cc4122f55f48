"""The transformer as diffusers knows it, with blocks that stream and a table in place of their modulation."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from diffusers import QwenImageTransformer2DModel
from diffusers.models.modeling_outputs import Transformer2DModelOutput
from torch import Tensor, nn

from undercard.engine.files.checkpoint import Checkpoint, as_memory, opened, submit_reads
from undercard.engine.streaming.streamer import CudaStreamer, HostStreamer
from undercard.engine.transformer import fused
from undercard.engine.weights import modulation
from undercard.engine.weights.blocks import Layout, layout_of
from undercard.engine.weights.loading import READERS, BlockReader, reader_of
from undercard.engine.weights.modulation import Modulation, Tables
from undercard.engine.weights.pinned import PinnedBuffer
from undercard.errors import BadCheckpoint

PREFIX = "transformer_blocks."
MODULATION = ("img_mod.", "txt_mod.")
FUSED_WIDTH = 512
"""What the layer norm's order of summing asks the width to be a multiple of."""


def skeleton(folder: Path) -> StreamedTransformer:
    """Return the transformer that the `config.json` of *folder* describes, on the meta device.

    Raises:
        BadCheckpoint: there is no such file, or it describes another model.
    """
    file = folder / "config.json"
    try:
        config = json.loads(file.read_text())
    except (OSError, ValueError) as exc:
        raise BadCheckpoint(f"{file} cannot be read: {exc}; give the transformer folder of a diffusers model") from exc
    if config.get("_class_name") != "QwenImageTransformer2DModel":
        raise BadCheckpoint(f"{file} describes {config.get('_class_name')!r}, not a QwenImageTransformer2DModel")
    with init_empty_weights():
        model = StreamedTransformer.from_config(config)
    # Not diffusers' own `to`, which warns of modules that other models keep in float32.
    nn.Module.to(model, torch.bfloat16)
    streamed: StreamedTransformer = model.eval()
    return streamed


def block_layout(model: QwenImageTransformer2DModel) -> Layout:
    """Return how a block lies in its buffer, modulation apart."""
    return layout_of(model.transformer_blocks[0], together=fused.TOGETHER, without=MODULATION)


def block_reader(model: QwenImageTransformer2DModel, checkpoint: Checkpoint) -> BlockReader:
    """Return a reader of the blocks of *checkpoint*.

    Raises:
        BadCheckpoint: it does not hold the blocks of *model*.
    """
    count = len(model.transformer_blocks)
    if f"{PREFIX}{count}.attn.to_q.weight" in checkpoint:
        raise BadCheckpoint(f"{checkpoint.source} has more than the {count} blocks that its config names")
    return reader_of(checkpoint, PREFIX, count, block_layout(model))


def load_rest(model: QwenImageTransformer2DModel, checkpoint: Checkpoint, device: torch.device) -> None:
    """Bring to *device* what lies before and after the blocks: 0.1 GB.

    Raises:
        BadCheckpoint: *checkpoint* lacks a parameter, or has it in another shape.
    """
    for name, parameter in list(model.named_parameters()):
        if name.startswith(PREFIX):
            continue
        value = checkpoint.read(name)
        if value.shape != parameter.shape:
            raise BadCheckpoint(
                f"{checkpoint.source}: {name} is {tuple(value.shape)}, not {tuple(parameter.shape)}; "
                "it is another model's"
            )
        owner, _, leaf = name.rpartition(".")
        here = value.to(device, torch.bfloat16)
        setattr(model.get_submodule(owner), leaf, nn.Parameter(here, requires_grad=False))


@contextmanager
def modulation_weights(checkpoint: Checkpoint, count: int, device: torch.device) -> Iterator[modulation.Weights]:
    """Yield a reader of the modulation's weights, pair by pair in order, straight from the file.

    While one pair is multiplied, threads read the next.
    """
    names = [f"{PREFIX}{block}.{stream}_mod.1" for block in range(count) for stream in ("img", "txt")]
    entries = [checkpoint[f"{name}.weight"] for name in names]
    stages = [PinnedBuffer(max(entry.size_bytes for entry in entries), device) for _ in range(2)]
    with opened(checkpoint.entries.values()) as files, ThreadPoolExecutor(READERS, "read") as pool:

        def begin(number: int) -> list[Future[None]]:
            view = as_memory(stages[number % 2].tensor)[: entries[number].size_bytes]
            return submit_reads(pool, files, entries[number], view)

        reads = {0: begin(0)}

        def pair(block: int, stream: modulation.Stream) -> tuple[Tensor, Tensor]:
            number = 2 * block + (stream == "txt")
            for read in reads.pop(number, None) or begin(number):
                read.result()
            if number + 1 < len(entries):
                reads[number + 1] = begin(number + 1)
            raw = stages[number % 2].tensor[: entries[number].size_bytes]
            weight = raw.view(entries[number].dtype).view(entries[number].shape).to(device, torch.bfloat16)
            return weight, checkpoint.read(f"{names[number]}.bias").to(torch.bfloat16)

        try:
            yield pair
        finally:
            for stage in stages:
                stage.close()


class StreamedTransformer(QwenImageTransformer2DModel):  # type: ignore[misc]  # diffusers counts as Any
    """diffusers' transformer with blocks that are borrowed from a streamer for as long as they compute."""

    streamer: CudaStreamer | HostStreamer
    tables: Tables
    fused_tables: tuple[Tensor, Tensor] | None
    """Of picture and text, (steps, blocks, 6, rows, dim), prepared; None where diffusers' own blocks compute."""
    beside: torch.cuda.Stream

    def forward(
        self,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        encoder_hidden_states_mask: Tensor | None = None,
        timestep: Tensor | None = None,
        img_shapes: Sequence[Sequence[tuple[int, int, int]]] | None = None,
        **others: Any,
    ) -> Any:
        """Compute as `QwenImageTransformer2DModel.forward` does; with the kernels, only the output's own tokens."""
        plain = encoder_hidden_states_mask is None and len(hidden_states) == 1 and not others.get("attention_kwargs")
        if self.fused_tables is None or not plain or timestep is None or img_shapes is None:
            return super().forward(
                hidden_states=hidden_states,
                encoder_hidden_states=encoder_hidden_states,
                encoder_hidden_states_mask=encoder_hidden_states_mask,
                timestep=timestep,
                img_shapes=img_shapes,
                **others,
            )
        output = self._fused(hidden_states, encoder_hidden_states, timestep, img_shapes)
        return Transformer2DModelOutput(sample=output) if others.get("return_dict", True) else (output,)

    def _fused(
        self,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        timestep: Tensor,
        img_shapes: Sequence[Sequence[tuple[int, int, int]]],
    ) -> Tensor:
        assert self.fused_tables is not None
        picture = self.img_in(hidden_states)[0]
        text = self.txt_in(self.txt_norm(encoder_hidden_states))[0]
        asked = prod(img_shapes[0][0])
        boundary = asked if self.zero_cond_t else len(picture)
        angles = self.pos_embed(img_shapes, max_txt_seq_len=len(text), device=picture.device)
        rotations = torch.view_as_real(angles[0]), torch.view_as_real(angles[1]).contiguous()
        modulations = self._modulations(boundary, len(text))
        streams = fused.entering(picture, modulations[0][0]), fused.entering(text, modulations[0][1])
        del picture, text
        for number, (by, following) in enumerate(zip(modulations, [*modulations[1:], None], strict=True)):
            with self.streamer.using(number) as buffer:
                streams = fused.forward(
                    fused.parameters(self.streamer.layout, buffer),
                    *streams,
                    rotations,
                    by,
                    self.beside,
                    following=following,
                    asked=asked if following is None else None,
                )
        last = streams[0].x[None]
        output: Tensor = self.proj_out(self.norm_out(last, self._embedding(timestep, last)))
        return output

    def _modulations(self, boundary: int, words: int) -> list[tuple[fused.Rows, fused.Rows]]:
        """Return the modulation of picture and text in each block, at the step that is selected."""
        assert self.fused_tables is not None
        picture, text = (table[self.tables.step] for table in self.fused_tables)
        return [(fused.rows(one, boundary), fused.rows(other, words)) for one, other in zip(picture, text, strict=True)]

    def _embedding(self, timestep: Tensor, like: Tensor) -> Tensor:
        """Return what follows the blocks sees of the timestep, from products of the shapes that diffusers' have."""
        now = timestep.to(like.dtype)
        embedding: Tensor = self.time_text_embed(torch.cat([now, now * 0]) if self.zero_cond_t else now, like)
        return embedding[: len(now)]


class StreamedBlock(nn.Module):
    """Stands in for a block where diffusers' own code computes: borrows its parameters meanwhile."""

    def __init__(self, number: int, template: nn.Module, streamer: CudaStreamer | HostStreamer, tables: Tables) -> None:
        super().__init__()
        # In a tuple, so that what the blocks share is not each one's own.
        self._shared = (template, streamer)
        self._rows = {
            "img_mod": modulation.TableRow(tables, "img", number),
            "txt_mod": modulation.TableRow(tables, "txt", number),
        }
        self.number = number

    def forward(self, **inputs: Any) -> tuple[Tensor, Tensor]:
        """Compute as `QwenImageTransformerBlock.forward` does."""
        block, streamer = self._shared
        with streamer.using(self.number) as buffer:
            streamer.layout.attach(block, buffer)
            for name, row in self._rows.items():
                setattr(block, name, row)
            answer: tuple[Tensor, Tensor] = block(**inputs)
            return answer


def can_fuse(model: QwenImageTransformer2DModel, device: torch.device) -> bool:
    """Say whether the kernels give this model's bits on *device*."""
    if device.type != "cuda" or model.config.attention_head_dim != fused.HEAD or model.inner_dim % FUSED_WIDTH:
        return False
    # torch brings it for CUDA on Linux; elsewhere diffusers' own code computes the same.
    return importlib.util.find_spec("triton") is not None


def warm_up(model: StreamedTransformer, device: torch.device) -> Future[None]:
    """Begin to compile the kernels that *model* will be computed with, while its weights are read."""
    done: Future[None] = Future()
    if not can_fuse(model, device):
        done.set_result(None)
        return done
    from undercard.engine.kernels import launch

    pool = ThreadPoolExecutor(1, "compile")
    done = pool.submit(launch.warm_up, device, model.inner_dim)
    pool.shutdown(wait=False)
    return done


def stream(
    model: StreamedTransformer,
    table: Modulation,
    streamer: CudaStreamer | HostStreamer,
    device: torch.device,
    *,
    fuse: bool | None = None,
) -> Tables:
    """Make *model*, whose rest is loaded, compute with the blocks of *streamer* and the modulation of *table*.

    Args:
        model: from `skeleton`; changed in place.
        table: for the schedule that will be run.
        streamer: gives the blocks.
        device: where to compute.
        fuse: with the kernels of fused.py; by default where they give the same bits.

    Returns:
        The tables: `select` a step before each forward pass.
    """
    tables = Tables(table, device)
    template = model.transformer_blocks[0]
    for name in ("img_mod", "txt_mod"):
        setattr(template, name, nn.Identity())
    model.streamer, model.tables = streamer, tables
    model.fused_tables = None
    if can_fuse(model, device) if fuse is None else fuse:
        model.fused_tables = fused.prepared(tables.img), fused.prepared(tables.txt)
        model.beside = torch.cuda.Stream(device)
    blocks = (StreamedBlock(number, template, streamer, tables) for number in range(streamer.count))
    model.transformer_blocks = nn.ModuleList(blocks)
    return tables


def retime(model: StreamedTransformer, table: Modulation) -> None:
    """Make *model*, which streams already, compute with the modulation of *table*, which is of another schedule."""
    model.tables.show(table)
    if model.fused_tables is not None:
        model.fused_tables = fused.prepared(model.tables.img), fused.prepared(model.tables.txt)
