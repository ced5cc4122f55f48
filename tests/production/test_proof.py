"""Proving a backend by rendering with it."""

from __future__ import annotations

import pytest

from tests import here
from undercard.errors import UnknownBackend
from undercard.hardware.probe import this_device
from undercard.production.proof import prove


def test_the_previz_proves_itself_on_any_machine() -> None:
    proof = prove("previz", this_device(here.settings()), here.settings())

    assert proof.backend == "previz"
    assert 0.0 < proof.second_seconds <= proof.first_seconds + 1.0


def test_a_backend_that_does_not_exist_is_named_with_those_that_do() -> None:
    with pytest.raises(UnknownBackend, match=r"'no-such' does not exist; use one of .*previz"):
        prove("no-such", this_device(here.settings()), here.settings())
