"""Telling nunchaku's own package from another of that name, and what keeps it from running; imports neither nor torch.

The real one is a wheel of its releases, each built for one Python, one torch and one CUDA. On PyPI the name belongs to
a library that cuts time series into pieces.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import re
import runpy
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from undercard.domain.unavailable import Cause, Unavailable
from undercard.errors import BadCheckpoint
from undercard.hardware.devices import Gpu
from undercard.models.headers import safetensors_header

RELEASE = "1.2.1"
"""The newest, of 24 January 2026. Its repository has not moved since February."""
WHEELS = {"2.8": ("12.8",), "2.9": ("12.8", "13.0"), "2.10": ("12.8", "13.0"), "2.11": ("12.8", "13.0")}
"""Of that release: torch → the CUDAs that it was built with (its .github/workflows/release-build.yaml)."""
PYTHONS = ((3, 10), (3, 11), (3, 12), (3, 13))
PLATFORMS = ("linux_x86_64", "win_amd64")
URL = "https://github.com/nunchaku-ai/nunchaku/releases/download"
OLDEST = (1, 2)
"""Before it, `set_offload` knew no number of blocks."""
DIFFUSERS = "0.36"
"""0.37 asks its forward for other arguments, and 0.39 its rotary embedding."""
KERNELS = {(8, 0): "int4", (8, 6): "int4", (8, 9): "int4", (12, 0): "fp4_e2m1_all"}
"""Compute capability → the weights that its kernels take there (`check_hardware_compatibility` in its utils.py).

It has kernels for 7.5 too, which every model of Qwen ends with a failed assertion in `gemv_awq` (its issue 910): its
loader makes bf16 scales for activations that Turing computes in float16.
"""
TURING = (7, 5)


@dataclass(frozen=True, slots=True)
class Build:
    """A torch that is installed."""

    torch: str
    """Such as `2.11`."""
    cuda: str | None
    """Such as `13.0`; None where it computes without."""


def missing(gpu: Gpu) -> Unavailable | None:
    """Return what keeps the package from running on *gpu*, and the one command that changes it; None when it runs."""
    if gpu.capability == TURING:
        what = f"nunchaku aborts on Turing, of which {gpu.name} is, with every model of Qwen (its issue 910)"
        return Unavailable(what, "the backend nunchaku runs the same files", Cause.UNSUITABLE_CARD)
    if gpu.capability not in KERNELS:
        able = ", ".join(f"{major}.{minor}" for major, minor in KERNELS)
        major, minor = gpu.capability
        what = f"nunchaku has kernels for compute capability {able}, and {gpu.name} has {major}.{minor}"
        return Unavailable(what, "the backend nunchaku runs the same files", Cause.UNSUITABLE_CARD)
    problem = _problem()
    return Unavailable(problem, remedy(), Cause.MISSING_PACKAGE) if problem else None


def unfit(file: Path, gpu: Gpu) -> Unavailable | None:
    """Return why the package must not be given *file* on *gpu*, by the file's header; None when it may be."""
    try:
        stat = file.stat()
        config, quantised = _described(file, stat.st_mtime_ns, stat.st_size)
    except (OSError, BadCheckpoint, ValueError, KeyError, TypeError) as exc:
        what = f"{file} is no file of nunchaku's ({exc or type(exc).__name__})"
        return Unavailable(what, "set UNDERCARD_NUNCHAKU to one", Cause.WRONG_FILE)
    if config.get("zero_cond_t"):
        what = f"{file} is of Qwen-Image-Edit-2511, whose zero_cond_t nunchaku's package overlooks"
        instead = "the backend nunchaku runs it, or set UNDERCARD_NUNCHAKU to a file of 2509"
        return Unavailable(what, instead, Cause.WRONG_FILE)
    weight = quantised.get("weight")
    dtype = weight.get("dtype") if isinstance(weight, Mapping) else None
    taken = KERNELS.get(gpu.capability)
    if dtype != taken:
        what = f"{file} holds {dtype} weights, and nunchaku's kernels on {gpu.name} take {taken}"
        return Unavailable(what, "set UNDERCARD_NUNCHAKU to such a file", Cause.WRONG_FILE)
    return None


def remedy() -> str:
    """Return the command that installs the package here, or say that there is none for this machine."""
    python, platform, build = sys.version_info[:2], sysconfig.get_platform().replace("-", "_"), torch_build()
    if platform not in PLATFORMS:
        return f"there is no wheel of it for {platform}"
    if python not in PYTHONS:
        return f"there is no wheel of it for Python {python[0]}.{python[1]}, but for 3.10 to 3.13"
    fits = build is not None and build.cuda in WHEELS.get(build.torch, ())
    newest = list(WHEELS)[-1]
    chosen = build if fits and build else Build(newest, WHEELS[newest][-1])
    tag = f"cp{python[0]}{python[1]}"
    wheel = f"{URL}/v{RELEASE}/nunchaku-{RELEASE}+cu{chosen.cuda}torch{chosen.torch}-{tag}-{tag}-{platform}.whl"
    others = f"'diffusers=={DIFFUSERS}.*' 'transformers<5'"
    line = f"pip install undercard {others} {wheel}"
    if fits:
        return f"run {line} in an environment of its own, as the other backends need a newer diffusers"
    here = f"torch {build.torch} with {f'CUDA {build.cuda}' if build.cuda else 'no CUDA'}" if build else "no torch"
    return (
        f"there is no wheel of it for {here}, which is here; run {line} 'torch=={chosen.torch}.*' in an environment of "
        f"its own, with a torch of CUDA {chosen.cuda}"
    )


def torch_build() -> Build | None:
    """Return which torch is installed, without importing it; None where none is."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return None
    try:
        told = runpy.run_path(str(Path(spec.origin).with_name("version.py")))
        version, cuda = str(told["__version__"]), told.get("cuda")
    except (OSError, KeyError):
        return None
    return Build(".".join(version.split(".")[:2]), None if cuda is None else str(cuda))


def _problem() -> str | None:
    """Say what is wrong with the packages that are here."""
    spec = importlib.util.find_spec("nunchaku")
    if spec is None:
        return "nunchaku is not installed"
    version = _version("nunchaku")
    # Looking for `nunchaku.models` would import whichever package this is.
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    if not any((folder / "models" / "transformers" / "transformer_qwenimage.py").is_file() for folder in folders):
        return f"the nunchaku that is installed ({version}) is another package of that name, without models"
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if numbers is None or (int(numbers[1]), int(numbers[2])) < OLDEST:
        return f"nunchaku {version} is older than {OLDEST[0]}.{OLDEST[1]}"
    built, build = re.search(r"\+cu([\d.]+)torch(\d+\.\d+)", version), torch_build()
    if built and build and (built[1], built[2]) != (build.cuda, build.torch):
        return (
            f"nunchaku {version} was built for another torch than {build.torch} with CUDA {build.cuda}, which is here"
        )
    diffusers = _version("diffusers")
    if not diffusers.startswith(f"{DIFFUSERS}."):
        return f"nunchaku works with diffusers {DIFFUSERS} alone, and {diffusers} is here"
    return None


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"


# A plan asks at every keyframe, and a header has 4,093 tensors.
@lru_cache(maxsize=8)
def _described(file: Path, _modified_ns: int, _size: int) -> tuple[dict[str, object], dict[str, object]]:
    """Return the transformer's config and the quantisation that a safetensors file tells of in its metadata.

    Raises:
        BadCheckpoint: it is no safetensors file.
        ValueError, KeyError, TypeError: it has no such metadata.
    """
    metadata = safetensors_header(file).metadata
    config, quantised = (json.loads(str(metadata[name])) for name in ("config", "quantization_config"))
    if not isinstance(config, dict) or not isinstance(quantised, dict):
        raise TypeError("its metadata are no objects")
    return config, quantised
