"""The README's examples are true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.paths import ROOT
from undercard.errors import BadShotList
from undercard.shotlist.load import load_shot_list

README = (ROOT / "README.md").read_text()


def example(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_shot_list_of_the_readme_loads(tmp_path: Path) -> None:
    path = tmp_path / "jab.yaml"
    path.write_text(example("yaml"))

    film = load_shot_list(path)

    assert [shot.id for shot in film.shots] == ["jab", "knockdown"]


def test_its_mistakes_are_told_as_the_readme_says(tmp_path: Path) -> None:
    path = tmp_path / "jab.yaml"
    path.write_text(example("yaml").replace("fps: 24", "fps: 10000").replace("mara: jab}", "mara: jabb}"))

    with pytest.raises(BadShotList) as told:
        load_shot_list(path)

    assert str(told.value) == example("text").rstrip()


def test_every_command_of_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert f"\n{target}:" in makefile
