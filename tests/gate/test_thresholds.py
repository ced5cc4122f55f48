from __future__ import annotations

import pytest
from pydantic import ValidationError

from undercard.errors import BadInput
from undercard.gate.thresholds import parsed, table, threshold

ROW = '[blur]\nfault = "soft"\nscore = "sharpness"\nleast = 0.5\ncalibrated = "by hand"\n'


def test_every_row_says_what_it_was_calibrated_on() -> None:
    assert all(row.calibrated and row.score for row in table().values())


def test_a_backend_with_a_row_of_its_own_is_judged_by_that() -> None:
    rows = parsed(ROW + '[blur.on.nf4]\nleast = 0.25\ncalibrated = "on NF4"\n')

    assert rows["blur"].limit == 0.5
    assert rows["blur"].on["nf4"].limit == 0.25
    assert rows["blur"].on["nf4"].finding(0.1, "soft").check == "blur"


def test_the_limit_itself_passes_on_either_side() -> None:
    least = parsed(ROW)["blur"]
    most = parsed(ROW.replace("least", "most"))["blur"]

    assert least.passes(0.5)
    assert not least.passes(0.49)
    assert most.passes(0.5)
    assert not most.passes(0.51)


def test_a_row_with_both_sides_is_refused() -> None:
    with pytest.raises(ValidationError, match="give one of the two"):
        parsed(ROW + "most = 0.9\n")


def test_a_check_without_a_row_is_told_what_is_missing() -> None:
    with pytest.raises(BadInput, match=r"no row for the check 'sharpness'; add one"):
        threshold("sharpness")


def test_a_passed_finding_names_neither_fault_nor_place() -> None:
    finding = parsed(ROW)["blur"].finding(0.9, "soft", (0, 0, 8, 8))

    assert finding.passed
    assert (finding.fault, finding.region, finding.cause) == (None, None, "")
