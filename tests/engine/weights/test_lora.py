from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import QwenImageEditPlusPipeline, QwenImageTransformer2DModel
from torch import Tensor

from tests.fakes import lora_files
from tests.fakes.lora_files import NAMINGS
from undercard.engine.files.checkpoint import open_checkpoint
from undercard.engine.stages.schedule import lightning, timesteps
from undercard.engine.streaming.sources import InMemory
from undercard.engine.streaming.streamer import HostStreamer
from undercard.engine.transformer import transformer
from undercard.engine.weights import modulation
from undercard.engine.weights.codecs import codec_named
from undercard.engine.weights.loading import load
from undercard.engine.weights.lora import Lora, open_lora

CPU = torch.device("cpu")
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]
Write = Callable[..., Path]


UNDERSTOOD = {"lightx2v under diffusers' prefix": "lightx2v", "peft": "peft under diffusers' prefix"}
"""Namings that diffusers does not take, and those under which it takes the same tensors: it puts a second prefix
before the first, finds no such layer and stops; without a prefix it overlooks peft's names and changes nothing."""


def _theirs(folder: Path, path: Path | None, strength: float = 1.0, device: str = "cpu") -> QwenImageTransformer2DModel:
    """Return diffusers' model with the LoRA fused by diffusers' own pipeline."""
    model = QwenImageTransformer2DModel.from_pretrained(folder, dtype=torch.bfloat16).to(device).eval()
    absent = dict.fromkeys(("vae", "text_encoder", "tokenizer", "processor"))
    pipeline = QwenImageEditPlusPipeline(scheduler=lightning(), transformer=model, **absent)
    if path is not None:
        pipeline.load_lora_weights(path)
        pipeline.fuse_lora(lora_scale=strength)
    return model


class Ours:
    """The parts of a streamed transformer with a LoRA in them."""

    def __init__(self, folder: Path, path: Path, strength: float = 1.0, device: torch.device = CPU) -> None:
        checkpoint = open_checkpoint(folder)
        self.model = transformer.skeleton(folder)
        self.count = len(self.model.transformer_blocks)
        self.lora = open_lora(path, self.model)
        transformer.load_rest(self.model, checkpoint, device)
        self.lora.rest(self.model, strength)
        reader = transformer.block_reader(self.model, checkpoint)
        self.layout = reader.layout
        self.blocks = load(reader, codec_named("bf16"), device, self.lora.amend(strength))
        with transformer.modulation_weights(checkpoint, self.count, device) as weights:
            fused = self.lora.fused(weights, strength)
            self.pairs = {
                f"transformer_blocks.{block}.{stream}_mod.1": [part.clone() for part in fused(block, stream)]
                for block in range(self.count)
                for stream in ("img", "txt")
            }
            self.table = modulation.compute(
                fused,
                self.count,
                self.model.time_text_embed,
                timesteps(4),
                zero_cond_t=self.model.zero_cond_t,
                device=device,
            )

    def parameters(self) -> dict[str, Tensor]:
        outside = {
            name: value for name, value in self.model.named_parameters() if not name.startswith(transformer.PREFIX)
        }
        for layer, (weight, bias) in self.pairs.items():
            outside |= {f"{layer}.weight": weight, f"{layer}.bias": bias}
        for number, block in enumerate(self.blocks):
            for place in self.layout.places:
                outside[f"{transformer.PREFIX}{number}.{place.name}"] = self.layout.view(block.tensor, place.name)
        return {name: value.detach().cpu() for name, value in outside.items()}


def _merged(model: QwenImageTransformer2DModel) -> dict[str, Tensor]:
    state = {name.replace(".base_layer", ""): value.cpu() for name, value in model.state_dict().items()}
    return {name: value for name, value in state.items() if ".lora_" not in name}


def _differing(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> list[str]:
    assert ours.keys() == theirs.keys()
    return [name for name, value in ours.items() if not torch.equal(value, theirs[name])]


@pytest.fixture
def folder(checkpoint_2511: Path) -> Path:
    return checkpoint_2511 / "transformer"


@pytest.fixture
def model(folder: Path) -> QwenImageTransformer2DModel:
    return transformer.skeleton(folder)


@pytest.fixture
def write(model: QwenImageTransformer2DModel, tmp_path: Path) -> Write:
    return lora_files.writer(model, tmp_path / "lora.safetensors")


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("naming", NAMINGS)
def test_every_weight_has_the_bits_of_diffusers_fused_model(
    folder: Path, write: Write, naming: str, device: str
) -> None:
    ours = Ours(folder, write(NAMINGS[naming]), device=torch.device(device)).parameters()

    theirs = _merged(_theirs(folder, write(NAMINGS[UNDERSTOOD.get(naming, naming)]), device=device))

    assert _differing(ours, theirs) == []


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("naming", ["lightx2v", "peft with alpha"])
def test_a_lora_in_half_precision_is_rounded_as_diffusers_rounds_it(
    folder: Path, write: Write, naming: str, dtype: torch.dtype
) -> None:
    path = write(NAMINGS[naming], dtype=dtype)

    ours = Ours(folder, path).parameters()

    assert _differing(ours, _merged(_theirs(folder, path))) == []


def test_the_smallest_numbers_of_half_precision_survive_alpha_as_in_diffusers(
    folder: Path, model: QwenImageTransformer2DModel, tmp_path: Path
) -> None:
    tensors = lora_files.tensors(model, dtype=torch.float16)
    for name, value in tensors.items():
        # Below 6e-5 float16 has fewer bits, so that it matters which factor takes how much of alpha / rank.
        value *= {"down": 1e-4, "up": 1e4}.get(name.split(".")[-2].removeprefix("lora_"), 1)
    path = lora_files.write(tmp_path / "lora.safetensors", tensors)

    ours = Ours(folder, path).parameters()

    assert _differing(ours, _merged(_theirs(folder, path))) == []


@pytest.mark.parametrize("device", DEVICES)
def test_strength_is_diffusers_lora_scale(folder: Path, write: Write, device: str) -> None:
    path = write()

    ours = Ours(folder, path, 0.7, torch.device(device)).parameters()

    assert _differing(ours, _merged(_theirs(folder, path, 0.7, device))) == []


@pytest.mark.parametrize("rooted", [False, True])
def test_the_config_that_diffusers_keeps_beside_peft_s_factors_counts(
    folder: Path, write: Write, model: QwenImageTransformer2DModel, rooted: bool
) -> None:
    config = {
        "r": 4,
        "lora_alpha": 3,
        "alpha_pattern": {"attn.to_q": 5, r"transformer_blocks\.1\.img_mlp\.net\.2": 7},
        "use_rslora": rooted,
        "target_modules": lora_files.linears(model),
    }
    path = write(NAMINGS["peft under diffusers' prefix"], config)

    ours = Ours(folder, path).parameters()

    assert _differing(ours, _merged(_theirs(folder, path))) == []


def test_ranks_may_differ_from_layer_to_layer(folder: Path, write: Write) -> None:
    path = write(rank=lambda layer: 2 if "attn" in layer else 8)

    ours = Ours(folder, path).parameters()

    assert _differing(ours, _merged(_theirs(folder, path))) == []


def test_layers_that_the_lora_leaves_alone_keep_their_bits(folder: Path, write: Write) -> None:
    layer = "transformer_blocks.1.attn.to_add_out"
    plain = _merged(_theirs(folder, None))

    ours = Ours(folder, write(layers=[layer])).parameters()

    assert _differing(ours, plain) == [f"{layer}.weight"]


@pytest.mark.parametrize("revision", ["2509", "2511"])
@pytest.mark.parametrize("codec", ["bf16", "packed"])
def test_a_streamed_transformer_with_a_lora_answers_bit_for_bit_as_diffusers_fused_model(
    revision: str, codec: str, request: pytest.FixtureRequest, write: Write
) -> None:
    folder = request.getfixturevalue(f"checkpoint_{revision}") / "transformer"
    path = write()
    ours = Ours(folder, path)
    reader = transformer.block_reader(ours.model, open_checkpoint(folder))
    kept = load(reader, codec_named(codec), CPU, ours.lora.amend())
    streamer = HostStreamer(reader.layout, InMemory(kept))
    tables = transformer.stream(ours.model, ours.table, streamer, CPU)

    answers = _answers(ours.model, tables)

    theirs = _answers(_theirs(folder, path))
    plain = _answers(_theirs(folder, None))
    assert all(torch.equal(answer, wanted) for answer, wanted in zip(answers, theirs, strict=True))
    assert not torch.equal(answers[0], plain[0])


def _answers(model: QwenImageTransformer2DModel, tables: modulation.Tables | None = None) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    inputs = {
        "hidden_states": torch.randn(1, 32, 64, generator=generator).to(torch.bfloat16),
        "encoder_hidden_states": torch.randn(1, 12, model.config.joint_attention_dim, generator=generator).bfloat16(),
        "encoder_hidden_states_mask": None,
        "img_shapes": [[(1, 4, 4), (1, 4, 4)]],
        "return_dict": False,
    }
    answers = []
    with torch.inference_mode():
        for step, timestep in enumerate(timesteps(4)):
            if tables is not None:
                tables.select(step)
            answers.append(model(timestep=torch.tensor([timestep], dtype=torch.bfloat16), **inputs)[0])
    return answers


def test_fusing_into_a_model_s_modulation_leaves_the_model_as_it_was(folder: Path, write: Write) -> None:
    model = _theirs(folder, None)
    before = model.transformer_blocks[0].img_mod[1].weight.clone()

    weight, _ = open_lora(write(), model).fused(modulation.weights_of(model))(0, "img")

    assert torch.equal(model.transformer_blocks[0].img_mod[1].weight, before)
    assert not torch.equal(weight, before)


def test_blocks_may_be_amended_in_any_order_and_again(folder: Path, write: Write) -> None:
    lora = open_lora(write(), transformer.skeleton(folder))
    reader = transformer.block_reader(transformer.skeleton(folder), open_checkpoint(folder))
    fuse = lora.amend()
    fused = [torch.zeros(reader.layout.size_bytes, dtype=torch.uint8) for _ in range(4)]

    for number, raw in zip([1, 0, 1, 0], fused, strict=True):
        fuse(number, reader.layout, raw)

    assert torch.equal(fused[0], fused[2])
    assert torch.equal(fused[1], fused[3])
    assert not torch.equal(fused[0], fused[1])


def test_opening_says_how_many_of_how_many_layers_it_changes(write: Write, model: QwenImageTransformer2DModel) -> None:
    lora = open_lora(write(layers=lora_files.linears(model)[:10]), model)

    assert str(lora) == f"lora.safetensors: 10 of the model's {len(lora_files.linears(model))} linear layers, rank 4"


def test_the_digest_tells_strengths_and_contents_apart(write: Write, model: QwenImageTransformer2DModel) -> None:
    def opened(**options: object) -> Lora:
        return open_lora(write(**options), model)

    layers = lora_files.linears(model)

    whole, again, weaker = opened().digest(), opened().digest(), opened().digest(0.5)
    less = opened(layers=layers[1:]).digest()

    assert whole == again
    assert len({whole, weaker, less}) == 3


def test_the_digest_tells_a_scale_apart_that_only_the_metadata_know(
    write: Write, model: QwenImageTransformer2DModel
) -> None:
    naming = NAMINGS["peft under diffusers' prefix"]

    digests = {open_lora(write(naming, {"r": 4, "lora_alpha": alpha}), model).digest() for alpha in (4, 8)}

    assert len(digests) == 2
