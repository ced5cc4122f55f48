"""The Lightning schedule: the few timesteps at which the transformer is asked, whatever the picture's size."""

from __future__ import annotations

import math

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler

LIGHTNING = {
    "base_image_seq_len": 256,
    "base_shift": math.log(3),
    "invert_sigmas": False,
    "max_image_seq_len": 8192,
    "max_shift": math.log(3),
    "num_train_timesteps": 1000,
    "shift": 1.0,
    "shift_terminal": None,
    "stochastic_sampling": False,
    "time_shift_type": "exponential",
    "use_beta_sigmas": False,
    "use_dynamic_shifting": True,
    "use_exponential_sigmas": False,
    "use_karras_sigmas": False,
}
"""The scheduler that the Lightning LoRAs were distilled for (ModelTC/Qwen-Image-Lightning, README); the checkpoint's
own gives bad pictures at 4 or 8 steps. Equal shifts make the sigmas independent of the picture's size."""


def lightning() -> FlowMatchEulerDiscreteScheduler:
    """Return a new scheduler for 4 or 8 steps."""
    return FlowMatchEulerDiscreteScheduler.from_config(LIGHTNING)


def timesteps(steps: int, scheduler: FlowMatchEulerDiscreteScheduler | None = None) -> tuple[float, ...]:
    """Return the timesteps that the transformer sees in *steps* steps, each rounded to bf16 as diffusers' loop does.

    Raises:
        ValueError: the scheduler's timesteps depend on the picture's size, so that no table can be made for them.
    """
    scheduler = scheduler or lightning()
    shift = scheduler.config["max_shift"]
    if scheduler.config["use_dynamic_shifting"] and scheduler.config["base_shift"] != shift:
        raise ValueError(
            f"base_shift {scheduler.config['base_shift']} differs from max_shift {shift}, so the timesteps depend on "
            "the picture's size; use the Lightning scheduler"
        )
    # As QwenImageEditPlusPipeline asks for them: evenly spaced, shifted by the scheduler.
    scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / steps, steps), mu=shift)
    # The loop rounds t to bf16 first and divides by 1000 in bf16 after, which is not the same as the other way round.
    return tuple((scheduler.timesteps.to(torch.bfloat16) / 1000).tolist())
