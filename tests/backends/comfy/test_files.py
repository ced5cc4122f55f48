from __future__ import annotations

import pytest

from tests import here
from tests.fakes.comfyui.server import recorded
from undercard.backends.comfy.files import Listed, Wanted, choose, listed
from undercard.backends.comfy.nodes import Schemas, schema
from undercard.errors import BackendUnavailable
from undercard.models import catalogue_file

CLIP, VAE = "qwen_2.5_vl_7b_fp8_scaled.safetensors", "qwen_image_vae.safetensors"
LORAS = [
    "Qwen-Image-Lightning-4steps-V1.0.safetensors",
    "Qwen-Image-Edit-2509-Lightning-4steps-V1.0-fp32.safetensors",
    "Qwen-Image-Edit-2509-Lightning-4steps-V1.0-bf16.safetensors",
    "Qwen-Image-Edit-2511-Lightning-8steps-V1.0-bf16.safetensors",
    "lora\\Qwen-Image-Edit-2511-Lightning-4steps-V1.0-bf16.safetensors",
]


def having(*unets: str, clips: tuple[str, ...] = (CLIP,), loras: list[str] = LORAS) -> Listed:
    return Listed(unets, clips, (VAE,), loras)


def schemas() -> Schemas:
    return {kind: schema(kind, told) for kind, told in recorded().items()}


@pytest.mark.parametrize(
    ("unets", "best"),
    [
        (("qwen-image-edit-2511-Q8_0.gguf", "qwen-image-edit-2511-Q4_K_M.gguf"), "qwen-image-edit-2511-Q4_K_M.gguf"),
        (("Qwen-Image-Edit-2509-Q4_K_M.gguf", "qwen-image-edit-2511-Q8_0.gguf"), "qwen-image-edit-2511-Q8_0.gguf"),
        (
            ("qwen_image_edit_2509_bf16.safetensors", "qwen_image_edit_2509_fp8_e4m3fn.safetensors"),
            "qwen_image_edit_2509_fp8_e4m3fn.safetensors",
        ),
        (
            ("qwen/Qwen_Image_Edit_2511-Q2_K.gguf", "qwen/qwen_image_edit_2511.safetensors"),
            "qwen/qwen_image_edit_2511.safetensors",
        ),
        (("qwen_image_2511_bf16.safetensors", "qwen-image-edit-2509-q4_k_m.gguf"), "qwen-image-edit-2509-q4_k_m.gguf"),
    ],
)
def test_the_better_version_comes_first_and_then_the_smaller_of_the_good_formats(
    unets: tuple[str, ...], best: str
) -> None:
    assert choose(having(*unets), Wanted()).unet == best


def test_a_transformer_with_lightning_fused_in_is_taken_only_by_its_name() -> None:
    fused = "qwen_image_edit_2511_fp8_e4m3fn_scaled_lightning.safetensors"
    has = having(fused, "svdq-int4_r128-qwen-image-edit-2511.safetensors", "qwen-image-edit-2509-Q4_K_M.gguf")

    assert choose(has, Wanted()).version == "2509"
    named = choose(has, Wanted(unet=fused))
    assert (named.unet, named.lora) == (fused, "")


@pytest.mark.parametrize(
    ("unet", "steps", "lora"),
    [
        ("qwen-image-edit-2511-Q4_K_M.gguf", 4, "lora\\Qwen-Image-Edit-2511-Lightning-4steps-V1.0-bf16.safetensors"),
        ("qwen-image-edit-2511-Q4_K_M.gguf", 8, "Qwen-Image-Edit-2511-Lightning-8steps-V1.0-bf16.safetensors"),
        ("qwen-image-edit-2509-Q4_K_M.gguf", 4, "Qwen-Image-Edit-2509-Lightning-4steps-V1.0-bf16.safetensors"),
    ],
)
def test_the_lora_is_of_the_same_version_and_of_as_many_steps(unet: str, steps: int, lora: str) -> None:
    assert choose(having(unet), Wanted(steps=steps)).lora == lora


def test_a_transformer_without_its_lora_gives_way_to_one_that_has_it() -> None:
    has = having("qwen-image-edit-2511-Q4_K_M.gguf", "qwen-image-edit-2509-Q8_0.gguf", loras=LORAS[:3])

    assert choose(has, Wanted()).version == "2509"


def test_what_is_asked_for_by_name_is_taken() -> None:
    has = having("my-2509-tune.safetensors", "qwen-image-edit-2511-Q4_K_M.gguf", clips=(CLIP, "qwen_2.5_vl_7b.st"))

    chosen = choose(has, Wanted(unet="my-2509-tune.safetensors", clip="qwen_2.5_vl_7b.st", lora="none"))

    assert (chosen.unet, chosen.clip, chosen.lora, chosen.version) == (
        "my-2509-tune.safetensors",
        "qwen_2.5_vl_7b.st",
        "",
        "2509",
    )


def test_everything_that_is_missing_is_told_at_once_with_what_is_there_and_what_to_do() -> None:
    with pytest.raises(BackendUnavailable) as failure:
        choose(Listed(["flux1-dev.safetensors"], ["t5xxl.safetensors"], [], []), Wanted())

    message = str(failure.value)
    assert "no Qwen-Image-Edit 2511 or 2509 (it has flux1-dev.safetensors)" in message
    assert "models/diffusion_models, or name one with UNDERCARD_COMFYUI_UNET" in message
    assert "no text encoder (it has t5xxl.safetensors)" in message
    assert "no autoencoder (it has none at all)" in message
    assert "; run undercard provision --backend comfyui, with UNDERCARD_COMFYUI_MODELS set to" in message


def test_every_kit_of_the_catalogue_is_enough_and_chosen() -> None:
    catalogue = catalogue_file.load(here.settings())
    kits = catalogue.kits("comfyui")
    assert len(kits) == 2
    for kit in kits:
        has: dict[str, list[str]] = {}
        for name in kit.names():
            model = catalogue.named(name)
            assert model.comfyui is not None
            has.setdefault(model.comfyui, []).append(model.file_name)

        files = choose(Listed(has["unet"], has["text_encoders"], has["vae"], has["loras"]), Wanted())

        assert files.version == catalogue.edition(kit)
        assert files.unet == catalogue.named(kit.transformer[0]).file_name
        assert files.lora == catalogue.named(kit.lora[0]).file_name


def test_a_missing_lora_is_told_with_the_steps_that_there_is_one_for() -> None:
    has = having("qwen-image-edit-2509-Q4_K_M.gguf")

    with pytest.raises(BackendUnavailable, match=r"no Lightning LoRA of 8 steps for 2509 .*UNDERCARD_STEPS=4"):
        choose(has, Wanted(steps=8))


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (Wanted(unet="missing.gguf"), r"no 'missing.gguf' \(it has .*\); set UNDERCARD_COMFYUI_UNET to one of them"),
        (Wanted(unet="tune.safetensors"), "'tune.safetensors' does not say which Qwen-Image-Edit it is"),
        (Wanted(lora="missing.st"), "set UNDERCARD_COMFYUI_LORA to one of them"),
        (Wanted(clip="missing.st"), "set UNDERCARD_COMFYUI_CLIP to one of them"),
        (Wanted(vae="missing.st"), "set UNDERCARD_COMFYUI_VAE to one of them"),
    ],
)
def test_a_name_that_the_server_does_not_have_is_told_with_the_setting(wanted: Wanted, told: str) -> None:
    with pytest.raises(BackendUnavailable, match=told):
        choose(having("qwen-image-edit-2511-Q4_K_M.gguf", "tune.safetensors"), wanted)


def test_the_lists_are_those_of_the_loaders_that_the_server_has() -> None:
    chosen = choose(listed(schemas()), Wanted())

    assert (chosen.unet, chosen.loader, chosen.detail) == (
        "qwen-image-edit-2511-Q4_K_M.gguf",
        "UnetLoaderGGUF",
        "2511 Q4_K_M",
    )
    assert (chosen.clip, chosen.vae) == (CLIP, VAE)


def test_without_the_extension_for_gguf_the_reason_names_it() -> None:
    plain = {kind: told for kind, told in schemas().items() if kind not in {"UnetLoaderGGUF", "UNETLoader"}}

    with pytest.raises(BackendUnavailable, match="install the extension ComfyUI-GGUF"):
        choose(listed(plain), Wanted())
