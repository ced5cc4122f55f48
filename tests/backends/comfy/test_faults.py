"""What a server's words mean: there is nothing else to tell one failure from another by."""

from __future__ import annotations

import pytest

from undercard.backends.comfy import faults
from undercard.backends.comfy.nodes import Node
from undercard.errors import BackendError, DeviceFault, OutOfMemory

NODE = {"node_id": "7", "node_type": "KSampler"}
GIB = 2**30


def told(kind: str, said: str, **more: str) -> dict[str, object]:
    return {**NODE, "exception_type": kind, "exception_message": said, **more}


@pytest.mark.parametrize(
    ("kind", "stage"),
    [
        ("KSamplerAdvanced", "denoise"),
        ("VAEDecodeTiled", "decode"),
        ("TextEncodeQwenImageEditPlus", "encode"),
        ("VAEEncode", "encode"),
        ("UnetLoaderGGUF", "open"),
        ("SaveImage", ""),
    ],
)
def test_a_node_works_in_the_stage_that_its_kind_names(kind: str, stage: str) -> None:
    assert faults.stage_of(kind) == stage


@pytest.mark.parametrize(
    ("kind", "said", "wanted"),
    [
        ("torch.OutOfMemoryError", "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has", 5 * GIB // 2),
        ("torch.cuda.OutOfMemoryError", "Allocation on device 0 would exceed, tried to allocate 20.00 MiB", 20 * 2**20),
        ("RuntimeError", "HIP: Out Of Memory. Tried to allocate 512.00 KiB", 2**19),
        ("MemoryError", "", 0),
        ("RuntimeError", "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 9 bytes", 0),
        ("torch.AcceleratorError", "CUDA error: out of memory", 0),
    ],
)
def test_memory_that_ran_out_is_told_by_type_or_words_with_what_was_wanted(kind: str, said: str, wanted: int) -> None:
    error = faults.failure(told(kind, said))

    assert isinstance(error, OutOfMemory)
    assert (error.stage, error.wanted_bytes) == ("denoise", wanted)
    assert str(error) == f"ComfyUI ran out of memory at node 7 (KSampler): {said or kind}"


@pytest.mark.parametrize(
    ("kind", "said"),
    [("torch.AcceleratorError", "unspecified launch failure"), ("RuntimeError", "CUDA error: device-side assert")],
)
def test_a_card_that_failed_is_a_fault_of_the_device(kind: str, said: str) -> None:
    error = faults.failure(told(kind, said, node_type="VAEDecode"))

    assert (type(error), error.stage) == (DeviceFault, "decode")
    assert str(error) == f"ComfyUI's card failed at node 7 (VAEDecode): {said}; restart ComfyUI if it goes on"


def test_any_other_failure_names_its_type_and_is_cut_to_a_few_lines() -> None:
    words = "shapes do not fit: " + "9" * 999

    error = faults.failure(told("ValueError", f" {words}\n"))

    assert (type(error), error.stage) == (BackendError, "denoise")
    assert str(error) == f"ComfyUI failed at node 7 (KSampler): {words[:300]} (ValueError)"
    assert str(faults.failure({})) == "ComfyUI failed at node None (None): an error (an error)"


def test_an_interruption_names_the_node_and_how_to_go_on() -> None:
    assert str(faults.interruption(NODE)) == (
        "somebody interrupted ComfyUI at node 7 (KSampler); run the same again with `failed` to go on"
    )


def test_a_refusal_lists_every_input_by_the_nodes_of_our_own_graph() -> None:
    refused = {
        "error": {"message": "Prompt outputs failed validation"},
        "node_errors": {
            "7": {
                "class_type": "another",
                "errors": [{"message": "Value too small", "details": "steps"}, {"message": "Bad", "details": "cfg"}],
            },
            "9": {"class_type": "VAEDecode", "errors": [{"message": "Required input is missing", "details": "vae"}]},
        },
    }

    assert str(faults.refusal(refused, {"7": Node("KSampler", {})})) == (
        "ComfyUI refuses the graph: node 7 (KSampler): Value too small (steps); node 7 (KSampler): Bad (cfg); "
        "node 9 (VAEDecode): Required input is missing (vae)"
    )


@pytest.mark.parametrize(
    ("refused", "why"),
    [
        ({"error": {"message": "Prompt has no outputs.", "details": ""}, "node_errors": []}, "Prompt has no outputs"),
        ({"error": {"message": "Cannot execute.", "details": "node 3"}}, "Cannot execute (node 3)"),
        ({}, "it does not say why"),
    ],
)
def test_a_refusal_of_the_graph_as_a_whole_says_why_where_it_does(refused: dict[str, object], why: str) -> None:
    assert str(faults.refusal(refused, {})) == f"ComfyUI refuses the graph: {why}"
