"""Which models `undercard provision` is about: those of a backend, of a model's name, or of what suits this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from undercard import backends
from undercard.domain.unavailable import Cause
from undercard.errors import UnknownModel
from undercard.hardware.devices import Device
from undercard.models import catalogue_file, kits, presence, weight_settings
from undercard.models.catalogue import Catalogue, Edition, KitSpec
from undercard.models.kits import Filled, Pick, Wish
from undercard.planning import rungs
from undercard.planning.outlook import USUAL
from undercard.settings import Settings


def backend_for(device: Device, settings: Settings) -> str | None:
    """Return the backend that would render fastest on *device* if its models were there; None where none would.

    An exact one may take longer, as on the ladder. What lacks more than models is left out.
    """
    best: tuple[float, str] | None = None
    for name in catalogue_file.load(settings).backends():
        if name not in backends.names():
            continue
        backend = backends.backend(name)
        reason = backend.unavailable(device, settings)
        if reason is not None and reason.cause is not Cause.MISSING_WEIGHTS:
            continue
        for rung in backend.rungs(USUAL, device, settings):
            if rung.from_disk:
                # A LoRA comes with what is fetched, and none can be fused into blocks that stay on disk.
                continue
            seconds = rung.needs.seconds * (1.0 if rung.exact else rungs.EXACT_ADVANTAGE)
            if rungs.misfit(rung, device) is None and (best is None or (seconds, name) < best):
                best = seconds, name
    return best[1] if best else None


def needs_models(backend: str, settings: Settings) -> bool:
    """Say whether the catalogue has models for *backend*; the previz needs none."""
    return bool(catalogue_file.load(settings).kits(backend))


def picks_for(backend: str | None, model: str | None, device: Device, settings: Settings) -> tuple[Pick, ...]:
    """Return the models that *backend* renders with, or those that belong with the one called *model*.

    Raises:
        UnknownModel: the catalogue has none of that name, none for that backend, or none that suits this machine.
    """
    catalogue = catalogue_file.load(settings)
    if backend is None:
        assert model is not None
        spec = catalogue.named(model)
        owner = next((kit for kit in catalogue.kit if model in (kit.base, *kit.transformer)), None)
        if owner is None:
            return (Pick(spec, presence.look(spec, settings)),)
        return tuple(_best(catalogue, [owner], owner.backends[0], model, device, settings).picks())
    possible = catalogue.kits(backend)
    if not possible:
        known = ", ".join(catalogue.backends())
        raise UnknownModel(f"backend {backend!r} needs no models of the catalogue; those that do are {known}")
    if model is not None:
        possible = tuple(kit for kit in possible if catalogue.named(model).name in kit.names())
        if not possible:
            raise UnknownModel(f"backend {backend!r} does not render with {model!r}")
    return tuple(_best(catalogue, possible, backend, model, device, settings).picks())


def _best(
    catalogue: Catalogue,
    possible: Sequence[KitSpec],
    backend: str,
    model: str | None,
    device: Device,
    settings: Settings,
) -> Filled:
    """Return the first kit that is all there, else the first that suits, with what the settings name in its place."""
    own = weight_settings.named(backend, settings)
    capability = device.gpu.capability if device.gpu else None
    wish = replace(own.wish, capability=capability, model=model)
    fitting = [kit for kit in possible if own.edition in {None, catalogue.edition(kit)}]
    filled = [found for kit in fitting if (found := kits.fill(catalogue, kit, backend, wish, settings))]
    if own.without_lora:
        filled = [replace(found, lora=None) for found in filled]
    if not filled:
        suiting = _shown(wish, own.edition)
        raise UnknownModel(f"the catalogue has nothing for backend {backend!r} that suits {suiting}")
    return next((found for found in filled if not found.lacking), filled[0])


def _shown(wish: Wish, edition: Edition | None) -> str:
    of = f"Edit-{edition}" if edition else ""
    steps = f"{wish.steps} steps" if wish.steps else ""
    card = f"a card of compute capability {'.'.join(map(str, wish.capability))}" if wish.capability else ""
    return " and ".join(part for part in (of, steps, card, wish.model or "") if part) or "this machine"
