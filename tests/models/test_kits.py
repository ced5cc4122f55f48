"""Which models of a kit are picked, where the settings name what each is: nothing is looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import here
from undercard.models import kits
from undercard.models.catalogue import Catalogue, FileSpec, KitSpec, Layout, ModelSpec
from undercard.models.kits import Filled, Pick, Wish
from undercard.models.presence import Look

OWN = Wish(base=Path("base"), transformer=Path("own.gguf"), lora=Path("own.safetensors"))


def lora(name: str, steps: int) -> ModelSpec:
    return made(name, layout=Layout.LORA, steps=steps, strength=1.0)


def transformer(name: str, *, steps: int | None = None, least_capability: str | None = None) -> ModelSpec:
    return made(name, layout=Layout.BF16, steps=steps, least_capability=least_capability, edition="2511", blocks=60)


def made(name: str, **facts: object) -> ModelSpec:
    entry = {
        "name": name,
        "title": name,
        "repository": "a/b",
        "revision": "main",
        "licence": "MIT",
        "files": (FileSpec(path="a.safetensors", bytes=3),),
    }
    return ModelSpec.model_validate({**entry, **facts})


BASE = made(
    "base",
    layout=Layout.DIFFUSERS,
    edition="2511",
    blocks=60,
    files=(
        FileSpec(path="transformer/*.safetensors", part="transformer", bytes=40),
        FileSpec(path="vae/*.safetensors", bytes=2),
    ),
)
CATALOGUE = Catalogue(
    model=(
        BASE,
        lora("four", 4),
        lora("eight", 8),
        transformer("plain"),
        transformer("fused", steps=8),
        transformer("blackwell", least_capability="12.0"),
        transformer("any"),
    )
)


def filled(kit: KitSpec, **wish: object) -> Filled | None:
    values = {name: getattr(OWN, name) for name in ("base", "transformer", "lora")}
    return kits.fill(CATALOGUE, kit, "bf16", Wish(**{**values, **wish}), here.settings())


def picked(kit: KitSpec, **wish: object) -> tuple[str | None, str | None]:
    """Return the names of the transformer and of the LoRA that are picked."""
    found = filled(kit, **wish)
    assert found is not None
    return tuple(pick and pick.model.name for pick in (found.transformer, found.lora))  # type: ignore[return-value]


WITH_LORA = KitSpec(backends=("bf16",), base="base", lora=("four", "eight"))


def test_a_lora_is_picked_by_the_steps_or_the_name_that_are_wished_for() -> None:
    assert picked(WITH_LORA) == (None, "four")
    assert picked(WITH_LORA, steps=8) == (None, "eight")
    assert picked(WITH_LORA, model="eight") == (None, "eight")
    # Of another kit.
    assert picked(WITH_LORA, model="fused") == (None, "four")


def test_a_kit_without_a_model_for_the_wished_steps_is_none() -> None:
    assert filled(WITH_LORA, steps=5) is None
    assert filled(WITH_LORA, steps=8, model="four") is None
    assert filled(KitSpec(backends=("bf16",), transformer=("fused",)), steps=4) is None


def test_a_transformer_with_its_steps_fused_in_gets_no_lora() -> None:
    fused = filled(KitSpec(backends=("bf16",), transformer=("fused",), lora=("four",)))
    plain = filled(KitSpec(backends=("bf16",), transformer=("plain",), lora=("four",)))

    assert fused is not None
    assert plain is not None
    assert (fused.lora, fused.steps) == (None, 8)
    assert (plain.lora is not None, plain.steps) == (True, 4)


@pytest.mark.parametrize(
    ("capability", "name"), [(None, "any"), ((12, 0), "blackwell"), ((12, 1), "blackwell"), ((8, 9), "any")]
)
def test_the_first_transformer_that_the_card_computes_with_is_picked(
    capability: tuple[int, int] | None, name: str
) -> None:
    kit = KitSpec(backends=("bf16",), transformer=("blackwell", "any"))

    assert picked(kit, capability=capability) == (name, None)


def test_a_base_comes_without_its_transformer_where_the_kit_has_another() -> None:
    whole = filled(WITH_LORA)
    partly = filled(KitSpec(backends=("bf16",), base="base", transformer=("plain",), lora=("four",)))

    assert whole is not None
    assert partly is not None
    assert [(pick.model.name, pick.size_bytes) for pick in whole.picks()] == [("four", 3), ("base", 42)]
    # What is large comes last.
    assert [(pick.model.name, pick.size_bytes) for pick in partly.picks()] == [("four", 3), ("base", 2), ("plain", 3)]


def test_what_has_no_place_is_lacking() -> None:
    there, gone = Pick(lora("four", 4), Look(Path("four"))), Pick(BASE, Look(None))

    assert Filled(WITH_LORA, gone, None, there, ()).lacking == (gone,)
