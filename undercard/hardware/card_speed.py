"""How fast a card computes in bf16, from its cores and clock or from its generation."""

from __future__ import annotations

from undercard.hardware.devices import Gpu

EFFICIENCY = 0.595
"""Share of a card's nominal bf16 rate that a step reaches: 170 TFLOP in 0.289 s on an H100 of 989 TFLOP/s."""
TENSOR_FACTOR = {(8, 0): 16.0, (9, 0): 14.8, (10, 0): 28.0, (10, 3): 28.0}
"""Dense bf16 rate over the float32 rate of the ordinary cores, by capability: 312/19.5 TFLOP/s on an A100, 989/66.9 on
an H100, 2250/80 on a B200 (NVIDIA's data sheets)."""
WORKSTATION_FACTOR, GEFORCE_FACTOR, TURING_FACTOR = 4.0, 2.0, 1.0
"""The same for the other cards: 155/38.7 on an A6000, 362/91.6 on an L40S; GeForce cards add in float32 at half that
rate (71/35.6 on an RTX 3090, 165/82.6 on a 4090); Turing has no bf16 in its tensor cores."""
FLOAT_RATE = {7: 10.0e12, 8: 20.0e12, 9: 66.9e12, 10: 80.0e12, 12: 40.0e12}
"""Float32 operations a second of a middling card, by major capability, where the driver tells no cores or clock."""
CPU_CORE_RATE = 30.0e9
"""Float operations a second of one core with AVX2."""


def tensor_rate(gpu: Gpu) -> float:
    """Return the nominal dense bf16 operations a second of *gpu*, with sums in float32."""
    major, _ = gpu.capability
    ordinary = gpu.float_rate or FLOAT_RATE.get(major, FLOAT_RATE[8])
    if major < 8:
        return TURING_FACTOR * ordinary
    consumer = GEFORCE_FACTOR if "GeForce" in gpu.name else WORKSTATION_FACTOR
    return ordinary * TENSOR_FACTOR.get(gpu.capability, consumer)


def slowness(gpu: Gpu) -> float:
    """Return how many times as long as on an H100 something takes that was measured there."""
    return FLOAT_RATE[9] * TENSOR_FACTOR[9, 0] / tensor_rate(gpu)
