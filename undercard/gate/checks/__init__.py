"""The checks, one file each, and the lookup that finds every file of this folder."""

from __future__ import annotations

import importlib
import pkgutil

from undercard.gate.contract import Check


def checks() -> tuple[Check, ...]:
    """Import and return every check, cheapest first."""
    # What begins with an underscore helps several checks and is none.
    names = [module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")]
    found: list[Check] = [importlib.import_module(f"{__name__}.{name}").CHECK for name in names]
    return tuple(sorted(found, key=lambda check: (check.cost, check.name)))
