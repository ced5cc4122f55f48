"""A backend that `backends.backend` finds, planned with as exact bf16 and never opened."""

from __future__ import annotations

from tests.fakes.engine_backends import Planned

BACKEND = Planned("planned", storage="bf16")
