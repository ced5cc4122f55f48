"""What a run is told that asks for a quantised backend whose files are missing, damaged, or of another model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests import here
from tests.backends.conftest import KINDS, Quantise
from undercard import backends
from undercard.backends import Work
from undercard.errors import BackendUnavailable, BadCheckpoint
from undercard.hardware.devices import Device
from undercard.models import weights
from undercard.planning import choose

DEVICE = Device(cores=2, host_bytes=2**35, host_free_bytes=2**35)
SQUARE = Work((1024, 1024))
NAMES = tuple(KINDS)


def _refused(name: str) -> str:
    """Return what a run is told that asks for the backend called *name*; nothing is rendered."""
    try:
        choose.choose(name, SQUARE, DEVICE, here.settings(), exact=False)
    except BackendUnavailable as exc:
        return str(exc)
    opened = backends.backend(name).open(
        DEVICE, backends.fastest(name, SQUARE, DEVICE, here.settings()), here.settings()
    )
    with pytest.raises(BadCheckpoint) as caught:
        opened.__enter__()
    return str(caught.value)


def _config(folder: Path) -> Path:
    return folder / "transformer" / "config.json"


@pytest.mark.parametrize("name", NAMES)
class TestWhatIsMissing:
    """Each is said with the setting that would change it."""

    def test_the_file(self, name: str, use_file_of: Quantise, monkeypatch: pytest.MonkeyPatch) -> None:
        use_file_of(name)
        monkeypatch.delenv(weights.setting(name))

        assert f"run undercard provision --backend {name}, or set {weights.setting(name)}" in _refused(name)

    def test_a_file_that_is_not_there(self, name: str, use_file_of: Quantise, monkeypatch: pytest.MonkeyPatch) -> None:
        use_file_of(name)
        monkeypatch.setenv(weights.setting(name), "/nowhere/edit.bin")

        assert f"/nowhere/edit.bin is no file; set {weights.setting(name)}" in _refused(name)

    def test_the_folder(self, name: str, use_file_of: Quantise, monkeypatch: pytest.MonkeyPatch) -> None:
        use_file_of(name)
        monkeypatch.delenv("UNDERCARD_MODEL")

        assert f"run undercard provision --backend {name}, or set UNDERCARD_MODEL" in _refused(name)

    def test_parts_of_the_folder(
        self, name: str, use_file_of: Quantise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        use_file_of(name)
        (tmp_path / "bare" / "vae").mkdir(parents=True)
        monkeypatch.setenv("UNDERCARD_MODEL", str(tmp_path / "bare"))

        assert "bare has no folder text_encoder, processor" in _refused(name)

    def test_the_config_of_the_transformer(
        self, name: str, use_file_of: Quantise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = shutil.copytree(use_file_of(name).folder, tmp_path / "model")
        _config(folder).unlink()
        monkeypatch.setenv("UNDERCARD_MODEL", str(folder))

        assert "model has no transformer/config.json that can be read" in _refused(name)

    def test_the_lora(self, name: str, use_file_of: Quantise, monkeypatch: pytest.MonkeyPatch) -> None:
        use_file_of(name)
        monkeypatch.setenv("UNDERCARD_LORA", "/nowhere/lora.safetensors")

        assert "/nowhere/lora.safetensors is no file; set UNDERCARD_LORA" in _refused(name)

    def test_a_card(self, name: str, use_file_of: Quantise, monkeypatch: pytest.MonkeyPatch) -> None:
        use_file_of(name)
        monkeypatch.delenv("UNDERCARD_DEVICE")

        assert "there is no CUDA card" in _refused(name)


def _changed(folder: Path, tmp_path: Path, **changes: object) -> str:
    """Return a copy of the model's *folder* whose transformer is configured otherwise."""
    copy = shutil.copytree(folder, tmp_path / "changed")
    _config(copy).write_text(json.dumps(json.loads(_config(copy).read_text()) | changes))
    return str(copy)


@pytest.mark.parametrize("name", NAMES)
class TestWhatDoesNotFit:
    """Refused by name, before anything is on a card."""

    def test_a_file_of_another_kind(
        self, name: str, use_file_of: Quantise, quantised_models: Quantise, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        use_file_of(name)
        other = NAMES[NAMES.index(name) - 1]
        monkeypatch.setenv(weights.setting(name), str(quantised_models(other).file))

        said = _refused(name)

        assert "is a file of " in said
        assert f"set {weights.setting(name)} to one" in said

    def test_a_model_of_other_sizes(
        self, name: str, use_file_of: Quantise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("UNDERCARD_MODEL", _changed(use_file_of(name).folder, tmp_path, num_layers=3))

        assert "is another model's: it has 2 blocks of" in _refused(name)

    def test_a_truncated_file(
        self, name: str, use_file_of: Quantise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        content = use_file_of(name).file.read_bytes()
        (tmp_path / "short").write_bytes(content[: len(content) * 3 // 4])
        monkeypatch.setenv(weights.setting(name), str(tmp_path / "short"))

        assert "fetch it again" in _refused(name) or "fetch the file again" in _refused(name)

    def test_bytes_of_something_else(
        self, name: str, use_file_of: Quantise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        use_file_of(name)
        (tmp_path / "page.html").write_text("<html>404</html>" * 100)
        monkeypatch.setenv(weights.setting(name), str(tmp_path / "page.html"))

        assert "page.html is no safetensors file" in _refused(name)

    def test_a_lora_for_another_model(
        self, name: str, use_file_of: Quantise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        use_file_of(name)
        save_file(
            {"double_blocks.0.lora_A.weight": torch.ones(4, 64), "double_blocks.0.lora_B.weight": torch.ones(64, 4)},
            tmp_path / "flux.safetensors",
        )
        monkeypatch.setenv("UNDERCARD_LORA", str(tmp_path / "flux.safetensors"))

        assert "flux.safetensors is a LoRA for another model" in _refused(name)


def test_a_gguf_file_of_2511_does_not_run_as_2509(
    use_file_of: Quantise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERCARD_MODEL", _changed(use_file_of("gguf").folder, tmp_path, zero_cond_t=False))

    assert "is of Edit-2511, and the folder of UNDERCARD_MODEL of an earlier one" in _refused("gguf")


def test_a_nunchaku_file_of_2509_does_not_run_as_2511(
    use_file_of: Quantise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERCARD_MODEL", _changed(use_file_of("nunchaku").folder, tmp_path, zero_cond_t=True))

    assert "is of an earlier Edit, and the folder of UNDERCARD_MODEL of Edit-2511" in _refused("nunchaku")


@pytest.mark.parametrize(
    ("lost", "said"),
    [(".weight_scale", "only make sense with one"), ("transformer_blocks.1.attn.to_q.weight_scale", "has no scale")],
)
def test_scaled_fp8_is_not_rendered_without_its_scales(
    use_file_of: Quantise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str, said: str
) -> None:
    tensors = load_file(use_file_of("fp8-lightning").file)
    save_file({name: value for name, value in tensors.items() if not name.endswith(lost)}, tmp_path / "a.safetensors")
    monkeypatch.setenv("UNDERCARD_FP8_LIGHTNING", str(tmp_path / "a.safetensors"))

    assert said in _refused("fp8-lightning")


def test_scaled_fp8_of_an_unproven_layout_is_refused(
    use_file_of: Quantise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensors = load_file(use_file_of("fp8-lightning").file)
    scales: Sequence[str] = [name for name in tensors if name.endswith(".weight_scale")]
    save_file(tensors | {name: tensors[name].amax() for name in scales}, tmp_path / "a.safetensors")
    monkeypatch.setenv("UNDERCARD_FP8_LIGHTNING", str(tmp_path / "a.safetensors"))

    assert "is one number, and nothing in the file says which tool wrote it" in _refused("fp8-lightning")
