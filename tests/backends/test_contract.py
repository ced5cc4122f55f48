"""What every backend keeps to; a new file in undercard/backends is tested here unasked."""

from __future__ import annotations

import dataclasses
import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from PIL import Image

from tests import here
from tests.previz.stagings import staged
from undercard import backends
from undercard.backends import Backend, Rung, Work
from undercard.domain.requests import RenderRequest
from undercard.errors import UnknownBackend
from undercard.hardware.devices import Device, Gpu
from undercard.hardware.probe import this_device
from undercard.models import weights

SIZE = (64, 36)
NEEDED = {"comfyui": "comfyui", "qwen-image-edit": "qwen_on_the_processor"}
"""The fixture that lets a backend run here, or all of a family."""


def _request(seed: int = 1) -> RenderRequest:
    content = io.BytesIO()
    Image.linear_gradient("L").resize(SIZE).convert("RGB").save(content, "PNG")
    return RenderRequest(
        prompt="two boxers in a ring",
        negative_prompt="",
        seed=seed,
        size=SIZE,
        staging=staged(),
        renderer="test",
        references=(here.store().put_bytes(content.getvalue(), ".png").sha256,),
    )


@pytest.fixture(params=backends.names())
def backend(request: pytest.FixtureRequest) -> Backend:
    return backends.backend(request.param)


@pytest.fixture
def runnable(backend: Backend, request: pytest.FixtureRequest) -> Backend:
    if fixture := NEEDED.get(backend.name, NEEDED.get(backend.family)):
        request.getfixturevalue(fixture)
    if backend.name in weights.QUANTISED:
        request.getfixturevalue("use_file_of")(backend.name)
    reason = backend.unavailable(this_device(here.settings()), here.settings())
    if reason is not None:
        pytest.skip(str(reason))
    return backend


def test_a_backend_is_called_as_its_file(backend: Backend) -> None:
    assert backend.name in backends.names()
    assert backends.backend(backend.name) is backend


def test_a_backend_has_a_revision_from_one(backend: Backend) -> None:
    assert backend.revision >= 1


@pytest.fixture
def rung(runnable: Backend) -> Rung:
    return backends.fastest(runnable.name, Work(SIZE), this_device(here.settings()), here.settings())


def with_card() -> Device:
    """Return this machine with an empty 24 GB card in it."""
    card = Gpu(0, "a card", 24 * 2**30, 24 * 2**30, (8, 6), copy_bytes_per_second=24e9)
    return Device(cores=2, host_bytes=2**37, host_free_bytes=2**37, gpus=(card,))


def test_needs_are_known_before_opening_and_grow_with_the_picture(backend: Backend) -> None:
    small, large = (
        backend.rungs(Work(size), with_card(), here.settings())[-1].needs for size in ((512, 288), (1920, 1080))
    )
    assert small.vram_bytes >= 0
    assert 0 < small.host_bytes <= large.host_bytes
    assert 0 < small.seconds < large.seconds


def test_rungs_are_named_apart_and_the_fastest_comes_first(backend: Backend) -> None:
    rungs = backend.rungs(Work(SIZE), with_card(), here.settings())
    assert len({rung.label for rung in rungs}) == len(rungs) >= 1
    assert {rung.backend for rung in rungs} == {backend.name}
    assert [rung.needs.seconds for rung in rungs] == sorted(rung.needs.seconds for rung in rungs)


def test_a_backend_that_claims_to_be_exact_has_exact_rungs_and_no_other_has(backend: Backend) -> None:
    assert any(rung.exact for rung in backend.rungs(Work(SIZE), with_card(), here.settings())) == backend.exact


def test_only_a_backend_that_is_here_draws_its_own_control_image(backend: Backend) -> None:
    assert backends.draws_itself(backend.name) == backend.draws_itself
    assert not backends.draws_itself("gone-since")


def test_a_machine_with_more_cores_is_never_slower(backend: Backend) -> None:
    two, eight = (dataclasses.replace(with_card(), cores=cores) for cores in (2, 8))
    fastest = [backend.rungs(Work(SIZE), device, here.settings())[0].needs.seconds for device in (eight, two)]
    assert fastest == sorted(fastest)


def test_a_backend_that_cannot_run_says_why_in_words(backend: Backend) -> None:
    reason = backend.unavailable(this_device(here.settings()), here.settings())
    assert reason is None or len(reason.what) > 15


def test_a_picture_is_rgb_of_exactly_the_size_asked_for(runnable: Backend, rung: Rung) -> None:
    with runnable.open(this_device(here.settings()), rung, here.settings()) as renderer:
        renderer.encode([_request()])
        picture = renderer.render(_request()).image
    assert picture.mode == "RGB"
    assert picture.size == SIZE


def test_the_same_request_gives_the_same_pixels(runnable: Backend, rung: Rung) -> None:
    with runnable.open(this_device(here.settings()), rung, here.settings()) as renderer:
        pictures = [renderer.render(_request()).image.tobytes() for _ in range(2)]
    assert pictures[0] == pictures[1]


def test_what_a_backend_says_that_it_heeds_changes_its_picture(runnable: Backend, rung: Rung) -> None:
    asked = {"steps": replace(_request(), steps=8), "whole": replace(_request(), whole=True)}
    heeded = backends.heeded(runnable.name, here.settings())
    assert heeded <= asked.keys()
    with runnable.open(this_device(here.settings()), rung, here.settings()) as renderer:
        plain = renderer.render(_request()).image.tobytes()
        changed = {name for name in asked if renderer.render(asked[name]).image.tobytes() != plain}
    # Whether a picture is decoded in tiles is the rung's affair.
    assert changed - {"whole"} == heeded - {"whole"}


def test_another_seed_gives_another_picture(runnable: Backend, rung: Rung) -> None:
    with runnable.open(this_device(here.settings()), rung, here.settings()) as renderer:
        assert renderer.render(_request(1)).image.tobytes() != renderer.render(_request(2)).image.tobytes()


def test_several_threads_may_render_at_once(runnable: Backend, rung: Rung) -> None:
    with runnable.open(this_device(here.settings()), rung, here.settings()) as renderer, ThreadPoolExecutor(3) as pool:
        pictures = list(pool.map(renderer.render, [_request()] * 3))
        alone = renderer.render(_request())
    assert {picture.image.tobytes() for picture in pictures} == {alone.image.tobytes()}


def test_an_unknown_backend_is_named_with_those_there_are() -> None:
    with pytest.raises(UnknownBackend, match=r"'nothing' does not exist; use one of .*previz"):
        backends.backend("nothing")
