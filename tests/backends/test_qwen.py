from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.backends.keyframes import request_of, told_of_pictures
from tests.engine import lora_files
from tests.engine.wholes import Case, render_whole, whole_pipeline
from undercard import backends
from undercard.backends import Rendered, Work
from undercard.devices import Device, Gpu
from undercard.engine import embeddings, pipeline, renderer
from undercard.engine.embeddings import Embeddings, Wording
from undercard.engine.opening import Model
from undercard.errors import BackendError, OutOfMemory
from undercard.requests import RenderRequest

DEVICE = Device(cores=2, host_bytes=2**35, host_free_bytes=2**35)
CARD = Gpu(0, "a card", 10 * 2**30, 10 * 2**30, (8, 6), copy_bytes_per_second=24e9)
pytestmark = pytest.mark.usefixtures("qwen_on_the_processor")


def _render(name: str, request: RenderRequest) -> Rendered:
    backend = backends.backend(name)
    with backend.open(DEVICE, backends.fastest(name, Work(request.size), DEVICE)) as opened:
        opened.encode([request])
        return opened.render(request)


@pytest.mark.parametrize("references", [1, 2, 3])
def test_bf16_gives_the_pixels_of_diffusers_that_is_told_which_tokens_are_pictures(
    qwen_on_the_processor: Path, references: int
) -> None:
    case = Case(references=references)
    whole = told_of_pictures(qwen_on_the_processor)

    rendered = _render("bf16", request_of(case))

    assert np.array_equal(np.asarray(rendered.image), np.asarray(render_whole(whole, case)))


def test_without_that_it_gives_the_pixels_of_diffusers_as_it_ships(qwen_on_the_processor: Path) -> None:
    case = Case(references=2)
    request = request_of(case)
    model = Model(qwen_on_the_processor, "packed", 4, torch.device("cpu"), picture_positions=False)

    with renderer.opened(model, backends.fastest("bf16", Work(case.size), DEVICE)) as engine:
        rendered = engine.render(request)

    whole = render_whole(whole_pipeline(qwen_on_the_processor), case)
    assert np.array_equal(np.asarray(rendered.image), np.asarray(whole))


def test_a_lora_gives_the_pixels_of_diffusers_with_it_fused(
    qwen_on_the_processor: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case()
    whole = told_of_pictures(qwen_on_the_processor)
    save_file(lora_files.tensors(whole.transformer), tmp_path / "lora.safetensors")
    plain = np.asarray(_render("bf16", request_of(case)).image)
    monkeypatch.setenv("UNDERCARD_LORA", str(tmp_path / "lora.safetensors"))

    rendered = np.asarray(_render("bf16", request_of(case)).image)

    whole.load_lora_weights(tmp_path / "lora.safetensors")
    whole.fuse_lora()
    assert np.array_equal(rendered, np.asarray(render_whole(whole, case)))
    assert not np.array_equal(rendered, plain)


@pytest.mark.parametrize("name", ["fp8", "int8", "nf4"])
def test_another_storage_format_gives_a_picture_close_to_the_exact_one(name: str) -> None:
    case = Case()

    picture, exact = (np.asarray(_render(each, request_of(case)).image, dtype=float) for each in (name, "bf16"))

    assert 0 < np.abs(picture - exact).mean() < 12


def test_blocks_read_from_disk_at_each_step_give_the_same_pixels(qwen_on_the_processor: Path) -> None:
    request = request_of(Case())
    model = Model(qwen_on_the_processor, "packed", 4, torch.device("cpu"))
    rung = dataclasses.replace(backends.fastest("bf16", Work(request.size), DEVICE), from_disk=True)

    with renderer.opened(model, rung) as engine:
        from_disk = engine.render(request).image.tobytes()

    assert from_disk == _render("bf16", request).image.tobytes()


def test_a_prompt_is_encoded_once_for_all_requests_of_a_film(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case()
    requests = [request_of(Case(seed=seed)) for seed in (1, 2)]
    encoded: list[str] = []
    save = embeddings.save

    def note(made: Embeddings, wording: Wording, digest: str) -> None:
        encoded.append(wording.prompt)
        save(made, wording, digest)

    monkeypatch.setattr(embeddings, "save", note)
    backend = backends.backend("bf16")

    with backend.open(DEVICE, backends.fastest("bf16", Work(case.size), DEVICE)) as opened:
        opened.encode(requests)
        pictures = [opened.render(request).image.tobytes() for request in requests]

    assert encoded == [case.prompt]
    assert pictures[0] != pictures[1]


def test_latents_outlive_an_out_of_memory_of_the_decoder_and_give_the_same_picture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = Case()
    request = request_of(case)
    expected = _render("bf16", request).image.tobytes()

    def run_out(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 5.80 GiB.")

    with monkeypatch.context() as broken:
        broken.setattr("undercard.engine.vae.decode", run_out)
        with pytest.raises(OutOfMemory) as caught:
            _render("bf16", request)
    assert caught.value.stage == "decode"
    monkeypatch.setattr(pipeline, "denoise", run_out)
    resumed = _render("bf16", request)

    assert resumed.image.tobytes() == expected
    assert resumed.notes == ("decoded latents that an earlier attempt had kept",)
    assert pipeline.load_latents(request.key) is None


def test_what_stands_in_for_an_exact_rung_decodes_the_latents_that_it_left(
    qwen_on_the_processor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case()
    backend = backends.backend("bf16")
    exact = dataclasses.replace(request_of(case), renderer=backends.renderer_name("bf16", exact=True))
    stand_in = dataclasses.replace(exact, renderer=backends.renderer_name("bf16", exact=False))
    rung = backends.fastest("bf16", Work(case.size), DEVICE)

    def run_out(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 5.80 GiB.")

    with monkeypatch.context() as broken, backend.open(DEVICE, rung) as opened:
        broken.setattr("undercard.engine.vae.decode", run_out)
        with pytest.raises(OutOfMemory):
            opened.render(exact)
    monkeypatch.setattr(pipeline, "denoise", run_out)
    with backend.open(DEVICE, dataclasses.replace(rung, exact=False)) as opened:
        resumed = opened.render(stand_in)

    assert resumed.notes == ("decoded latents that an earlier attempt had kept",)
    assert resumed.image.size == case.size


def test_a_picture_in_tiles_says_so_and_is_decoded_whole_from_the_same_latents(
    qwen_on_the_processor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_of(Case(size=(64, 128)))
    whole = dataclasses.replace(request, whole=True)
    expected = _render("bf16", request).image.tobytes()
    model = Model(qwen_on_the_processor, "bf16", 4, torch.device("cpu"))
    rung = dataclasses.replace(backends.fastest("bf16", Work(request.size), DEVICE), exact=False)

    with renderer.opened(model, rung) as engine:
        engine.ready_model().pipeline.vae.free_bytes = lambda: 0
        tiled = engine.render(request)
        monkeypatch.setattr(pipeline, "denoise", lambda *_: pytest.fail("the latents were kept"))
        repaired = engine.render(whole)

    assert tiled.tiled
    assert not repaired.tiled
    assert repaired.image.tobytes() == expected
    assert pipeline.load_latents(request.key) is None
    assert pipeline.load_latents(whole.key) is None


def test_a_request_in_eight_steps_gives_the_pixels_of_diffusers_in_eight_and_the_next_in_four_those_in_four(
    qwen_on_the_processor: Path,
) -> None:
    request = request_of(Case())
    whole = told_of_pictures(qwen_on_the_processor)
    backend = backends.backend("bf16")

    with backend.open(DEVICE, backends.fastest("bf16", Work(request.size), DEVICE)) as opened:
        drawn = [opened.render(dataclasses.replace(request, steps=steps)).image for steps in (0, 8, 0, 8)]

    four, eight = (np.asarray(render_whole(whole, Case(steps=steps))) for steps in (4, 8))
    for picture, expected in zip(drawn, (four, eight, four, eight), strict=True):
        assert np.array_equal(np.asarray(picture), expected)


def test_eight_steps_take_the_lora_that_is_made_for_eight(
    qwen_on_the_processor: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_of(Case())
    whole = told_of_pictures(qwen_on_the_processor)
    factors = lora_files.tensors(whole.transformer)
    files = {steps: tmp_path / f"Lightning-{steps}steps.safetensors" for steps in (4, 8)}
    save_file(factors, files[4])
    save_file({name: value * -1.5 if "up" in name else value for name, value in factors.items()}, files[8])
    monkeypatch.setenv("UNDERCARD_LORA", str(files[4]))
    backend = backends.backend("bf16")

    with backend.open(DEVICE, backends.fastest("bf16", Work(request.size), DEVICE)) as opened:
        drawn = [opened.render(dataclasses.replace(request, steps=steps)).image for steps in (0, 8, 0)]

    expected = []
    for steps in (4, 8):
        fused = told_of_pictures(qwen_on_the_processor)
        fused.load_lora_weights(files[steps])
        fused.fuse_lora()
        expected.append(np.asarray(render_whole(fused, Case(steps=steps))))
    assert np.array_equal(np.asarray(drawn[0]), expected[0])
    assert np.array_equal(np.asarray(drawn[1]), expected[1])
    assert np.array_equal(np.asarray(drawn[2]), expected[0])


def test_without_weights_for_eight_steps_a_request_is_drawn_as_ever(
    qwen_on_the_processor: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_file(
        lora_files.tensors(told_of_pictures(qwen_on_the_processor).transformer), tmp_path / "some-4steps.safetensors"
    )
    monkeypatch.setenv("UNDERCARD_LORA", str(tmp_path / "some-4steps.safetensors"))
    request = request_of(Case())

    assert "steps" not in backends.heeded("bf16")
    asked = dataclasses.replace(request, steps=8)
    assert _render("bf16", asked).image.tobytes() == _render("bf16", request).image.tobytes()


@pytest.mark.parametrize("negative", ["blurred gloves", ""])
def test_guidance_gives_the_pixels_of_diffusers_with_true_cfg(
    qwen_on_the_processor: Path, monkeypatch: pytest.MonkeyPatch, negative: str
) -> None:
    case = Case(guidance=4.0, negative=negative or " ", references=2)
    request = dataclasses.replace(request_of(case), negative_prompt=negative)
    plain = _render("bf16", request).image
    monkeypatch.setenv("UNDERCARD_GUIDANCE", "4")

    guided = _render("bf16", request).image

    assert np.array_equal(np.asarray(guided), np.asarray(render_whole(told_of_pictures(qwen_on_the_processor), case)))
    assert not np.array_equal(np.asarray(guided), np.asarray(plain))
    offloaded = dataclasses.replace(request, seed=case.seed)
    assert _render("cpu-offload", offloaded).image.tobytes() == guided.tobytes()


def test_the_planner_knows_what_guidance_costs(
    qwen_on_the_processor: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    device = Device(cores=2, host_bytes=2**36, host_free_bytes=2**36, gpus=(CARD,))
    work = Work((1024, 1024))
    names = ("bf16", "cpu-offload")
    before = {name: backends.backend(name).rungs(work, device)[0].needs for name in names}
    monkeypatch.setenv("UNDERCARD_GUIDANCE", "3")

    after = {name: backends.backend(name).rungs(work, device)[0].needs for name in names}

    for name in names:
        assert after[name].seconds > before[name].seconds
        assert after[name].vram_bytes == before[name].vram_bytes


def test_a_request_without_a_reference_says_what_to_give() -> None:
    with pytest.raises(BackendError, match="give it a reference"):
        _render("bf16", request_of(Case(), []))


def test_without_weights_the_reason_names_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNDERCARD_MODEL")

    assert "set UNDERCARD_MODEL" in str(backends.backend("bf16").unavailable(DEVICE))


def test_a_folder_that_lacks_a_part_of_the_model_is_named_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "transformer").mkdir()
    monkeypatch.setenv("UNDERCARD_MODEL", str(tmp_path))

    assert "has no folder text_encoder, vae, processor" in str(backends.backend("bf16").unavailable(DEVICE))


def test_without_a_card_the_reason_names_what_would_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNDERCARD_DEVICE")

    assert "no CUDA card" in str(backends.backend("bf16").unavailable(DEVICE))


def test_a_smaller_card_keeps_fewer_blocks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # Of the published model, not of the tiny one.
    monkeypatch.setenv("UNDERCARD_MODEL", str(tmp_path))
    device = Device(cores=2, host_bytes=2**36, host_free_bytes=2**36, gpus=(CARD,))

    rungs = backends.backend("bf16").rungs(Work((1024, 1024)), device)

    assert [rung.label for rung in rungs if not rung.exact] == ["bf16 · 0 of 60 blocks resident, in strips"]
    (from_disk,) = (rung for rung in rungs if rung.from_disk)
    assert from_disk == rungs[-1]
    # What is left is the text encoder's.
    assert from_disk.needs.host_bytes < 16e9 < min(rung.needs.host_bytes for rung in rungs[:-1])
    assert 5 < max(rung.resident_blocks for rung in rungs) < 25
