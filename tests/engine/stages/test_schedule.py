from __future__ import annotations

import pytest
from diffusers import FlowMatchEulerDiscreteScheduler

from undercard.engine.stages import schedule


def test_four_lightning_steps_fall_as_the_distillation_did() -> None:
    # bf16 keeps 8 bits, and the loop rounds twice.
    assert schedule.timesteps(4) == pytest.approx((1.0, 0.9, 0.75, 0.5), rel=2**-7)


def test_the_timesteps_of_a_schedule_that_follows_the_size_are_refused() -> None:
    scheduler = FlowMatchEulerDiscreteScheduler.from_config({**schedule.LIGHTNING, "base_shift": 0.5})

    with pytest.raises(ValueError, match="depend on the picture's size"):
        schedule.timesteps(4, scheduler)
