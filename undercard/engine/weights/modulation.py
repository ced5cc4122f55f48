"""Modulation tables: what every block's `img_mod` and `txt_mod` answer, computed once for a fixed schedule.

In QwenImageTransformer2DModel these linears see nothing but the embedding of the timestep. A Lightning schedule has a
handful of timesteps, so their answers (26 MB for 4 steps) replace 6.8 of the model's 20.4 billion parameters. What
follows the blocks, `norm_out`, is one linear of 2·dim and stays diffusers' own, as does `time_text_embed`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import torch
from diffusers import QwenImageTransformer2DModel
from torch import Tensor, nn
from torch.nn import functional

from undercard.domain.keys import content_key
from undercard.engine.files import tensor_files
from undercard.store import Store

Stream: TypeAlias = Literal["img", "txt"]
Weights: TypeAlias = Callable[[int, Stream], tuple[Tensor, Tensor]]
"""Block and stream → weight (6·dim, dim) and bias (6·dim,) of its modulation, bf16, on any device."""


@dataclass(frozen=True, slots=True, eq=False)
class Modulation:
    """The answers of every block's modulation at every step, bf16, in host memory."""

    img: Tensor
    """(steps, blocks, rows, 6·dim); with `zero_cond_t` row 0 is for the picture and row 1 for its references, whose
    timestep is 0; without it there is one row for all."""
    txt: Tensor
    """(steps, blocks, 1, 6·dim)."""
    timesteps: tuple[float, ...]
    """As the transformer sees them, falling from 1."""

    @property
    def steps(self) -> int:
        """How many steps the schedule has."""
        return len(self.timesteps)

    @property
    def size_bytes(self) -> int:
        """What the table takes on the device."""
        return self.img.nbytes + self.txt.nbytes


def compute(
    weights: Weights,
    blocks: int,
    time_text_embed: nn.Module,
    timesteps: Sequence[float],
    *,
    zero_cond_t: bool,
    device: torch.device,
) -> Modulation:
    """Compute the table of *blocks* blocks with at most one stream's weights of one block on *device* (0.23 GB).

    Bit for bit what diffusers' forward computes there, as the operands of every product have the same shapes.

    Args:
        weights: asked once for every block and stream, in the order of the file.
        blocks: how many.
        time_text_embed: the transformer's own, on *device*.
        timesteps: as `schedule.timesteps` gives them.
        zero_cond_t: as in the transformer's config.
        device: where to multiply; the table is of that kind of device, as roundings differ.
    """
    with torch.inference_mode():
        embeddings = [_embedding(time_text_embed, step, device, zero_cond_t=zero_cond_t) for step in timesteps]
        answers: dict[Stream, list[list[Tensor]]] = {"img": [], "txt": []}
        for block in range(blocks):
            for stream, rows in answers.items():
                weight, bias = (part.to(device) for part in weights(block, stream))
                inputs = embeddings if stream == "img" else [embedding[:1] for embedding in embeddings]
                rows.append([functional.linear(functional.silu(row), weight, bias).cpu() for row in inputs])
                # Before the next pair arrives, not after: two of them would be on the device at once.
                del weight, bias
    img, txt = (torch.stack([torch.stack(row) for row in rows], dim=1) for rows in answers.values())
    # A tensor made under inference_mode cannot be saved for backward or changed outside it; a copy can.
    return Modulation(img=img.clone(), txt=txt.clone(), timesteps=tuple(timesteps))


def _embedding(time_text_embed: nn.Module, timestep: float, device: torch.device, *, zero_cond_t: bool) -> Tensor:
    """Return the embedding that the blocks see, (2, dim) with *zero_cond_t* and (1, dim) without."""
    now = torch.tensor([timestep], device=device, dtype=torch.bfloat16)
    asked = torch.cat([now, now * 0]) if zero_cond_t else now
    # The second argument only tells the type of the answer.
    embedding: Tensor = time_text_embed(asked, now)
    return embedding


def weights_of(transformer: QwenImageTransformer2DModel) -> Weights:
    """Return the modulation weights of a model in memory."""

    def pair(block: int, stream: Stream) -> tuple[Tensor, Tensor]:
        linear = getattr(transformer.transformer_blocks[block], f"{stream}_mod")[1]
        return linear.weight, linear.bias

    return pair


def key(
    checkpoint_digest: str, lora_digest: str, timesteps: Sequence[float], *, zero_cond_t: bool, device_kind: str
) -> str:
    """Return the key under which a table is kept.

    Args:
        checkpoint_digest: of the transformer's weights.
        lora_digest: of what is fused into them; empty for nothing.
        timesteps: of the schedule.
        zero_cond_t: as in the transformer's config.
        device_kind: what multiplied, such as `cpu` or `cuda NVIDIA H100 80GB HBM3`.
    """
    return content_key(
        {
            "checkpoint": checkpoint_digest,
            "lora": lora_digest,
            "timesteps": list(timesteps),
            "zero_cond_t": zero_cond_t,
            "device": device_kind,
            "torch": torch.__version__,
        }
    )


def table_path(table_key: str, store: Store) -> Path:
    """Return where the table of that key is kept."""
    return store.root / "tables" / f"{table_key}.safetensors"


def save(modulation: Modulation, table_key: str, store: Store) -> None:
    """Keep *modulation* under its key.

    Raises:
        StoreError: it cannot be written.
    """
    tensors = {
        "img": modulation.img,
        "txt": modulation.txt,
        "timesteps": torch.tensor(modulation.timesteps, dtype=torch.float64),
    }
    tensor_files.write(table_path(table_key, store), tensors, {"modulation": table_key})


def load(table_key: str, store: Store) -> Modulation | None:
    """Return the table of that key, or None when there is none or it is damaged."""
    found = tensor_files.read(table_path(table_key, store), {"modulation": table_key})
    if found is None or found.keys() != {"img", "txt", "timesteps"}:
        return None
    return Modulation(img=found["img"], txt=found["txt"], timesteps=tuple(found["timesteps"].tolist()))


class Tables(nn.Module):
    """A table on a device, and the step that all blocks are at."""

    img: Tensor
    txt: Tensor

    def __init__(self, modulation: Modulation, device: torch.device) -> None:
        super().__init__()
        self.register_buffer("img", modulation.img.to(device), persistent=False)
        self.register_buffer("txt", modulation.txt.to(device), persistent=False)
        self.timesteps = modulation.timesteps
        self.step = 0

    def show(self, modulation: Modulation) -> None:
        """Answer by *modulation* from now on, which is of the same model and another schedule."""
        self.img, self.txt = modulation.img.to(self.img.device), modulation.txt.to(self.txt.device)
        self.timesteps = modulation.timesteps
        self.step = 0

    def select(self, step: int) -> None:
        """Let every block answer for *step*, from 0.

        Raises:
            IndexError: the schedule has no such step.
        """
        if not 0 <= step < len(self.timesteps):
            raise IndexError(f"step {step} of a schedule of {len(self.timesteps)}")
        self.step = step


class TableRow(nn.Module):
    """Stands in for one block's `img_mod` or `txt_mod`."""

    def __init__(self, tables: Tables, stream: Stream, block: int) -> None:
        super().__init__()
        # In a tuple, so that 120 rows do not each count the table among their own parts.
        self._tables = (tables,)
        self._stream: Stream = stream
        self._block = block

    def forward(self, _embedding: Tensor) -> Tensor:
        """Return the answer of the current step, (rows, 6·dim), whatever the embedding."""
        (tables,) = self._tables
        table = tables.img if self._stream == "img" else tables.txt
        return table[tables.step, self._block]


def attach(transformer: QwenImageTransformer2DModel, modulation: Modulation, device: torch.device) -> Tables:
    """Put *modulation* in place of the modulation linears of *transformer*, which are dropped.

    Returns the tables: `select` a step before each forward pass; both passes of CFG share it.

    Raises:
        ValueError: the table is of another number of blocks.
    """
    blocks = transformer.transformer_blocks
    if modulation.img.shape[1] != len(blocks):
        raise ValueError(f"a table of {modulation.img.shape[1]} blocks does not fit a model of {len(blocks)}")
    tables = Tables(modulation, device)
    for number, block in enumerate(blocks):
        block.img_mod = TableRow(tables, "img", number)
        block.txt_mod = TableRow(tables, "txt", number)
    return tables
