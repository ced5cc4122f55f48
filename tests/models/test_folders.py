"""A folder in diffusers' layout: whole, or not, and which edition."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests import here
from tests.fakes import tiny_models
from tests.fakes.hub_server import Published
from undercard.errors import BadCheckpoint
from undercard.models import catalogue_file
from undercard.models.catalogue import ModelSpec
from undercard.models.folders import edition_of, prove_folder


@pytest.fixture
def folder(published: Published, tmp_path: Path) -> Path:
    """Write a whole Edit-2511."""
    root = tmp_path / "edit"
    for path, content in published.repositories[tiny_models.BASE].files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root


@pytest.fixture
def model(published: Published) -> ModelSpec:
    return catalogue_file.load(here.settings()).named("base-2511")


def shards(folder: Path, part: str) -> list[Path]:
    return sorted((folder / part).glob("*.safetensors"))


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_whole_folder_is_proved(folder: Path, model: ModelSpec) -> None:
    prove_folder(folder, model)

    assert edition_of(folder) == "2511"


def test_weights_in_one_file_need_no_index(folder: Path, model: ModelSpec) -> None:
    assert len(shards(folder, "vae")) == 1
    assert not list((folder / "vae").glob("*.index.json"))

    prove_folder(folder, model)


def test_another_edition_is_told_by_its_configuration(folder: Path, model: ModelSpec) -> None:
    change(folder / "transformer" / "config.json", zero_cond_t=False)

    with pytest.raises(BadCheckpoint, match="is not Tiny-Edit-2511: it is configured as Edit-2509"):
        prove_folder(folder, model)


@pytest.mark.parametrize("pipeline", ["QwenImagePipeline", "QwenImageEditPipeline", "FluxPipeline"])
def test_another_pipeline_is_refused(pipeline: str, folder: Path, model: ModelSpec) -> None:
    change(folder / "model_index.json", _class_name=pipeline)

    with pytest.raises(BadCheckpoint, match=f"holds another model: it is configured as {pipeline}"):
        prove_folder(folder, model)


def test_a_missing_shard_is_named(folder: Path, model: ModelSpec) -> None:
    shards(folder, "text_encoder")[1].unlink()

    with pytest.raises(BadCheckpoint, match=r"text_encoder is not whole: it lacks model-00002-of-00004\.safetensors"):
        prove_folder(folder, model)


def test_a_shard_that_was_cut_short_is_named(folder: Path, model: ModelSpec) -> None:
    shard = shards(folder, "transformer")[0]
    shard.write_bytes(shard.read_bytes()[:-100])

    with pytest.raises(BadCheckpoint, match=r"diffusion_pytorch_model-00001-of-00004\.safetensors is cut short"):
        prove_folder(folder, model)


def test_two_shards_that_were_swapped_are_noticed(folder: Path, model: ModelSpec) -> None:
    first, second, *_ = shards(folder, "transformer")
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)

    with pytest.raises(BadCheckpoint, match=r"is not what its index says: it lacks '"):
        prove_folder(folder, model)


def test_a_transformer_of_another_model_is_refused(folder: Path, model: ModelSpec) -> None:
    shutil.rmtree(folder / "transformer")
    shutil.copytree(folder / "vae", folder / "transformer")
    change(folder / "transformer" / "config.json", _class_name="QwenImageTransformer2DModel", num_layers=2)
    change(folder / "transformer" / "config.json", zero_cond_t=True)

    with pytest.raises(BadCheckpoint, match="holds another model: its tensors are called"):
        prove_folder(folder, model)


def test_a_missing_part_is_named(folder: Path, model: ModelSpec) -> None:
    shutil.rmtree(folder / "processor")

    with pytest.raises(BadCheckpoint, match="is not whole: it has no processor"):
        prove_folder(folder, model)


def test_the_transformers_weights_may_be_left_out_where_another_file_has_them(folder: Path, model: ModelSpec) -> None:
    for shard in shards(folder, "transformer"):
        shard.unlink()

    prove_folder(folder, model, without_transformer=True)
    with pytest.raises(BadCheckpoint, match="transformer is not whole"):
        prove_folder(folder, model)


def test_a_model_with_fewer_blocks_is_refused(folder: Path, model: ModelSpec) -> None:
    with pytest.raises(BadCheckpoint, match="its transformer has 2 of 60 blocks"):
        prove_folder(folder, model.model_copy(update={"blocks": 60}))


@pytest.mark.parametrize("content", ["", "[]", "{"])
def test_a_damaged_description_is_named(content: str, folder: Path) -> None:
    (folder / "transformer" / "config.json").write_text(content)

    with pytest.raises(BadCheckpoint, match=r"transformer/config\.json"):
        edition_of(folder)
