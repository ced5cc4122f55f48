"""Where the tests find the project, its example shot lists, their own data and their fakes."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).parent
ROOT = TESTS.parent
EXAMPLES = ROOT / "data" / "shots"
DATA = TESTS / "data"
FAKES = TESTS / "fakes"
