"""nunchaku's own transformer in diffusers' pipeline, as nunchaku's examples put it together for little memory.

Never run as a whole: no card that it takes was at hand, and on an H100 its kernels only ran by themselves. Written
against its sources of release 1.2.1 (nunchaku/models/transformers/transformer_qwenimage.py, nunchaku/models/utils.py,
examples/v1/qwen-image-edit-2509-lightning.py). What is here of its own is tested with diffusers' transformer in its
place and the diffusers of the other backends; so it also ran once on the processor with diffusers 0.36.0 and
transformers 4.57.6, which nunchaku needs.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import QwenImageEditPlusPipeline
from nunchaku import NunchakuQwenImageTransformer2DModel
from PIL.Image import Image

from undercard.backends.vendors.calling import ask, tell_of_pictures
from undercard.backends.vendors.renderer import Draw
from undercard.domain.requests import RenderRequest
from undercard.engine.stages import schedule
from undercard.store import Store


@dataclass(frozen=True, slots=True)
class Nunchaku:
    """What to open, and how."""

    folder: Path
    """A Qwen-Image-Edit in diffusers' layout, for all but the transformer."""
    file: Path
    """The transformer, with Lightning fused in: nunchaku takes no LoRA for Qwen."""
    steps: int
    store: Store
    resident: int
    """Blocks that stay on the card, at least one."""

    def load(self, device: torch.device, resources: ExitStack) -> Draw:
        """Open the pipeline for *device*."""
        transformer: Any = NunchakuQwenImageTransformer2DModel.from_pretrained(self.file, torch_dtype=torch.bfloat16)
        whole: Any = QwenImageEditPlusPipeline.from_pretrained(
            self.folder,
            transformer=transformer,
            scheduler=schedule.lightning(),
            torch_dtype=torch.bfloat16,
            local_files_only=True,
        )
        whole.set_progress_bar_config(disable=True)
        tell_of_pictures(whole.text_encoder, whole.text_encoder.config.image_token_id)
        if self.resident < len(transformer.transformer_blocks):
            # Once only: asked again it does nothing, whatever the number of blocks.
            transformer.set_offload(True, use_pin_memory=False, num_blocks_on_gpu=self.resident)
        # The list is the class's; one of this pipeline's own leaves every other pipeline as it was.
        whole._exclude_from_cpu_offload = [*whole._exclude_from_cpu_offload, "transformer"]
        whole.enable_sequential_cpu_offload(device=device)
        resources.callback(whole.remove_all_hooks)
        return lambda request: self._draw(whole, request)

    def _draw(self, whole: Any, request: RenderRequest) -> Image:
        picture: Image = ask(whole, request, self.store, request.steps or self.steps, "pil")[0]
        return picture
