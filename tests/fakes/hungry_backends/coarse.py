"""The hungry backend's smaller sister, which gives other pixels."""

from __future__ import annotations

from tests.fakes.hungry_backends.hungry import HungryBackend

BACKEND = HungryBackend("coarse", exact=False, tint=1, sizes=(("all", 6.0, 3.0, 2.0), ("nothing", 2.0, 3.0, 3.0)))
