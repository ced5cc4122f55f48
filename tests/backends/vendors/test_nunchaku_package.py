from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests import here
from tests.fakes.cards import H100, RTX_3060, machine
from undercard import backends
from undercard.backends import Work
from undercard.backends.vendors import nunchaku_package
from undercard.backends.vendors.nunchaku_package import Build
from undercard.hardware.devices import Gpu

INT4 = {"method": "svdquant", "weight": {"dtype": "int4", "group_size": 64}, "rank": 32}
FP4 = {"method": "svdquant", "weight": {"dtype": "fp4_e2m1_all", "group_size": 16}, "rank": 32}
BLACKWELL = replace(RTX_3060, name="NVIDIA GeForce RTX 5090", capability=(12, 0))
WHEEL = "https://github.com/nunchaku-ai/nunchaku/releases/download/v1.2.1/nunchaku-1.2.1"
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Return what plants a distribution where Python looks first; importing what it planted would fail."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))

    def plant(name: str, version: str, *modules: str) -> None:
        about = folder / f"{name}-{version}.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n")
        for module in ("__init__.py", *modules):
            path = folder / name / module
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("raise AssertionError('it was imported')\n")
        importlib.invalidate_caches()

    return plant


REAL = ("models/__init__.py", "models/transformers/__init__.py", "models/transformers/transformer_qwenimage.py")


@pytest.fixture
def real(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install nunchaku, with a torch and a diffusers that it goes with."""
    install("nunchaku", "1.2.1+cu13.0torch2.11", *REAL)
    install("diffusers", "0.36.0")
    monkeypatch.setattr(nunchaku_package, "torch_build", lambda: Build("2.11", "13.0"))


@pytest.fixture
def on_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sysconfig.get_platform", lambda: "linux-x86_64")
    monkeypatch.setattr(sys, "version_info", (3, 12, 4))


def written(path: Path, quantised: dict[str, object] | None, **config: object) -> Path:
    """Write a file with nunchaku's metadata."""
    metadata = {"config": json.dumps(config)}
    if quantised is not None:
        metadata["quantization_config"] = json.dumps(quantised)
    save_file({"proj_out.bias": torch.zeros(4)}, path, metadata=metadata)
    return path


@pytest.mark.usefixtures("real")
def test_the_real_package_with_what_goes_with_it_is_missing_nothing() -> None:
    assert nunchaku_package.missing(RTX_3060) is None


@pytest.mark.usefixtures("on_linux")
def test_without_it_the_very_wheel_for_this_python_torch_and_cuda_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nunchaku_package, "torch_build", lambda: Build("2.10", "12.8"))

    reason = str(nunchaku_package.missing(RTX_3060))

    assert reason.startswith(
        "nunchaku is not installed; run pip install undercard 'diffusers==0.36.*' 'transformers<5'"
    )
    assert f"{WHEEL}+cu12.8torch2.10-cp312-cp312-linux_x86_64.whl in an environment of its own" in reason


@pytest.mark.usefixtures("on_linux")
@pytest.mark.parametrize(
    ("build", "here"),
    [
        (Build("2.13", None), "torch 2.13 with no CUDA"),
        (Build("2.13", "13.0"), "torch 2.13 with CUDA 13.0"),
        # 2.8 knows no CUDA 13.
        (Build("2.8", "13.0"), "torch 2.8 with CUDA 13.0"),
        (None, "no torch"),
    ],
)
def test_where_no_wheel_goes_with_this_torch_the_newest_that_there_is_is_named(
    monkeypatch: pytest.MonkeyPatch, build: Build | None, here: str
) -> None:
    monkeypatch.setattr(nunchaku_package, "torch_build", lambda: build)

    remedy = nunchaku_package.remedy()

    assert remedy.startswith(f"there is no wheel of it for {here}, which is here; run pip install undercard")
    assert f"{WHEEL}+cu13.0torch2.11-cp312-cp312-linux_x86_64.whl 'torch==2.11.*'" in remedy


@pytest.mark.parametrize(
    ("platform", "python", "said"),
    [("macosx-14.0-arm64", (3, 12, 0), "macosx_14.0_arm64"), ("linux-x86_64", (3, 14, 0), "Python 3.14")],
)
def test_where_there_is_none_at_all_that_is_said(
    monkeypatch: pytest.MonkeyPatch, platform: str, python: tuple[int, ...], said: str
) -> None:
    monkeypatch.setattr("sysconfig.get_platform", lambda: platform)
    monkeypatch.setattr(sys, "version_info", python)

    assert nunchaku_package.remedy().startswith(f"there is no wheel of it for {said}")


def test_the_other_package_of_that_name_is_told_from_it_without_being_imported(install: Install) -> None:
    install("nunchaku", "0.16.1", "algorithm.py", "models.py")

    reason = str(nunchaku_package.missing(RTX_3060))

    assert reason.startswith("the nunchaku that is installed (0.16.1) is another package of that name")
    assert "pip install" in reason


def test_one_that_is_too_old_is_refused_with_its_version(install: Install) -> None:
    install("nunchaku", "1.0.2+torch2.8", *REAL)

    assert str(nunchaku_package.missing(RTX_3060)).startswith("nunchaku 1.0.2+torch2.8 is older than 1.2; ")


def test_one_that_was_built_for_another_torch_is_refused(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("nunchaku", "1.2.1+cu12.8torch2.10", *REAL)
    monkeypatch.setattr(nunchaku_package, "torch_build", lambda: Build("2.11", "13.0"))

    reason = str(nunchaku_package.missing(RTX_3060))

    assert "nunchaku 1.2.1+cu12.8torch2.10 was built for another torch than 2.11 with CUDA 13.0" in reason


@pytest.mark.usefixtures("real")
def test_beside_a_newer_diffusers_it_is_refused(install: Install, tmp_path: Path) -> None:
    (tmp_path / "site-packages" / "diffusers-0.36.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.4\nName: diffusers\nVersion: 0.42.1\n"
    )

    assert "works with diffusers 0.36 alone, and 0.42.1 is here" in str(nunchaku_package.missing(RTX_3060))


@pytest.mark.usefixtures("real")
@pytest.mark.parametrize(
    ("gpu", "said"),
    [
        (H100, "8.0, 8.6, 8.9, 12.0, and NVIDIA H100 80GB HBM3 has 9.0; the backend nunchaku runs the same files"),
        (replace(RTX_3060, name="RTX 2080", capability=(7, 5)), "aborts on Turing, of which RTX 2080 is"),
    ],
)
def test_a_card_without_its_kernels_is_refused_first(gpu: Gpu, said: str) -> None:
    assert said in str(nunchaku_package.missing(gpu))


def test_the_torch_that_is_here_is_told_without_importing_it() -> None:
    build = nunchaku_package.torch_build()

    assert build is not None
    assert torch.__version__.startswith(f"{build.torch}.")
    assert build.cuda == torch.version.cuda


def test_a_file_of_2511_is_refused_since_its_zero_cond_t_would_be_lost(tmp_path: Path) -> None:
    file = written(tmp_path / "2511.safetensors", INT4, zero_cond_t=True)

    assert "2511, whose zero_cond_t nunchaku's package overlooks" in str(nunchaku_package.unfit(file, RTX_3060))


@pytest.mark.parametrize(("quantised", "gpu"), [(INT4, RTX_3060), (FP4, BLACKWELL)])
def test_a_file_for_the_card_is_taken(tmp_path: Path, quantised: dict[str, object], gpu: Gpu) -> None:
    assert nunchaku_package.unfit(written(tmp_path / "file.safetensors", quantised, num_layers=60), gpu) is None


@pytest.mark.parametrize(
    ("quantised", "gpu", "said"),
    [
        (INT4, BLACKWELL, "holds int4 weights, and nunchaku's kernels on NVIDIA GeForce RTX 5090 take fp4_e2m1_all"),
        (FP4, RTX_3060, "holds fp4_e2m1_all weights, and nunchaku's kernels on NVIDIA GeForce RTX 3060 take int4"),
    ],
)
def test_a_file_for_other_cards_is_refused(tmp_path: Path, quantised: dict[str, object], gpu: Gpu, said: str) -> None:
    assert said in str(nunchaku_package.unfit(written(tmp_path / "file.safetensors", quantised), gpu))


@pytest.mark.parametrize("content", [b"", b"\xff" * 16, b"\x02\0\0\0\0\0\0\0{}", b"\x01\0\0\0\0\0\0\0{"])
def test_what_is_no_file_of_its_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file.safetensors").write_bytes(content)

    reason = str(nunchaku_package.unfit(tmp_path / "file.safetensors", RTX_3060))

    assert reason.startswith(f"{tmp_path}/file.safetensors is no file of nunchaku's")
    assert "set UNDERCARD_NUNCHAKU" in reason


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "No such file" in str(nunchaku_package.unfit(tmp_path / "none.safetensors", RTX_3060))


@pytest.mark.usefixtures("real")
def test_the_backend_says_what_is_missing_in_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    official, device = backends.backend("nunchaku-official"), machine(RTX_3060)
    monkeypatch.delenv("UNDERCARD_MODEL", raising=False)
    monkeypatch.delenv("UNDERCARD_NUNCHAKU", raising=False)

    assert "there is none" in str(official.unavailable(machine(), here.settings()))
    assert "set UNDERCARD_MODEL" in str(official.unavailable(device, here.settings()))
    for part in ("transformer", "text_encoder", "vae", "processor"):
        (tmp_path / "model" / part).mkdir(parents=True)
    config = tmp_path / "model" / "transformer" / "config.json"
    config.write_text('{"_class_name": "QwenImageTransformer2DModel"}')
    monkeypatch.setenv("UNDERCARD_MODEL", str(tmp_path / "model"))
    assert str(official.unavailable(device, here.settings())).endswith(
        "run undercard provision --backend nunchaku-official, or set UNDERCARD_NUNCHAKU"
    )
    monkeypatch.setenv("UNDERCARD_NUNCHAKU", str(written(tmp_path / "file.safetensors", INT4)))
    assert "has no folder tokenizer" in str(official.unavailable(device, here.settings()))
    (tmp_path / "model" / "tokenizer").mkdir()
    assert official.unavailable(device, here.settings()) is None
    monkeypatch.setenv("UNDERCARD_LORA", str(tmp_path / "lora.safetensors"))
    (tmp_path / "lora.safetensors").write_bytes(b"never read")
    assert "takes no LoRA for Qwen" in str(official.unavailable(device, here.settings()))
    fused = written(tmp_path / "svdq-lightning-4steps.safetensors", INT4)
    monkeypatch.setenv("UNDERCARD_NUNCHAKU", str(fused))
    assert official.unavailable(device, here.settings()) is None
    config.write_text('{"_class_name": "QwenImageTransformer2DModel", "zero_cond_t": true}')
    assert "is a Qwen-Image-Edit-2511" in str(official.unavailable(device, here.settings()))


@pytest.mark.usefixtures("real")
def test_another_file_asks_for_another_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model").mkdir()
    monkeypatch.setenv("UNDERCARD_MODEL", str(tmp_path / "model"))
    names = []
    for number in (1, 2):
        file = written(tmp_path / f"{number}.safetensors", INT4, number=number)
        monkeypatch.setenv("UNDERCARD_NUNCHAKU", str(file))
        names.append(backends.renderer_name("nunchaku-official", here.settings(), exact=False))

    assert names[0] != names[1]
    assert all(name.endswith("nunchaku-official 1") for name in names)


def test_a_smaller_card_keeps_fewer_blocks() -> None:
    official, work = backends.backend("nunchaku-official"), Work((1024, 1024))

    found = [
        official.rungs(work, machine(replace(RTX_3060, free_bytes=size, total_bytes=size)), here.settings())
        for size in (24_000_000_000, 8_000_000_000, 4_000_000_000)
    ]

    assert [rungs[0].resident_blocks for rungs in found] == [60, pytest.approx(5, abs=5), 1]
    # As nunchaku's examples say of one block: 3 to 4 GB, and the whole autoencoder.
    assert found[-1][0].needs.vram_bytes < 5_500_000_000
