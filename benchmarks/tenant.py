"""Holds a card's memory, so that whatever starts beside it meets a card as small as it says.

    python -m benchmarks.tenant --leave-gb 10.5

For programs whose allocator no cap of ours reaches. It says `here` when it holds what it takes, and stays until it is
ended. The CUDA context of the other program, about half a GB, comes out of what is left.
"""

from __future__ import annotations

import argparse
import signal

import torch

from benchmarks.engine_rows import GB


def hold(leave_bytes: int) -> torch.Tensor:
    """Return a tensor that fills the card but for *leave_bytes*.

    Raises:
        SystemExit: no more than that is free anyway.
    """
    free_bytes, _ = torch.cuda.mem_get_info()
    if free_bytes <= leave_bytes:
        raise SystemExit(f"{free_bytes / GB:.1f} GB are free, which is no more than {leave_bytes / GB:.1f}")
    return torch.empty(free_bytes - leave_bytes, dtype=torch.uint8, device="cuda")


def main() -> None:
    """Hold what the command line says until this process is ended."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--leave-gb", type=float, required=True, help="what stays free, in units of 10⁹ bytes")
    given = parser.parse_args()
    held = hold(int(given.leave_gb * GB))
    print(f"here, with {held.nbytes / GB:.1f} GB", flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
