"""The only reader of the environment: variables that begin with `UNDERCARD_`."""

from __future__ import annotations

import os
import tempfile
from functools import cached_property, lru_cache
from pathlib import Path

from pydantic import ByteSize, Field, HttpUrl, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What a machine's owner decides once, rather than at each run."""

    model_config = SettingsConfigDict(env_prefix="UNDERCARD_", frozen=True, extra="forbid")

    store: Path = Field(
        default_factory=lambda: project_root() / "data" / "store",
        description="Folder for everything that is made: takes, segments, films.",
    )
    turns: Path = Field(
        default_factory=lambda: Path(tempfile.gettempdir()) / "undercard-turns",
        description="Folder that all runs of this machine share, in which they take turns at a card.",
    )
    workers: int = Field(
        default=0, ge=0, le=256, description="Threads that draw and encode at once; 0 takes one a core."
    )
    take_limit: int = Field(
        default=3, ge=1, le=20, description="Takes of a keyframe in a run before the best one is kept for review."
    )
    repair_limit: int = Field(
        default=12, ge=0, le=200, description="Takes of all keyframes of a shot in a run beside the first of each."
    )
    device: str = Field(
        default="auto",
        pattern=r"^(auto|cpu|cuda:\d+)$",
        description="What renders: `auto` takes every card, `cuda:0` one, `cpu` none.",
    )
    vram_limit: ByteSize | None = Field(
        default=None, gt=0, description="Take each card for one of this size, such as `10GB`."
    )
    model: Path | None = Field(default=None, description="Folder of a Qwen-Image-Edit in the layout of diffusers.")
    lora: Path | None = Field(
        default=None, description="File of a Lightning LoRA that is fused into the model; `none` for none."
    )
    gguf: Path | None = Field(default=None, description="GGUF file of the transformer, for the backend `gguf`.")
    fp8_lightning: Path | None = Field(
        default=None, description="Scaled fp8 file with Lightning fused in, for the backend `fp8-lightning`."
    )
    nunchaku: Path | None = Field(default=None, description="SVDQuant file, for the backends of nunchaku's format.")
    model_store: Path = Field(
        default_factory=lambda: project_root() / "data" / "models",
        description="Folder that `undercard provision` fetches models into; what it fetched is noted beside it.",
    )
    model_folders: str = Field(
        default="",
        description="Folders with models that are there already, separated as in PATH; they are used in place.",
    )
    comfyui_models: Path | None = Field(
        default=None, description="ComfyUI's folder `models`: used in place, and what ComfyUI needs goes there."
    )
    catalogue: Path | None = Field(default=None, description="Catalogue of models in place of the project's own.")
    comfyui: HttpUrl = Field(
        default=HttpUrl("http://127.0.0.1:8188"), description="Address of a running ComfyUI, for the backend `comfyui`."
    )
    comfyui_workflow: Path | None = Field(
        default=None, description="A workflow of your own for ComfyUI, in its API format, with placeholders."
    )
    comfyui_unet: str = Field(
        default="", description="File of the transformer as ComfyUI lists it; by default the best that it has."
    )
    comfyui_clip: str = Field(default="", description="The same for the text encoder.")
    comfyui_vae: str = Field(default="", description="The same for the autoencoder.")
    comfyui_lora: str = Field(default="", description="The same for the Lightning LoRA; `none` for none.")
    comfyui_wait_seconds: float = Field(
        default=120.0,
        ge=0,
        description="How long to wait for a ComfyUI that answers no more, such as one that restarts.",
    )
    judge: HttpUrl | None = Field(
        default=None,
        description="Address of an OpenAI-compatible server, such as `http://127.0.0.1:8000/v1`, whose vision-language"
        " model is to look at what the gate accepts.",
    )
    judge_model: str = Field(default="", description="That model, as the server lists it.")
    judge_key: SecretStr | None = Field(default=None, description="Key that the judge's server asks for.")
    judge_remote: bool = Field(
        default=False, description="Let pictures leave this machine, for a judge that is not on it."
    )
    judge_seconds: float = Field(default=60.0, gt=0, description="How long an answer of the judge may take.")
    judge_wait_seconds: float = Field(
        default=60.0, ge=0, description="How long to wait, in all, for a judge that is busy or gone."
    )
    clips: str = Field(
        default="", description="What makes the clips of shots whose motion is `clip`: `comfyui`; none by default."
    )
    clip_fallback: str = Field(
        default="",
        description="Motion, such as `flow`, in place of `clip` where no clip can be made; an error by default.",
    )
    clip_workflow: Path | None = Field(
        default=None, description="A workflow of your own for clips, in ComfyUI's API format, with placeholders."
    )
    clip_unet: str = Field(
        default="",
        description="Wan's transformer as ComfyUI lists it, of a pair that for high noise; by default the best.",
    )
    clip_lora: str = Field(
        default="", description="Wan's LoRA for few steps, of a pair that for high noise; `none` for none."
    )
    clip_pixels: int = Field(
        default=832 * 480,
        ge=256 * 256,
        le=1920 * 1088,
        description="Most pixels of a clip's frame; a larger film gets it enlarged.",
    )
    # 4 and 8 are the schedules that Lightning was distilled for.
    steps: int = Field(default=4, ge=4, le=8, multiple_of=4, description="Denoising steps of a keyframe: 4 or 8.")
    guidance: float = Field(
        default=1.0,
        ge=1.0,
        le=20.0,
        description="How much a prompt counts over the negative one, for weights without Lightning; above 1 a step"
        " takes two passes.",
    )
    attempt_limit: int = Field(
        default=6, ge=1, le=50, description="Failed attempts at a keyframe, on whatever rungs, before it is given up."
    )
    rung_limit: int = Field(
        default=3, ge=1, le=50, description="Keyframes in a row that a rung may fail before it is closed for the run."
    )
    busy_seconds: float = Field(
        default=300.0, ge=0, description="How long to wait for a card that another process fills."
    )
    hang_seconds: float = Field(
        default=900.0, gt=0, description="How long a backend may show no sign of life before it is ended."
    )

    @cached_property
    def store_root(self) -> Path:
        """The store as an absolute path, so that a task in another working directory finds it."""
        return self.store.expanduser().resolve()

    @cached_property
    def model_store_root(self) -> Path:
        """The folder of fetched models as an absolute path."""
        return self.model_store.expanduser().resolve()

    @cached_property
    def models_lock(self) -> Path:
        """The file that says which models were fetched and verified: `data/models.lock` beside `data/models`."""
        return self.model_store_root.with_name(f"{self.model_store_root.name}.lock")

    @cached_property
    def comfyui_root(self) -> Path:
        """Where the files go that ComfyUI needs: its own folder, else one that it can be told of."""
        own = self.comfyui_models
        return own.expanduser().resolve() if own else self.model_store_root / "comfyui"

    @cached_property
    def folders_to_look_in(self) -> tuple[Path, ...]:
        """Folders with models that are there already, as absolute paths."""
        named = [
            Path(folder).expanduser().resolve() for folder in self.model_folders.split(os.pathsep) if folder.strip()
        ]
        return (*named, *((self.comfyui_root,) if self.comfyui_models else ()))

    @cached_property
    def catalogue_file(self) -> Path:
        """The catalogue of models: the one that was named, else the project's, else the copy in the package."""
        if self.catalogue is not None:
            return self.catalogue.expanduser().resolve()
        own = project_root() / "data" / "models.toml"
        return own if own.is_file() else Path(__file__).parent / "models" / "models.toml"


def project_root() -> Path:
    """Return the checkout that this package runs from, or the working directory when it is installed without one."""
    checkout = Path(__file__).parent.parent
    return checkout if (checkout / "prefect.yaml").is_file() else Path.cwd()


def load() -> Settings:
    """Read the settings from the environment.

    Raises:
        pydantic.ValidationError: a variable has a value that its field refuses.
    """
    prefix = Settings.model_config.get("env_prefix", "")
    ours = {name: value for name, value in os.environ.items() if name.upper().startswith(prefix)}
    return _parsed(tuple(sorted(ours.items())), Path.cwd())


# Every cached result of a task asks for the store's place, and parsing takes 2 ms; the key is all it depends on.
@lru_cache(maxsize=8)
def _parsed(variables: tuple[tuple[str, str], ...], folder: Path) -> Settings:
    return Settings()


def visible_devices() -> str | None:
    """Return CUDA's own choice of cards, which holds for every program of this user; None where none was made."""
    return os.environ.get("CUDA_VISIBLE_DEVICES")


def child_environment(changes: dict[str, str]) -> dict[str, str]:
    """Return this process's environment with *changes*, for a child process."""
    return {**os.environ, **changes}
