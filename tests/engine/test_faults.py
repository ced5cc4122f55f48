from __future__ import annotations

import gc
import weakref

import pytest
import torch

from undercard.engine.faults import stage
from undercard.errors import BackendError, DeviceFault, HostMemoryExhausted, OutOfMemory

TORCH_MESSAGE = "CUDA out of memory. Tried to allocate 1.50 GiB. GPU 0 has a total capacity of 79.11 GiB"


def device_error(code: int) -> torch.AcceleratorError:
    error = torch.AcceleratorError("CUDA error: something")
    error.error_code = code  # type: ignore[attr-defined]  # as torch sets it
    return error


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (torch.OutOfMemoryError(TORCH_MESSAGE), OutOfMemory),
        (device_error(2), OutOfMemory),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), OutOfMemory),
        (device_error(700), DeviceFault),
        (MemoryError(), HostMemoryExhausted),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), HostMemoryExhausted),
    ],
)
def test_what_fails_on_the_device_is_told_by_its_cause(raised: Exception, expected: type[BackendError]) -> None:
    with pytest.raises(expected) as caught, stage("denoise"):
        raise raised

    assert type(caught.value) is expected


def test_an_out_of_memory_names_its_stage_and_what_was_wanted() -> None:
    with pytest.raises(OutOfMemory) as caught, stage("decode"):
        raise torch.OutOfMemoryError(TORCH_MESSAGE)

    assert (caught.value.stage, caught.value.wanted_bytes) == ("decode", 1536 * 1024**2)


@pytest.mark.parametrize("error", [RuntimeError("shapes cannot be multiplied"), KeyError("img_in")])
def test_an_error_that_memory_does_not_explain_passes_as_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, stage("denoise"):
        raise error

    assert caught.value is error


def test_a_translated_error_holds_nothing_that_was_on_the_device() -> None:
    activations: list[weakref.ref[torch.Tensor]] = []

    def attend() -> None:
        held = torch.zeros(8)
        activations.append(weakref.ref(held))
        raise torch.OutOfMemoryError(TORCH_MESSAGE)

    def denoise() -> None:
        with stage("denoise"):
            attend()

    kept: list[OutOfMemory] = []
    try:
        denoise()
    except OutOfMemory as error:
        kept.append(error)
    gc.collect()

    assert kept
    assert activations[0]() is None
