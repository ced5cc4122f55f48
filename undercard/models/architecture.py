"""The measures of a Qwen-Image-Edit transformer, from its configuration and without torch: weights and bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

BF16_BYTES = 2


@dataclass(frozen=True, slots=True)
class Architecture:
    """The transformer's measures, as in the `config.json` of its folder."""

    blocks: int = 60
    width: int = 3072
    """Channels of a token: heads × channels of a head."""
    text_width: int = 3584
    latent_width: int = 64

    @property
    def block_weights(self) -> int:
        """Weights of a block without its modulation, for both streams: four projections and a feed-forward of 4×."""
        biases_and_norms = 18 * self.width + 4 * 128
        return 24 * self.width**2 + biases_and_norms

    @property
    def rest_bytes(self) -> int:
        """What lies outside the blocks, in bf16: the projections in and out and the embedding of the timestep."""
        weights = (2 * self.latent_width + self.text_width + 256 + 3 * self.width) * self.width
        return BF16_BYTES * weights

    def table_bytes(self, steps: int) -> int:
        """Modulation of every block for *steps*: two rows of six widths for the picture, one for the text."""
        return steps * self.blocks * 3 * 6 * self.width * BF16_BYTES


QWEN_IMAGE_EDIT = Architecture()


def architecture(config: Mapping[str, object]) -> Architecture:
    """Return the measures in a transformer's *config*, Qwen-Image-Edit's own where it does not say."""

    def told(name: str, otherwise: int) -> int:
        value = config.get(name)
        return value if isinstance(value, int) else otherwise

    return Architecture(
        blocks=told("num_layers", QWEN_IMAGE_EDIT.blocks),
        width=told("num_attention_heads", 24) * told("attention_head_dim", 128),
        text_width=told("joint_attention_dim", QWEN_IMAGE_EDIT.text_width),
        latent_width=told("in_channels", QWEN_IMAGE_EDIT.latent_width),
    )
