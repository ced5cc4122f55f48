"""The catalogue of models: the project's own, and what is said of one with mistakes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import here
from undercard import backends, settings
from undercard.errors import BadCatalogue, BadInput, UnknownModel
from undercard.models import catalogue_file, weights
from undercard.models.catalogue import TRANSFORMERS, Catalogue, FileSpec, Layout, ModelSpec

BRIEF = {
    *("bf16", "fp8", "int8", "nf4", "gguf", "fp8-lightning", "nunchaku", "nunchaku-official"),
    *("diffsynth", "cpu-offload", "comfyui"),
}
"""Backends that need models."""
MODEL = """\
[[model]]
name = "a"
title = "A"
repository = "x/y"
revision = "main"
licence = "MIT"
layout = "lora"
steps = 4
strength = 1.0
files = [
  { path = "a.safetensors", about_bytes = 10 },
]
"""
BASE = """\
[[model]]
name = "base"
title = "Base"
repository = "x/z"
revision = "main"
licence = "MIT"
layout = "diffusers"
edition = "2511"
blocks = 60
files = [
  { path = "transformer/*.safetensors", part = "transformer", about_bytes = 10 },
]
"""


@pytest.fixture(scope="module")
def own() -> Catalogue:
    """Return the project's own catalogue."""
    return catalogue_file.parse((settings.project_root() / "data" / "models.toml").read_text("utf-8"), "models.toml")


def told(text: str) -> str:
    with pytest.raises(BadCatalogue) as caught:
        catalogue_file.parse(text, "models.toml")
    return str(caught.value)


def test_it_is_for_the_backends_of_the_brief_and_no_others(own: Catalogue) -> None:
    assert set(own.backends()) == BRIEF


def test_every_backend_of_a_model_has_kits(own: Catalogue) -> None:
    models = {name for name in backends.names() if backends.backend(name).family == "qwen-image-edit"}

    assert models <= set(own.backends())


def test_the_whole_of_2511_is_what_its_files_are_together(own: Catalogue) -> None:
    base = own.named("qwen-image-edit-2511")

    whole, rest = (sum(file.size_bytes for file in base.wanted(without_transformer=partly)) for partly in (False, True))

    assert 57.6e9 < whole < 57.9e9
    assert whole - rest == 40_861_028_288


def test_a_kit_takes_a_base_of_the_edition_of_its_transformers_and_loras(own: Catalogue) -> None:
    for kit in own.kit:
        editions = {own.named(name).edition for name in kit.names()} - {None}
        assert len(editions) == 1, kit


def test_every_lora_has_as_many_pairs_as_a_block_has_linear_layers(own: Catalogue) -> None:
    loras = [model for model in own.model if model.layout is Layout.LORA]

    # q, k, v and out of both streams, and two layers in each of their two networks.
    assert [model.pairs for model in loras] == [60 * 12] * 4
    assert {(model.edition, model.steps) for model in loras} == {("2509", 4), ("2509", 8), ("2511", 4), ("2511", 8)}
    assert {model.strength for model in loras} == {1.0}


def test_a_lora_is_named_for_the_steps_that_it_is_for(own: Catalogue) -> None:
    for model in own.model:
        if model.steps is not None:
            assert f"{model.steps}steps" in model.file.path or f"{model.steps}steps" in model.name


def test_fp4_is_for_blackwell_only(own: Catalogue) -> None:
    least = {model.layout: model.least_capability for model in own.model if model.layout in TRANSFORMERS}

    assert least[Layout.SVDQ_FP4] == "10.0"
    assert least[Layout.SVDQ_INT4] == "7.5"
    assert least[Layout.GGUF] is None


def test_what_comfyui_needs_has_a_folder_of_comfyuis(own: Catalogue) -> None:
    needed = {name for kit in own.kits("comfyui") for name in kit.names()}

    assert {own.named(name).comfyui for name in needed} == {"unet", "loras", "text_encoders", "vae"}


def test_nothing_but_safetensors_and_gguf_holds_weights(own: Catalogue) -> None:
    weighty = {Path(file.path).suffix for model in own.model for file in model.files if file.size_bytes > 50_000_000}

    assert weighty == {".safetensors", ".gguf"}


def test_a_model_that_does_not_exist_is_named_with_those_that_do(own: Catalogue) -> None:
    with pytest.raises(UnknownModel, match=r"model 'gguf' does not exist; use one of .*gguf-2511-q4-k-m"):
        own.named("gguf")


@pytest.mark.parametrize(
    ("path", "matching", "others"),
    [
        ("*/*.json", ["vae/config.json"], ["model_index.json", "a/b/c.json", "vae/config.txt"]),
        ("vae/*.safetensors", ["vae/a.safetensors"], ["vae.safetensors", "vae/a/b.safetensors", "xvae/a.safetensors"]),
        ("model_index.json", ["model_index.json"], ["other/model_index.json", "model_index.jsonx"]),
    ],
)
def test_a_star_stands_for_anything_within_a_folder(path: str, matching: list[str], others: list[str]) -> None:
    spec = FileSpec(path=path, about_bytes=1)

    assert [each for each in (*matching, *others) if spec.matches(each)] == matching


@pytest.mark.parametrize("ending", [".bin", ".pt", ".pth", ".ckpt", ".pkl", ".py", ".safetensors.bin", ""])
def test_a_pickle_is_refused_by_name(ending: str) -> None:
    text = told(MODEL.replace("a.safetensors", f"a{ending}"))

    assert "models.toml:11: model › a › files[0]: it should end in one of .gguf, .jinja, .json" in text
    assert "no pickle" in text


@pytest.mark.parametrize("path", ["/etc/passwd.json", "../a.json", "a/../../b.json", "a\\\\b.json"])
def test_a_path_out_of_its_repository_is_refused(path: str) -> None:
    assert "should name a file below the repository's root" in told(MODEL.replace("a.safetensors", path))


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('licence = "MIT"\n', "", "models.toml:1: model › a › licence: it is missing; add it"),
        ('licence = "MIT"', 'license = "MIT"', "models.toml:6: model › a › license: unknown key; use blocks, comfyui"),
        ("about_bytes = 10", 'about_bytes = "ten"', "models.toml:11: model › a › files[0] › about_bytes: 'ten' should"),
        ("about_bytes = 10", "size = 10", "models.toml:11: model › a › files[0] › size: unknown key; use about_bytes"),
        ("about_bytes = 10", "about_bytes = 10, bytes = 10", "should have either `bytes` or `about_bytes`"),
        ('revision = "main"', 'revision = "v1"', "models.toml:5: model › a › revision: 'v1' "),
        ('layout = "lora"', 'layout = "pickle"', "models.toml:7: model › a › layout: 'pickle' should be 'diffusers', "),
        ("strength = 1.0\n", "", "it should have `steps` and `strength`, since it is a LoRA"),
        ('name = "a"', 'name = "A b"', "models.toml:2: model › A b › name: 'A b' "),
        ('repository = "x/y"', 'repository = "https://x/y"', "models.toml:4: model › a › repository"),
        ("a.safetensors", "*.safetensors", "should have one file without `*`"),
    ],
)
def test_a_mistake_is_told_by_line_and_key(before: str, after: str, words: str) -> None:
    assert words in told(MODEL.replace(before, after))


def test_every_mistake_is_told_at_once() -> None:
    text = told(MODEL.replace('"MIT"', "1").replace('"main"', '"x"'))

    assert text.startswith("models.toml: 2 problems\n")
    assert [int(line) for line in re.findall(r"models\.toml:(\d+):", text)] == [5, 6]


def test_what_is_no_toml_is_told_by_line() -> None:
    assert "models.toml:2: the file: not TOML: " in told("a = 1\nb = \n")


@pytest.mark.parametrize(
    ("kit", "words"),
    [
        ('base = "b"\nlora = ["a"]', "models.toml:27: kit › bf16: 'b' is no model of this catalogue"),
        ('base = "a"\nlora = ["a"]', "models.toml:29: kit › bf16 › base: 'a' is no folder in diffusers' layout"),
        ('base = "base"\nlora = ["base"]', "kit › bf16 › lora: 'base' is no LoRA"),
        ('base = "base"\ntransformer = ["a"]\nlora = ["a"]', "kit › bf16 › transformer: 'a' is no transformer"),
        ('base = "base"', "kit › bf16: nothing in it makes 4 or 8 steps enough"),
        ('lora = ["a"]\nsteps = 4', "models.toml:30: kit › bf16 › steps: unknown key; use also, backends, base, lora"),
    ],
)
def test_a_kit_that_does_not_hold_together_is_told(kit: str, words: str) -> None:
    assert words in told(f'{MODEL}\n{BASE}\n[[kit]]\nbackends = ["bf16"]\n{kit}\n')


def test_a_kit_of_two_editions_is_told() -> None:
    lora = MODEL.replace("steps = 4", 'edition = "2509"\nsteps = 4')

    text = told(f'{lora}\n{BASE}\n[[kit]]\nbackends = ["bf16"]\nbase = "base"\nlora = ["a"]\n')

    assert "kit › bf16: it mixes editions 2509 and 2511; make a kit for each" in text


def test_a_name_that_is_there_twice_is_told() -> None:
    assert "models.toml:15: model › a › name: 'a' is there twice" in told(f"{MODEL}\n{MODEL}")


def test_a_catalogue_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNDERCARD_CATALOGUE", str(tmp_path / "none.toml"))

    with pytest.raises(BadInput, match=r"none\.toml cannot be read: No such file .*; set UNDERCARD_CATALOGUE"):
        catalogue_file.load(here.settings())


def test_a_catalogue_that_changes_is_read_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "models.toml"
    path.write_text(MODEL)
    monkeypatch.setenv("UNDERCARD_CATALOGUE", str(path))
    assert catalogue_file.load(here.settings()).named("a").title == "A"

    path.write_text(MODEL.replace('title = "A"', 'title = "B"'))

    assert catalogue_file.load(here.settings()).named("a").title == "B"


def test_models_are_values_that_a_cache_can_be_asked_by(own: Catalogue) -> None:
    assert len({*own.model}) == len(own.model)
    assert isinstance(own.model[0], ModelSpec)


def test_without_a_checkout_the_packages_copy_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(settings, "project_root", lambda: tmp_path)
    # Another setting, so that what was parsed before is not taken.
    monkeypatch.setenv("UNDERCARD_TAKE_LIMIT", "7")

    assert settings.load().catalogue_file == Path(settings.__file__).parent / "models" / "models.toml"
    assert weights.ENGINE in BRIEF
