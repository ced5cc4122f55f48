"""nunchaku's own package, where it really is installed and goes with what else is.

It computes in int4 on Ampere and Ada, in fp4 on Blackwell. The backend `nunchaku` runs the same files on more cards,
with the diffusers that the others use. What this one takes is partly measured (on an H100, which emulates int4), and
its seconds are an estimate.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

from undercard.backends import Needs, Renderer, Rung, Work
from undercard.backends.qwen import bf16
from undercard.backends.qwen.costs import ENCODER_BYTES, FRAGMENT_BYTES, HOST_BYTES, VAE_WEIGHT_BYTES
from undercard.backends.vendors import nunchaku_package
from undercard.backends.vendors.costs import Costs, copy_rate, open_seconds
from undercard.domain.unavailable import Cause, Unavailable
from undercard.hardware import devices
from undercard.hardware.devices import Device, Gpu
from undercard.models import weights
from undercard.models.weights import Weights
from undercard.settings import Settings
from undercard.store import Store

BYTES_A_WEIGHT = 0.86
"""Of a block, for a weight of those outside its modulation, which is in it: measured 5.1 GB with 20 blocks on the card
and 1.4 with one, 0.195 GB a block."""
BUFFERS = 2
"""Blocks that others pass through (`CPUOffloadManager`)."""
SPEED = 2.0
"""Of its int4 products over bf16's; an estimate, until somebody times it on a card with int4 in its tensor cores."""


@dataclass(frozen=True, slots=True)
class NunchakuOfficialBackend:
    """nunchaku's transformer in diffusers' pipeline, behind the contract of every backend."""

    name: str = "nunchaku-official"
    family: str = "qwen-image-edit"
    revision: int = 1
    exact: bool = False
    prompted: bool = True
    draws_itself: bool = False
    animates: bool = False
    in_child: bool = True

    def rungs(self, work: Work, device: Device, settings: Settings) -> tuple[Rung, ...]:
        """Return nunchaku with as many blocks on the card as fit, with half of those, and with one."""
        costs = Costs(work, weights.steps(self.name, settings), bf16.told_architecture(self.name, settings))
        gpu = device.gpu
        if gpu is None:
            return ()
        room = devices.allocatable_bytes(gpu) - FRAGMENT_BYTES - _beside_bytes(costs)
        most = min(costs.model.blocks, max(1, room // _block_bytes(costs) - BUFFERS))
        return tuple(self._rung(costs, gpu, kept) for kept in sorted({most, max(1, most // 2), 1}, reverse=True))

    def unavailable(self, device: Device, settings: Settings) -> Unavailable | None:
        """Say what is missing: a card that it has kernels for, the package, what goes with it, or the weights."""
        gpu = device.gpu
        if gpu is None:
            return Unavailable("nunchaku's kernels run on CUDA cards alone, and there is none", "", Cause.NO_CARD)
        lacking = nunchaku_package.missing(gpu) or bf16.missing_weights(self.name, settings)
        return lacking or _unfit(gpu, bf16.require(self.name, None, settings))

    def heeds(self, settings: Settings) -> frozenset[str]:
        """Return the number of steps, which is its pipeline's to choose for each picture."""
        return frozenset({"steps"})

    def open(self, device: Device, rung: Rung, settings: Settings) -> AbstractContextManager[Renderer]:
        """Open the pipeline as *rung* says.

        Raises:
            BackendUnavailable: it cannot run here.
            OutOfMemory: in the stage `open`.
        """
        found = bf16.require(self.name, self.unavailable(device, settings), settings)
        assert found.transformer is not None
        # Only a backend that opens needs torch.
        from undercard.backends.vendors import renderer
        from undercard.backends.vendors.nunchaku_model import Nunchaku

        model = Nunchaku(found.folder, found.transformer, found.steps, Store(settings.store_root), rung.resident_blocks)
        return renderer.opened(model.load, bf16.place_of(device), rung)

    def _rung(self, costs: Costs, gpu: Gpu, kept: int) -> Rung:
        block_bytes, blocks = _block_bytes(costs), costs.model.blocks
        buffers = 0 if kept == blocks else BUFFERS
        copied_bytes = costs.steps * (blocks - kept) * block_bytes + ENCODER_BYTES
        seconds = costs.steps * costs.computing_seconds(gpu) / SPEED + costs.stage_seconds(gpu)
        weight_bytes = blocks * block_bytes + costs.model.rest_bytes + ENCODER_BYTES + VAE_WEIGHT_BYTES
        needs = Needs(
            vram_bytes=(kept + buffers) * block_bytes + _beside_bytes(costs),
            host_bytes=HOST_BYTES + weight_bytes,
            seconds=seconds + copied_bytes / copy_rate(gpu),
            open_seconds=open_seconds(weight_bytes),
        )
        return Rung(
            backend=self.name,
            exact=False,
            needs=needs,
            detail=f"{kept} of {blocks} blocks resident",
            vram_limit=max(devices.allocatable_bytes(gpu), needs.vram_bytes),
            resident_blocks=kept,
        )


def _block_bytes(costs: Costs) -> int:
    """Return what a block takes, modulation included: 0.195 GB of the published model at rank 32."""
    return int(BYTES_A_WEIGHT * costs.model.block_weights)


def _beside_bytes(costs: Costs) -> int:
    """Return what the card holds beside the blocks, which stay there while the autoencoder works."""
    return costs.model.rest_bytes + max(costs.activation_bytes, costs.picture_bytes)


def _unfit(gpu: Gpu, found: Weights) -> Unavailable | None:
    """Return why nunchaku must not be given the weights that were *found*, or None when it may."""
    assert found.transformer is not None
    if not (found.folder / "tokenizer").is_dir():
        what = f"{found.folder} has no folder tokenizer"
        return Unavailable(what, "set UNDERCARD_MODEL to a whole Qwen-Image-Edit", Cause.WRONG_FILE)
    if found.lora is not None:
        what = f"nunchaku takes no LoRA for Qwen, and {found.transformer.name} does not say that Lightning is in it"
        otherwise = "set UNDERCARD_NUNCHAKU to a file with lightning in its name, or leave UNDERCARD_LORA out"
        return Unavailable(what, otherwise, Cause.WRONG_FILE)
    if bf16.config_of(found.folder).get("zero_cond_t"):
        what = f"{found.folder} is a Qwen-Image-Edit-2511, whose zero_cond_t nunchaku's package overlooks"
        instead = "the backend nunchaku runs it, or set UNDERCARD_MODEL and UNDERCARD_NUNCHAKU to 2509"
        return Unavailable(what, instead, Cause.WRONG_FILE)
    return nunchaku_package.unfit(found.transformer, gpu)


BACKEND = NunchakuOfficialBackend()
