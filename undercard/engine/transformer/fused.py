"""One transformer block on a card in as few kernels as give diffusers' own bits.

Of the 6.6 ms that diffusers' kernels take for a block on an H100, 2.5 are neither products nor attention: they read
and write what the next kernel reads again. Here the queries, keys and values of a stream are one product, and what
lies between products is one kernel each (kernels/). The order of every sum and each rounding are kept, so the pixels
are the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from undercard.engine.kernels import launch
from undercard.engine.weights.blocks import Layout, Linear

HEAD = 128
"""Channels of a head."""
TOGETHER = tuple(
    tuple(f"attn.{name}.{kind}" for name in names)
    for kind in ("weight", "bias")
    for names in (("to_q", "to_k", "to_v"), ("add_q_proj", "add_k_proj", "add_v_proj"))
)
"""Parameters of a block that one product takes together."""


@dataclass(frozen=True, slots=True)
class Stream:
    """The parameters of one stream, picture or text, of a block."""

    qkv: Linear
    query_norm: Tensor
    key_norm: Tensor
    out: Linear
    up: Linear
    down: Linear


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of a block, as views of its flat buffer."""

    picture: Stream
    text: Stream


def parameters(layout: Layout, buffer: Tensor) -> Parameters:
    """Return the views of *buffer* that `forward` takes."""

    def linear(*names: str) -> Linear:
        return layout.linear(buffer, *names)

    return Parameters(
        picture=Stream(
            qkv=linear("attn.to_q", "attn.to_k", "attn.to_v"),
            query_norm=layout.view(buffer, "attn.norm_q.weight"),
            key_norm=layout.view(buffer, "attn.norm_k.weight"),
            out=linear("attn.to_out.0"),
            up=linear("img_mlp.net.0.proj"),
            down=linear("img_mlp.net.2"),
        ),
        text=Stream(
            qkv=linear("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
            query_norm=layout.view(buffer, "attn.norm_added_q.weight"),
            key_norm=layout.view(buffer, "attn.norm_added_k.weight"),
            out=linear("attn.to_add_out"),
            up=linear("txt_mlp.net.0.proj"),
            down=linear("txt_mlp.net.2"),
        ),
    )


@dataclass(frozen=True, slots=True)
class Rows:
    """The modulation of one stream at one step: each (rows, dim), the scales with 1 added."""

    shift1: Tensor
    scale1: Tensor
    gate1: Tensor
    shift2: Tensor
    scale2: Tensor
    gate2: Tensor
    boundary: int
    """Tokens before it take row 0, the others row 1."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """One stream between two blocks."""

    x: Tensor
    """(tokens, dim), bfloat16."""
    normed: Tensor
    """The same, normed and modulated for the block to come; empty after the last."""


def rows(table: Tensor, boundary: int) -> Rows:
    """Split a row of a `prepared` table, (6, rows, dim)."""
    shift1, scale1, gate1, shift2, scale2, gate2 = table.unbind(0)
    return Rows(shift1, scale1, gate1, shift2, scale2, gate2, boundary)


def prepared(table: Tensor) -> Tensor:
    """Return a table (…, rows, 6·dim) as (…, 6, rows, dim), with 1 added to the scales, rounded as diffusers does."""
    split = torch.stack(table.chunk(6, dim=-1), dim=-3).contiguous()
    for scale in (1, 4):
        split.select(-3, scale).copy_(1 + split.select(-3, scale))
    return split


def entering(x: Tensor, by: Rows) -> Tokens:
    """Return the tokens *x*, (tokens, dim), as the block that is modulated *by* them takes them."""
    return Tokens(x, launch.norm_modulate(x, by.scale1, by.shift1, by.boundary))


def forward(
    block: Parameters,
    picture: Tokens,
    text: Tokens,
    rotations: tuple[Tensor, Tensor],
    modulation: tuple[Rows, Rows],
    beside: torch.cuda.Stream,
    *,
    following: tuple[Rows, Rows] | None = None,
    asked: int | None = None,
) -> tuple[Tokens, Tokens]:
    """Return the two streams after the block, picture and text.

    Args:
        block: its parameters.
        picture: the output's tokens before the references'.
        text: the prompt's.
        rotations: of picture and text, (tokens, 64, 2), float32: cosine and sine.
        modulation: of picture and text.
        beside: where the text is computed while the picture is: its kernels are too small to fill a card.
        following: the modulation of the next block; None after the last.
        asked: in the last block, how many of the picture's tokens are asked for: nothing else is computed.
    """
    here = torch.cuda.current_stream()
    tokens, width = text.x.shape
    joint = picture.x.new_empty((tokens + len(picture.x), 3 * width))
    beside.wait_stream(here)
    with torch.cuda.stream(beside):
        _project(block.text, text.normed, joint[:tokens], rotations[1])
    _project(block.picture, picture.normed, joint[tokens:], rotations[0])
    here.wait_stream(beside)
    if asked is not None:
        attended = _attend(joint, slice(tokens, tokens + asked))
        del joint
        return _finish(block.picture, picture.x[:asked], attended, modulation[0], None), text
    attended = _attend(joint, slice(None))
    del joint
    after_picture, after_text = following or (None, None)
    beside.wait_stream(here)
    with torch.cuda.stream(beside):
        text = _finish(block.text, text.x, attended[:tokens], modulation[1], after_text)
    picture = _finish(block.picture, picture.x, attended[tokens:], modulation[0], after_picture)
    # What this block borrowed is given back when this stream is done with it, so the other must be done before.
    here.wait_stream(beside)
    return picture, text


def _project(stream: Stream, normed: Tensor, joint: Tensor, rotation: Tensor) -> None:
    """Write queries, keys and values of a stream into its part of *joint*, (tokens, 3·dim)."""
    stream.qkv.into(normed, joint)
    heads = normed.shape[1] // HEAD
    launch.norm_and_rotate(joint.view(len(normed), 3, heads, HEAD), rotation, stream.query_norm, stream.key_norm)


def _attend(joint: Tensor, asking: slice) -> Tensor:
    """Return the attention of the tokens of *asking* to all, (tokens, dim): the call of diffusers' native attention."""
    heads_first = joint.view(1, len(joint), 3, -1, HEAD).permute(2, 0, 3, 1, 4)
    query, key, value = heads_first.unbind(0)
    attended = functional.scaled_dot_product_attention(query[:, :, asking], key, value)
    return attended.permute(0, 2, 1, 3).flatten(2, 3)[0]


def _finish(stream: Stream, residual: Tensor, attended: Tensor, by: Rows, following: Rows | None) -> Tokens:
    """Return a stream after its output projection and its MLP."""
    projected = stream.out(attended)
    residual, normed = launch.gate_add_norm_modulate(residual, projected, by.gate1, by.scale2, by.shift2, by.boundary)
    del projected
    wide = stream.up(normed)
    # In place: the widest activation of all is held once.
    torch.ops.aten.gelu_(wide, approximate="tanh")
    del normed
    last = stream.down(wide)
    del wide
    if following is None:
        return Tokens(launch.gate_add(residual, last, by.gate2, by.boundary), last.new_empty(0))
    after = launch.gate_add_norm_modulate(
        residual, last, by.gate2, following.scale1, following.shift1, following.boundary
    )
    return Tokens(*after)
