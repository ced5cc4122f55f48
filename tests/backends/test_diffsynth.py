"""DiffSynth on the tiny model; `make test` runs this in a process that sees DiffSynth, and others do not."""

from __future__ import annotations

import importlib.util
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from tests import here
from tests.backends.requests import DEVICE, render, requested
from tests.fakes import lora_files, tiny
from undercard import backends
from undercard.backends import Work
from undercard.domain.requests import RenderRequest
from undercard.engine.files.checkpoint import open_checkpoint
from undercard.engine.stages.opening import Model
from undercard.engine.stages.schedule import timesteps
from undercard.engine.text import embeddings
from undercard.engine.text.embeddings import Wording
from undercard.engine.weights.lora import open_lora
from undercard.errors import BadCheckpoint
from undercard.hardware.devices import Device, Gpu

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("diffsynth") is None, reason="diffsynth is not here; `make test` runs this beside it"
)
GB = 1_000_000_000
CPU = torch.device("cpu")


@pytest.fixture
def smooth(qwen_on_the_processor: Path) -> RenderRequest:
    """Ask for a picture from two gradients, which look alike whichever filter enlarges them."""
    gradients = [Image.linear_gradient("L"), Image.radial_gradient("L")]
    return requested("a jab", [picture.resize((64, 64)).convert("RGB") for picture in gradients], size=(56, 40))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Note what DiffSynth's transformer is asked at each step."""
    from diffsynth.pipelines import qwen_image

    seen: list[dict[str, Any]] = []
    model = qwen_image.model_fn_qwen_image

    def note(**given: Any) -> Any:
        seen.append(given)
        return model(**given)

    monkeypatch.setattr(qwen_image, "model_fn_qwen_image", note)
    return seen


def _embeddings(folder: Path, request: RenderRequest, *, picture_positions: bool = True) -> Tensor:
    """Return what the engine makes of the request's wording."""
    from undercard.backends.qwen import renderer

    model = Model(folder, "packed", 4, CPU, here.store(), picture_positions=picture_positions)
    with renderer.opened(
        model, backends.fastest("bf16", Work(request.size), DEVICE, here.settings()), lambda _: ""
    ) as engine:
        engine.encode([request])
    found = embeddings.load(Wording(request.prompt, request.references), model.encoder_digest(), here.store())
    assert found is not None
    return found.states


def _distance(one: Tensor, other: Tensor) -> float:
    return float((one.float() - other.float()).norm() / other.float().norm())


def test_its_picture_is_close_to_the_exact_one(smooth: RenderRequest) -> None:
    picture, exact = (np.asarray(render(name, smooth).image, dtype=float) for name in ("diffsynth", "bf16"))

    assert 0 < np.abs(picture - exact).mean() < 12


def test_its_transformer_is_given_what_the_engines_is(
    smooth: RenderRequest,
    asked: list[dict[str, Any]],
    qwen_on_the_processor: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as edit_plus

    from undercard.backends.vendors import studio

    # As DiffSynth has it written down.
    monkeypatch.setattr(edit_plus, "CONDITION_IMAGE_SIZE", 384 * 384)
    monkeypatch.setattr(edit_plus, "VAE_IMAGE_SIZE", 64 * 64)
    # What fp8 costs the embeddings would hide what is looked for.
    monkeypatch.setattr(studio, "WEIGHTS", torch.bfloat16)

    render("diffsynth", smooth)

    noise = torch.randn((1, 16, 6, 8), generator=torch.Generator("cpu").manual_seed(smooth.seed), dtype=torch.bfloat16)
    assert torch.equal(asked[0]["latents"], noise)
    assert [step["zero_cond_t"] for step in asked] == [True] * 4
    assert [float(step["timestep"]) / 1000 for step in asked] == pytest.approx(timesteps(4), rel=4e-3)
    assert [tuple(latents.shape) for latents in asked[0]["edit_latents"]] == [(1, 16, 8, 8)] * 2
    assert _distance(asked[0]["prompt_emb"], _embeddings(qwen_on_the_processor, smooth)) < 0.03
    one_line = _embeddings(qwen_on_the_processor, smooth, picture_positions=False)
    assert _distance(asked[0]["prompt_emb"], one_line) > 0.1


def test_a_model_of_2509_is_run_as_one(
    smooth: RenderRequest, asked: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its tensors are those of 2511, so that DiffSynth knows it already.
    monkeypatch.setenv("UNDERCARD_MODEL", str(tiny.build(tmp_path, zero_cond_t=False, sharded=False)))

    render("diffsynth", smooth)

    assert [step["zero_cond_t"] for step in asked] == [False] * 4


def test_it_never_asks_the_network(smooth: RenderRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)

    assert render("diffsynth", smooth).image.size == smooth.size


def test_a_lora_is_in_the_weights_before_they_are_cast(qwen_on_the_processor: Path, tmp_path: Path) -> None:
    from undercard.backends.vendors.studio import Fused
    from undercard.engine.transformer import transformer

    source = qwen_on_the_processor / "transformer"
    save_file(lora_files.tensors(tiny.transformer()), tmp_path / "lora.safetensors")
    lora = open_lora(tmp_path / "lora.safetensors", transformer.skeleton(source))
    model = tiny.transformer().to(torch.bfloat16)
    model.load_state_dict({name: open_checkpoint(source).read(name) for name in model.state_dict()})
    assert lora.fuse(model, CPU) == len(lora_files.linears(model))

    fused = Fused(open_checkpoint(source), lora, CPU)

    for name, value in model.state_dict().items():
        assert torch.equal(fused[name].view(torch.uint8), value.to(torch.float8_e4m3fn).view(torch.uint8)), name
    fused.require_all()


def test_a_lora_of_which_a_layer_never_passes_is_refused(qwen_on_the_processor: Path, tmp_path: Path) -> None:
    from undercard.backends.vendors.studio import Fused
    from undercard.engine.transformer import transformer

    source = qwen_on_the_processor / "transformer"
    save_file(lora_files.tensors(tiny.transformer()), tmp_path / "lora.safetensors")
    fused = Fused(open_checkpoint(source), open_lora(tmp_path / "lora.safetensors", transformer.skeleton(source)), CPU)

    assert fused["img_in.weight"].dtype == torch.float8_e4m3fn
    with pytest.raises(BadCheckpoint, match=r"layers of lora\.safetensors.* are not in the model, such as"):
        fused.require_all()


def test_a_lora_changes_the_picture(smooth: RenderRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = render("diffsynth", smooth).image
    save_file(lora_files.tensors(tiny.transformer()), tmp_path / "lora.safetensors")
    monkeypatch.setenv("UNDERCARD_LORA", str(tmp_path / "lora.safetensors"))

    assert render("diffsynth", smooth).image.tobytes() != plain.tobytes()


def test_a_checkpoint_that_it_does_not_know_is_named(
    smooth: RenderRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERCARD_MODEL", str(tiny.build(tmp_path, layers=3)))

    with pytest.raises(BadCheckpoint, match=f"{tmp_path} is no Qwen-Image-Edit that DiffSynth knows: Cannot detect"):
        render("diffsynth", smooth)


@pytest.fixture
def as_published(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put DiffSynth's own map of the encoder's layers back, as if it had just been imported."""
    from diffsynth import configs

    from undercard.backends.vendors import studio

    layers = dict(configs.VRAM_MANAGEMENT_MODULE_MAPS[studio.ENCODER])
    prefix = "transformers.models.qwen2_5_vl.modeling_qwen2_5_vl."
    for old, new in studio.RENAMED.items():
        if prefix + new in layers:
            layers[prefix + old] = layers.pop(prefix + new)
    monkeypatch.setitem(configs.VRAM_MANAGEMENT_MODULE_MAPS, studio.ENCODER, layers)


@pytest.mark.usefixtures("as_published")
def test_every_layer_that_it_manages_is_one_of_transformers_once_mended() -> None:
    from contextlib import ExitStack

    from diffsynth.models.model_loader import ModelPool

    from undercard.backends.vendors import studio

    lying = studio._lying(torch.float8_e4m3fn, CPU)
    with pytest.raises(AttributeError, match="Qwen2_5_VisionRotaryEmbedding"):
        ModelPool().fetch_module_map(studio.ENCODER, lying)
    with ExitStack() as resources:
        studio._mend(resources)
        found = {source.__name__ for source in ModelPool().fetch_module_map(studio.ENCODER, lying)}

    assert found >= {"Linear", "Qwen2_5_VLVisionRotaryEmbedding", "Qwen2_5_VLRMSNorm"}


def test_the_benchmark_measures_its_steps_and_its_error(
    qwen_on_the_processor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks import backends_child

    monkeypatch.setattr(backends_child, "KEYFRAMES", 1)
    for name in ("STEPS", "LORA", "COMFYUI_LORA"):
        # Known to monkeypatch, so that what the benchmark sets is gone after the test.
        monkeypatch.setenv(f"UNDERCARD_{name}", "")

    _, row = (backends_child.measure(name, 10.0, 1, qwen_on_the_processor) for name in ("bf16", "diffsynth"))

    assert row.s_per_step is not None
    assert row.s_per_keyframe is not None
    assert 0 < row.s_per_step < row.s_per_keyframe
    assert row.picture_error
    assert not row.exact


@pytest.mark.usefixtures("smooth")
def test_nothing_of_torch_stays_changed() -> None:
    before = set(dir(torch.cpu))

    with backends.backend("diffsynth").open(
        DEVICE, backends.fastest("diffsynth", Work((64, 64)), DEVICE, here.settings()), here.settings()
    ):
        assert hasattr(torch.cpu, "empty_cache")

    assert set(dir(torch.cpu)) == before


def test_a_smaller_card_keeps_fewer_blocks_and_takes_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNDERCARD_MODEL", raising=False)
    cards = [Gpu(0, "a card", size * GB, size * GB, (8, 6), copy_bytes_per_second=24e9) for size in (24, 10)]
    machines = [Device(cores=8, host_bytes=64 * GB, host_free_bytes=64 * GB, gpus=(card,)) for card in cards]

    large, small = (
        backends.backend("diffsynth").rungs(Work((1024, 1024)), machine, here.settings()) for machine in machines
    )

    assert large[0].resident_blocks > small[0].resident_blocks > small[1].resident_blocks == 0
    assert large[0].needs.seconds < small[0].needs.seconds < small[1].needs.seconds
    assert small[0].needs.vram_bytes < 10 * GB
    assert 30 * GB < small[0].needs.host_bytes < 36 * GB
