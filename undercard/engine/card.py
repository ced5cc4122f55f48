"""The card of this process: which one, how much of it may be taken, how much was."""

from __future__ import annotations

import torch


def device_at(place: str) -> torch.device:
    """Return the device that torch calls *place*, such as `cuda:0` or `cpu`."""
    return torch.device(place)


def numbered(device: torch.device) -> torch.device:
    """Return *device* with its number: some of torch takes one without for the current card, and some refuses it."""
    if device.type == "cuda" and device.index is None:
        return torch.device("cuda", torch.cuda.current_device())
    return device


def limit(device: torch.device, most_bytes: int) -> None:
    """Let torch's allocator take *most_bytes* of *device* at most; 0 for no limit."""
    if device.type == "cuda" and most_bytes:
        total = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, most_bytes / total), device)


def forget_peak(device: torch.device) -> None:
    """Begin to note what is taken at most."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_bytes(device: torch.device) -> int:
    """Return what torch's allocator held on *device* at most; 0 on the processor."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0
