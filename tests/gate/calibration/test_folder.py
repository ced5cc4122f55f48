from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.gate.pictures import blurred, keyframe
from undercard.errors import BadInput, UnreadableImage
from undercard.gate.calibration.fit import as_toml, fit
from undercard.gate.calibration.folder import read
from undercard.gate.contract import Fault
from undercard.gate.pictures import Pixels
from undercard.gate.thresholds import parsed


def put(path: Path, pixels: Pixels) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for index in range(3):
        put(tmp_path / "good" / f"{index}.png", keyframe(0.2 + 0.3 * index))
        put(tmp_path / "soft" / f"{index}.png", blurred(keyframe(0.2 + 0.3 * index), 1.5 + index))
    put(tmp_path / "not_edited" / "jab.png", keyframe())
    put(tmp_path / "not_edited" / "jab.control.png", keyframe())
    put(tmp_path / "good" / "cross.png", keyframe())
    put(tmp_path / "good" / "cross.control.png", keyframe(0.9))
    put(tmp_path / "good" / "cross.take-1.png", keyframe(0.1))
    return tmp_path


def test_pictures_are_labelled_by_their_folder_and_those_beside_them_are_no_examples(folder: Path) -> None:
    found = {str(each.path.relative_to(folder)): each.fault for each in read(folder)}

    assert found["good/0.png"] is None
    assert found["soft/1.png"] is Fault.SOFT
    assert found["not_edited/jab.png"] is Fault.NOT_EDITED
    assert len(found) == 8


def test_what_lies_beside_a_picture_is_what_it_is_compared_with(folder: Path) -> None:
    cross = next(each for each in read(folder) if each.path.stem == "cross").evidence

    assert cross.control is not None
    assert np.array_equal(cross.control, keyframe(0.9))
    assert len(cross.takes) == 1
    assert cross.before is None


def test_a_fitted_threshold_tells_what_it_was_fitted_on_apart(folder: Path) -> None:
    blur = next(each for each in fit(read(folder)) if each.row.check == "blur")

    assert blur.limit is not None
    assert max(blur.faulty) < blur.limit < min(blur.good)
    assert blur.rejected(blur.good) == 0.0
    assert blur.rejected(blur.faulty) == 1.0


def test_a_check_whose_fault_is_not_shown_keeps_its_threshold(folder: Path) -> None:
    noise = next(each for each in fit(read(folder)) if each.row.check == "noise")

    assert noise.limit is None


def test_fitted_rows_can_be_put_into_the_table(folder: Path) -> None:
    rows = parsed(as_toml(fit(read(folder))))

    assert set(rows) >= {"blur", "copied"}
    assert "4 good pictures" in rows["blur"].calibrated


def test_rows_of_a_backend_leave_the_others_alone(folder: Path) -> None:
    own = '[blur]\nfault = "soft"\nscore = "sharpness"\nleast = 0.5\ncalibrated = "by hand"\n'
    fits = [each for each in fit(read(folder, "nf4"), "nf4") if each.row.check == "blur"]

    rows = parsed(own + as_toml(fits, "nf4"))

    assert rows["blur"].limit == 0.5
    assert rows["blur"].on["nf4"].limit != 0.5


def test_a_folder_named_for_no_fault_is_refused_with_those_there_are(folder: Path) -> None:
    put(folder / "ugly" / "a.png", keyframe())

    with pytest.raises(BadInput, match=r"ugly is named for no fault; use `good` or one of .*not edited"):
        list(read(folder))


def test_a_folder_without_good_pictures_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "soft" / "a.png", keyframe())

    with pytest.raises(BadInput, match="no folder `good`"):
        list(read(tmp_path))


def test_a_file_that_is_no_picture_is_named(folder: Path) -> None:
    (folder / "good" / "broken.png").write_bytes(b"no picture")

    with pytest.raises(UnreadableImage, match=r"broken\.png"):
        list(read(folder))
