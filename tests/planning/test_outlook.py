"""What is said before a run, on machines that are made up."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from rich.console import Console, RenderableType

from tests import here
from tests.fakes.cards import GB, H100, RTX_3060, machine
from tests.fakes.comfyui.server import FakeComfy
from tests.fakes.engine_backends import Planned
from tests.paths import EXAMPLES, FAKES
from undercard import backends
from undercard.backends import Backend, Needs, Work
from undercard.cli import plan as cli_plan
from undercard.cli import plan_view
from undercard.cli.plan import examine
from undercard.domain.unavailable import Cause, Unavailable
from undercard.hardware.devices import Device, Tenant, shrunk
from undercard.planning import outlook
from undercard.planning.measurements import Measurement
from undercard.planning.outlook import Outlook
from undercard.planning.plan import Plan, plan_film
from undercard.production.estimate import FilmOutlook, as_json, look_at_film
from undercard.shotlist.load import load_shot_list

SPARRING = EXAMPLES / "sparring.yaml"
PREVIZ = backends.backend("previz")
NO_KERNELS = Unavailable("its kernels are not installed", "pip install 'undercard[int4]'", Cause.MISSING_PACKAGE)
MISSING = Planned("svdq-int4", exact=False, missing=NO_KERNELS)
FOUND = (PREVIZ, Planned(), Planned("nf4", exact=False), MISSING)
EVENING = datetime(2026, 11, 23, 23, 30).astimezone()
BLENDER = Tenant(4711, "blender", 6 * GB, ours=False)


def seen(device: Device, *tenants: Tenant, known: Sequence[Measurement] = ()) -> Outlook:
    held = {device.gpu.uuid: tenants} if device.gpu else {}
    return outlook.look(FOUND, device, here.settings(), known=known, held=held)


def shown(what: RenderableType, width: int = 80) -> str:
    console = Console(width=width, no_color=True)
    with console.capture() as captured:
        console.print(what)
    return captured.get()


def film_on(device: Device, backend: Backend) -> tuple[Plan, FilmOutlook]:
    plan = plan_film(load_shot_list(SPARRING), device, here.settings(), backend=backend.name)
    return plan, look_at_film(plan, {})


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> Backend:
    """Return a backend that holds a card, which a run can be planned with by its name."""
    monkeypatch.setattr(backends, "__path__", [*backends.__path__, str(FAKES / "planned_backends")])
    return backends.backend("planned")


def test_a_card_is_told_with_what_is_free_and_how_fast_it_is_reached() -> None:
    text = shown(plan_view.machine(seen(machine(H100)), ""))

    assert "H100 80GB HBM3 · 84.9 GB free of 85.5 GB · copies 55 GB/s, measured" in text
    assert "16 cores · 60.0 GB free of 64.0 GB of host memory" in text


def test_a_rate_that_was_not_measured_is_told_as_that_of_the_link() -> None:
    assert "copies ≈ 24 GB/s (PCIe 4 ×16)" in shown(plan_view.machine(seen(machine(RTX_3060)), ""))


def test_who_else_holds_a_card_is_named() -> None:
    busy = replace(RTX_3060, free_bytes=4 * GB)

    text = shown(plan_view.machine(seen(machine(busy), BLENDER), ""))

    assert "held by another: blender (pid 4711), 6.0 GB" in text
    assert "held by others that cannot be seen from here: 2.9 GB" in text


def test_a_machine_without_a_card_says_why() -> None:
    text = shown(plan_view.machine(seen(machine()), "NVIDIA's driver is not installed"))

    assert "no graphics card: NVIDIA's driver is not installed" in text


@pytest.mark.parametrize("width", [80, 100, 120])
@pytest.mark.parametrize("device", [machine(shrunk(H100, 10 * GB)), machine(replace(RTX_3060, free_bytes=2 * GB))])
def test_the_ladder_keeps_a_rung_to_a_line(width: int, device: Device) -> None:
    view = seen(device)
    lines = shown(plan_view.ladder(view), width).splitlines()

    for fit in view.ladder:
        assert sum(line.startswith((" ✓", " ✗")) and f" {fit.rung.label} " in line for line in lines) == 1
    assert max(map(len, lines)) <= width


def test_a_rung_that_does_not_fit_says_what_it_needs_and_what_there_is() -> None:
    text = " ".join(shown(plan_view.ladder(seen(machine(replace(RTX_3060, free_bytes=2 * GB))))).split())

    assert re.search(
        r"✗ bf16 · 0 of 60 blocks resident, in strips: needs \d\.\d GB of VRAM, 1\.2 GB can be taken", text
    )


def test_a_backend_that_cannot_run_says_why_below_the_ladder() -> None:
    text = shown(plan_view.ladder(seen(machine(H100))))

    assert "✗ svdq-int4: its kernels are not installed; pip install 'undercard[int4]'" in text


def test_what_was_measured_is_told_from_what_is_foreseen() -> None:
    rung = seen(machine(RTX_3060)).ladder[0].rung
    needs = rung.needs
    found = replace(needs, seconds=25.0)
    known = (Measurement("bf16", rung.detail, RTX_3060.name, outlook.USUAL, needs, found),)

    text = shown(plan_view.ladder(seen(machine(RTX_3060), known=known)))

    assert next(line for line in text.splitlines() if rung.detail in line).endswith(" 25 s ")
    assert "≈ foreseen" in text


def test_with_several_cards_the_ladder_says_which_it_is_for() -> None:
    view = outlook.look(FOUND, machine(RTX_3060, replace(H100, index=1)), here.settings(), known=(), held={})

    assert "on cuda:0" in shown(plan_view.ladder(view))


def test_a_film_on_a_card_takes_its_keyframes_and_the_opening(planned: Backend) -> None:
    _, film = film_on(machine(H100), planned)

    assert film.rung is not None
    needs = film.rung.needs
    assert film.keyframes_left == 14
    assert film.gpu_seconds == pytest.approx(14 * needs.seconds + needs.open_seconds)
    assert film.seconds > film.gpu_seconds


def test_two_cards_share_the_keyframes_and_each_opens_the_model(planned: Backend) -> None:
    _, one = film_on(machine(H100), planned)
    _, two = film_on(machine(H100, replace(H100, index=1, uuid="GPU-second")), planned)

    assert one.rung is not None
    needs = one.rung.needs
    assert one.seconds - two.seconds == pytest.approx(7 * needs.seconds)
    assert two.gpu_seconds - one.gpu_seconds == pytest.approx(needs.open_seconds)


def test_two_cards_are_no_faster_than_the_server_that_renders(comfyui: FakeComfy) -> None:
    backend = backends.backend("comfyui")
    _, one = film_on(machine(H100), backend)
    _, two = film_on(machine(H100, replace(H100, index=1, uuid="GPU-second")), backend)

    assert one.rung is not None
    assert (one.rung.label, one.seconds) == ("comfyui · 2511 Q4_K_M", two.seconds)


def test_a_film_on_the_processor_takes_none_of_the_card() -> None:
    _, film = film_on(machine(H100), PREVIZ)

    assert film.gpu_seconds == 0
    assert film.seconds > 1


def test_a_film_that_nothing_fits_now_says_what_it_would_wait_for(planned: Backend) -> None:
    plan, film = film_on(machine(replace(RTX_3060, free_bytes=GB)), planned)

    text = " ".join(shown(plan_view.summary(plan, film, EVENING)).split())
    assert re.search(r"fits this device now: it would wait for planned · \d+ of 60 blocks resident\.", text)
    assert "GPU-minutes" in text
    assert "Begun now" not in text


def test_the_summary_tells_the_minutes_of_the_card_and_when_it_ends(planned: Backend) -> None:
    plan, film = film_on(machine(RTX_3060), planned)

    text = " ".join(shown(plan_view.summary(plan, film, EVENING)).split())

    assert f"14 keyframes at {film.rung.needs.seconds:.0f} s on planned · " in text  # type: ignore[union-attr]
    assert f"{film.gpu_seconds / 60:.1f} GPU-minutes" in text
    assert f"done at {EVENING + timedelta(seconds=film.seconds):%H:%M}" in text


@pytest.mark.parametrize(
    ("hours", "words"),
    [(0.2, "done at 23:42."), (1, "done at 00:30 tomorrow."), (60, "on Thursday 26 November at 11:30")],
)
def test_the_end_is_told_as_people_say_it(hours: float, words: str) -> None:
    plan, film = film_on(machine(), PREVIZ)

    assert words in shown(plan_view.summary(plan, replace(film, seconds=3600 * hours), EVENING))


def test_a_film_that_is_left_to_the_previz_says_so() -> None:
    plan, film = film_on(machine(), PREVIZ)
    left = replace(plan, why="bf16: needs a graphics card")

    assert "No model fits this machine, so the previz draws it." in shown(plan_view.summary(left, film, EVENING))


def test_everything_is_told_to_programs_too(planned: Backend) -> None:
    device = machine(RTX_3060)
    _, film = film_on(device, planned)

    content = json.loads(json.dumps(as_json(seen(device, BLENDER), film, EVENING)))

    (card,) = content["device"]["gpus"]
    assert (card["copy_is_measured"], card["copy_bytes_per_second"]) == (False, 24e9)
    assert card["tenants"][0]["name"] == "blender"
    first, last = content["ladder"][0], content["ladder"][-1]
    assert (first["backend"], first["fits"], first["needs"]["vram_bytes"] > GB) == ("bf16", True, True)
    assert (last["backend"], last["needs"]) == ("svdq-int4", None)
    assert content["film"]["keyframes_left"] == 14
    assert datetime.fromisoformat(content["film"]["ends"]) > EVENING


def test_the_doctor_says_of_each_backend_whether_it_works_or_what_would_change_that() -> None:
    console = Console(width=100, no_color=True)
    with console.capture() as captured:
        examine(console, machine(RTX_3060), here.settings(), FOUND)

    text = captured.get()
    assert "GeForce RTX 3060" in text
    assert "its kernels are not installed" in text
    assert "→ pip install 'undercard[int4]'" in text
    assert (text.count("✓"), text.count("✗")) == (3, 1)


def test_the_doctor_notices_a_torch_that_cannot_use_the_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_plan, "installed", lambda package: "2.13.0+cpu")
    console = Console(width=100, no_color=True)
    with console.capture() as captured:
        examine(console, machine(RTX_3060), here.settings(), FOUND)

    assert "torch 2.13.0+cpu cannot use the card: install its CUDA build" in captured.get()


def test_more_is_asked_of_a_device_by_a_larger_picture() -> None:
    usual, large = (
        outlook.look((Planned(),), machine(H100), here.settings(), work, known=(), held={}).ladder[0].rung.needs
        for work in (outlook.USUAL, Work((1920, 1080), 3))
    )

    assert isinstance(usual, Needs)
    assert usual.seconds < large.seconds
