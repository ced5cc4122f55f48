"""Qwen-Image's autoencoder for one picture at a time: whole, or in seamless tiles where memory is short.

diffusers' own `encode` and `decode` copy the input of every convolution for the next frame of a video, and its tiles
are blended where they overlap, which changes the picture. Here nothing is kept for a next frame, and tiles carry the
halo that their convolutions reach for (see `tiles`): RMS norms act on single pixels, and the only layer that looks
at the whole picture, the attention of the middle block, works at an eighth of the resolution and is never tiled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
from diffusers import AutoencoderKLQwenImage
from diffusers.models.autoencoders.vae import DecoderOutput, DiagonalGaussianDistribution
from diffusers.models.modeling_outputs import AutoencoderKLOutput
from torch import Tensor, nn

from undercard.engine import faults
from undercard.engine.vae import tiles
from undercard.engine.vae.tiles import Layer
from undercard.engine.vae.vae_memory import WHOLE, Direction, Tiling, fitting, smaller
from undercard.errors import OutOfMemory

RESIDUAL_REACH = 2
"""Two 3×3 convolutions one after the other: QwenImageResidualBlock."""

Free: TypeAlias = Callable[[], int]


def decoder_layers(autoencoder: AutoencoderKLQwenImage) -> list[Layer]:
    """Return what follows the decoder's middle block: residual blocks and upsamplers, then the head."""
    decoder = autoencoder.decoder
    layers = []
    for block in decoder.up_blocks:
        layers += [_residual(part) for part in block.resnets]
        layers += [
            Layer(part, takes=part.dim, gives=part.dim // 2, reach=0, scale="up") for part in block.upsamplers or ()
        ]
    return [*layers, _head(decoder)]


def encoder_layers(autoencoder: AutoencoderKLQwenImage) -> list[Layer]:
    """Return what leads to the encoder's middle block: the first convolution, residual blocks and downsamplers."""
    encoder = autoencoder.encoder
    if autoencoder.config["attn_scales"]:
        raise ValueError(f"attention at scales {autoencoder.config['attn_scales']} looks beyond any tile's halo")
    layers = [Layer(encoder.conv_in, encoder.conv_in.in_channels, encoder.conv_in.out_channels, reach=1)]
    for part in encoder.down_blocks:
        resamples = hasattr(part, "resample")
        layers.append(Layer(part, part.dim, part.dim, reach=0, scale="down") if resamples else _residual(part))
    return layers


def _residual(block: Any) -> Layer:
    return Layer(block, block.in_dim, block.out_dim, reach=RESIDUAL_REACH)


def _head(part: Any) -> Layer:
    """Return the norm, activation and 3×3 convolution that end the encoder and the decoder."""
    head = nn.Sequential(part.norm_out, part.nonlinearity, part.conv_out)
    return Layer(head, part.conv_out.in_channels, part.conv_out.out_channels, reach=1)


def decode(autoencoder: AutoencoderKLQwenImage, latents: Tensor, tiling: Tiling = WHOLE) -> Tensor:
    """Return the picture of *latents*, in -1…1.

    Args:
        autoencoder: on the device of *latents*.
        latents: (1, z_dim, 1, height / 8, width / 8), in the autoencoder's own units.
        tiling: which of `decoder_layers` to run in tiles, and in how many.

    Returns:
        (1, 3, 1, height, width).
    """
    layers = decoder_layers(autoencoder)
    x = autoencoder.decoder.conv_in(autoencoder.post_quant_conv(latents))
    x = tiles.run(layers[: tiling.split], autoencoder.decoder.mid_block(x))
    return _tiled(layers[tiling.split :], x, tiling).clamp_(-1.0, 1.0)


def encode(autoencoder: AutoencoderKLQwenImage, picture: Tensor, tiling: Tiling = WHOLE) -> Tensor:
    """Return the moments of the latents of *picture*: means and logarithms of variances.

    Args:
        autoencoder: on the device of *picture*.
        picture: (1, 3, 1, height, width), in -1…1.
        tiling: which of `encoder_layers` to run in tiles, and in how many.

    Returns:
        (1, 2·z_dim, 1, height / 8, width / 8).
    """
    layers = encoder_layers(autoencoder)
    x = tiles.run(layers[tiling.split :], _tiled(layers[: tiling.split], picture, tiling))
    x = autoencoder.encoder.mid_block(x)
    moments: Tensor = autoencoder.quant_conv(_head(autoencoder.encoder).module(x))
    return moments


def _tiled(layers: Sequence[Layer], x: Tensor, tiling: Tiling) -> Tensor:
    if not layers or tiling.count == 1:
        return tiles.run(layers, x)
    return tiles.run_tiled(layers, x, tiling.rows, tiling.columns)


class PictureVae(nn.Module):
    """Stands in for AutoencoderKLQwenImage in a pipeline: the same numbers in the memory that is free.

    What runs out of memory is run again in smaller tiles, and `notes` says so.
    """

    def __init__(
        self,
        autoencoder: AutoencoderKLQwenImage,
        free_bytes: Free | None = None,
        make_room: Callable[[], None] | None = None,
    ) -> None:
        super().__init__()
        self.autoencoder = autoencoder
        self.free_bytes = free_bytes
        """Asked before each picture; None for a device with enough."""
        self.make_room = make_room
        """Frees what can be had again, called where a picture would not fit whole."""
        self.whole_only = False
        """Rather run out of memory than cut a picture: its pixels are to be exact."""
        self.whole_first = False
        """Decode whole even where that is foreseen not to fit, and in the largest tiles that do where it does not:
        a picture in tiles was rejected. More overlap would change nothing, as tiles have all that they depend on."""
        self.tiled = False
        """The last picture was decoded in tiles."""
        self.notes: list[str] = []
        self.config = autoencoder.config
        self.temperal_downsample = autoencoder.temperal_downsample

    @property
    def dtype(self) -> torch.dtype:
        """The type of its parameters."""
        dtype: torch.dtype = self.autoencoder.dtype
        return dtype

    @property
    def device(self) -> torch.device:
        """Where its parameters are."""
        device: torch.device = next(self.autoencoder.parameters()).device
        return device

    def encode(self, picture: Tensor) -> Any:
        """Return what diffusers' `encode` returns.

        Raises:
            OutOfMemory: the smallest tiles take more than there is, or the whole where only that will do.
        """
        moments = self._run("encode", encode, encoder_layers(self.autoencoder), picture)
        return AutoencoderKLOutput(latent_dist=DiagonalGaussianDistribution(moments))

    def decode(self, latents: Tensor, *, return_dict: bool = True) -> Any:
        """Return what diffusers' `decode` returns.

        Raises:
            OutOfMemory: the smallest tiles take more than there is, or the whole where only that will do.
        """
        picture = self._run("decode", decode, decoder_layers(self.autoencoder), latents)
        return DecoderOutput(sample=picture) if return_dict else (picture,)

    def _run(
        self,
        direction: Direction,
        work: Callable[[AutoencoderKLQwenImage, Tensor, Tiling], Tensor],
        layers: Sequence[Layer],
        x: Tensor,
    ) -> Tensor:
        length = (x.shape[-2], x.shape[-1])
        make_room = self.make_room
        tiling: Tiling | None = WHOLE
        if self.free_bytes is not None:
            tiling = fitting(direction, layers, length, self.free_bytes())
            if tiling.count > 1 and make_room is not None:
                make_room()
                make_room = None
                tiling = fitting(direction, layers, length, self.free_bytes())
        if self.whole_only or (self.whole_first and direction == "decode"):
            tiling = WHOLE
        failure: OutOfMemory | None = None
        while tiling is not None:
            answer, failure = _attempt(lambda plan: work(self.autoencoder, x, plan), tiling, direction)
            if answer is not None:
                self.tiled = direction == "decode" and tiling.count > 1
                if tiling.count > 1:
                    # Measured on an H100, where cuDNN takes other kernels for smaller pictures; two strips gave 0.
                    self.notes.append(f"{direction} {tiling} for want of memory: up to 3 of 255 levels from whole")
                return answer
            self.notes.append(f"ran out of memory: {direction} {tiling}")
            torch.cuda.empty_cache()
            if make_room is not None:
                # The same again, with the blocks' memory.
                make_room()
                make_room = None
            else:
                tiling = None if self.whole_only else smaller(direction, layers, length, tiling)
        raise OutOfMemory(str(failure), stage=_stage(direction))


def _stage(direction: Direction) -> faults.Stage:
    """Return the stage of a keyframe that runs the autoencoder in *direction*: references are encoded to denoise."""
    return "decode" if direction == "decode" else "denoise"


Answer: TypeAlias = tuple[Tensor | None, OutOfMemory | None]


def _attempt(work: Callable[[Tiling], Tensor], tiling: Tiling, direction: Direction) -> Answer:
    try:
        with faults.stage(_stage(direction)):
            return work(tiling), None
    except OutOfMemory as failure:
        return None, failure
