"""What becomes of a LoRA where the weights come from: fused into a folder's, beside those of a file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from tests.engine.formats.weights import relative_error
from tests.fakes import lora_files, stored_files, tiny
from undercard.engine.files.checkpoint import open_checkpoint
from undercard.engine.files.open_stored import open_stored
from undercard.engine.streaming.sources import InMemory
from undercard.engine.streaming.streamer import HostStreamer
from undercard.engine.transformer import transformer
from undercard.engine.transformer.origin import File, Folder, Origin
from undercard.engine.weights.lora import Lora, open_lora
from undercard.engine.weights.modulation import Stream

CPU = torch.device("cpu")
LAYER = "transformer_blocks.1.attn.to_k"
PAIRS: tuple[tuple[int, Stream], ...] = ((0, "img"), (0, "txt"), (1, "img"), (1, "txt"))


@pytest.fixture(scope="module")
def quantised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a transformer of 8-bit floats, with its config beside it."""
    return stored_files.build(tmp_path_factory.mktemp("quantised"), "lightx2v")


def lora_for(folder: Path, path: Path) -> Lora:
    """Write a LoRA that changes one layer of the second block."""
    model = transformer.skeleton(folder)
    return open_lora(lora_files.writer(model, path)(layers=[LAYER]), model)


def weights_from(origin: Origin, folder: Path, lora: Lora | None) -> dict[str, Tensor]:
    """Return every matrix and vector of the blocks as they are computed with."""
    blocks = origin.blocks(transformer.skeleton(folder), lora)
    streamer = HostStreamer(blocks.layout, InMemory(origin.load(blocks, lora, CPU)))
    found = {}
    for number in range(streamer.count):
        with streamer.using(number) as buffer:
            for place in blocks.layout.places:
                found[f"transformer_blocks.{number}.{place.name}"] = blocks.layout.view(buffer, place.name).clone()
    streamer.close()
    return found


def product(lora: Lora) -> Tensor:
    """Return what the LoRA adds: alpha 1.3 at rank 4."""
    factors = load_file(lora.checkpoint.source)
    return 1.3 / 4 * factors[f"{LAYER}.lora_up.weight"].double() @ factors[f"{LAYER}.lora_down.weight"].double()


def changes(origin: Origin, folder: Path, lora: Lora) -> tuple[list[str], Tensor]:
    """Return the names of what the LoRA changes, and by how much it changes its one layer."""
    plain, changed = weights_from(origin, folder, None), weights_from(origin, folder, lora)
    names = [name for name in plain if not torch.equal(plain[name], changed[name])]
    return names, changed[f"{LAYER}.weight"].double() - plain[f"{LAYER}.weight"].double()


def test_a_folder_has_its_lora_fused_into_what_is_kept(checkpoint_2511: Path, tmp_path: Path) -> None:
    folder = checkpoint_2511 / "transformer"
    origin, lora = Folder(open_checkpoint(folder), "bf16"), lora_for(folder, tmp_path / "lora.safetensors")

    names, difference = changes(origin, folder, lora)

    assert names == [f"{LAYER}.weight"]
    assert relative_error(difference, product(lora)) < 0.01


def test_a_file_has_its_lora_added_to_what_is_decoded(quantised: Path, tmp_path: Path) -> None:
    folder = quantised.parent
    origin, lora = File(open_stored(quantised)), lora_for(folder, tmp_path / "lora.safetensors")

    names, difference = changes(origin, folder, lora)

    assert names == [f"{LAYER}.weight"]
    assert relative_error(difference, product(lora)) < 0.01


@pytest.fixture(params=["folder", "file"])
def origin(request: pytest.FixtureRequest, checkpoint_2511: Path, quantised: Path) -> tuple[Origin, Path, int]:
    """The origin, the folder of its config, and the width of the model."""
    if request.param == "file":
        return File(open_stored(quantised)), quantised.parent, stored_files.DIM
    folder = checkpoint_2511 / "transformer"
    return Folder(open_checkpoint(folder), "bf16"), folder, 64


def test_what_lies_around_the_blocks_is_loaded_and_they_are_not(origin: tuple[Origin, Path, int]) -> None:
    source, folder, width = origin
    written = tiny.filled(tiny.transformer(dim=width), seed=3).state_dict()
    model = transformer.skeleton(folder)

    source.load_rest(model, CPU)

    loaded = {name: value for name, value in model.named_parameters() if not value.is_meta}
    assert loaded.keys() == {name for name in written if not name.startswith("transformer_blocks.")}
    assert torch.equal(loaded["proj_out.bias"], written["proj_out.bias"])


def test_the_modulation_is_that_of_the_block_and_stream_that_are_asked_for(origin: tuple[Origin, Path, int]) -> None:
    source, _, width = origin
    written = tiny.filled(tiny.transformer(dim=width), seed=3).state_dict()

    with source.modulation(2, CPU) as weights:
        for block, stream in PAIRS:
            # Only until the next is asked for: it may be a view of what is read into.
            weight, bias = weights(block, stream)
            layer = f"transformer_blocks.{block}.{stream}_mod.1"
            assert torch.equal(bias, written[f"{layer}.bias"]), layer
            assert relative_error(weight, written[f"{layer}.weight"]) < 0.03, layer
