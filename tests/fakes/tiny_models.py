"""Tiny models in the true formats, as a hub would publish them, and the catalogue that describes them."""

from __future__ import annotations

from pathlib import Path

from tests.fakes import lora_files, stored_files, tiny
from tests.fakes.hub_server import Repository, sha256

BASE, BASE_2509 = "tiny/Edit-2511", "tiny/Edit-2509"
GGUF, LORA, FP8, SVDQ = "tiny/Edit-2511-GGUF", "tiny/Edit-Lightning", "tiny/Edit-fp8", "tiny/nunchaku-edit-2509"
GGUF_FILE = "edit-Q4_K_M.gguf"
SVDQ_FILE = "lightning/svdq-int4_r16-edit.safetensors"
COMMIT = "c0ffee0000000000000000000000000000000001"


def publish(folder: Path) -> dict[str, Repository]:
    """Build the models in *folder*, and return what a hub holds of them."""
    for name, marked in ((BASE, True), (BASE_2509, False)):
        tiny.build(folder / name, dim=stored_files.DIM if marked else 64, zero_cond_t=marked)
    for name in ("gguf", "fp8"):
        (folder / name).mkdir()
    gguf = stored_files.build(folder / "gguf", "q4_k_m")
    fp8 = stored_files.build(folder / "fp8", "lightx2v")
    lora = lora_files.writer(tiny.transformer(dim=stored_files.DIM), folder / "lora.safetensors")(
        lora_files.NAMINGS["lightx2v"]
    )
    return {
        BASE: _folder(folder / BASE),
        BASE_2509: _folder(folder / BASE_2509),
        GGUF: Repository({GGUF_FILE: gguf.read_bytes(), "README.md": b"# GGUF"}),
        LORA: Repository({"edit-4steps.safetensors": lora.read_bytes(), "edit-4steps.ckpt": b"\x80\x04pickle"}),
        FP8: Repository({"edit_fp8_lightning.safetensors": fp8.read_bytes()}),
        SVDQ: Repository({SVDQ_FILE: stored_files.NUNCHAKU.read_bytes()}),
    }


def _folder(path: Path) -> Repository:
    files = {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}
    # What older repositories hold as well, and nobody here ever takes.
    return Repository({**files, "text_encoder/pytorch_model.bin": b"\x80\x04pickle", "README.md": b"# Edit"})


def catalogue(repositories: dict[str, Repository]) -> str:
    """Return the catalogue of *repositories*, in TOML."""
    gguf = repositories[GGUF].files[GGUF_FILE]
    return f'''\
[[model]]
name = "base-2511"
title = "Tiny-Edit-2511"
repository = "{BASE}"
revision = "{COMMIT}"
licence = "Apache-2.0"
layout = "diffusers"
edition = "2511"
blocks = 2
files = [
  {{ path = "transformer/*.safetensors", part = "transformer", about_bytes = 10_100_000 }},
  {{ path = "text_encoder/*.safetensors", about_bytes = 700_000 }},
  {{ path = "vae/*.safetensors", about_bytes = 1_350_000 }},
  {{ path = "model_index.json", about_bytes = 1_000 }},
  {{ path = "*/*.json", about_bytes = 30_000 }},
  {{ path = "*/*.txt", about_bytes = 1_000 }},
]

[[model]]
name = "base-2509"
title = "Tiny-Edit-2509"
repository = "{BASE_2509}"
revision = "main"
licence = "Apache-2.0"
layout = "diffusers"
edition = "2509"
blocks = 2
files = [
  {{ path = "transformer/*.safetensors", part = "transformer", about_bytes = 700_000 }},
  {{ path = "text_encoder/*.safetensors", about_bytes = 700_000 }},
  {{ path = "vae/*.safetensors", about_bytes = 1_350_000 }},
  {{ path = "model_index.json", about_bytes = 1_000 }},
  {{ path = "*/*.json", about_bytes = 30_000 }},
]

[[model]]
name = "lightning-4steps"
title = "Tiny Lightning, 4 steps"
repository = "{LORA}"
revision = "main"
licence = "Apache-2.0"
layout = "lora"
edition = "2511"
rank = 4
pairs = 34
steps = 4
strength = 0.5
comfyui = "loras"
files = [{{ path = "edit-4steps.safetensors", about_bytes = 90_000 }}]

[[model]]
name = "gguf-q4-k-m"
title = "Tiny GGUF Q4_K_M"
repository = "{GGUF}"
revision = "{COMMIT}"
licence = "Apache-2.0"
layout = "gguf"
edition = "2511"
blocks = 2
quantisation = "Q4_K_M"
comfyui = "unet"
files = [{{ path = "{GGUF_FILE}", bytes = {len(gguf)}, sha256 = "{sha256(gguf)}" }}]

[[model]]
name = "fp8-8steps"
title = "Tiny fp8 with Lightning"
repository = "{FP8}"
revision = "main"
licence = "Apache-2.0"
layout = "fp8-lightx2v"
edition = "2511"
blocks = 2
steps = 8
files = [{{ path = "edit_fp8_lightning.safetensors", about_bytes = 4_000_000 }}]

[[model]]
name = "svdq-r16"
title = "Tiny nunchaku int4"
repository = "{SVDQ}"
revision = "main"
licence = "Apache-2.0"
layout = "svdq-int4"
edition = "2509"
blocks = 2
rank = 16
steps = 4
least_capability = "7.5"
files = [{{ path = "{SVDQ_FILE}", about_bytes = 300_000 }}]

[[kit]]
backends = ["bf16", "fp8"]
base = "base-2511"
lora = ["lightning-4steps"]

[[kit]]
backends = ["gguf"]
base = "base-2511"
transformer = ["gguf-q4-k-m"]
lora = ["lightning-4steps"]

[[kit]]
backends = ["fp8-lightning"]
base = "base-2511"
transformer = ["fp8-8steps"]

[[kit]]
backends = ["nunchaku"]
base = "base-2509"
transformer = ["svdq-r16"]

[[kit]]
backends = ["comfyui"]
transformer = ["gguf-q4-k-m"]
lora = ["lightning-4steps"]
'''
