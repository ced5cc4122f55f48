"""How the command line speaks."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import typer
from pydantic import BaseModel, ConfigDict, ValidationError
from rich.console import Console

from undercard.cli import console
from undercard.errors import (
    BackendError,
    BadInput,
    BadShotList,
    MixedFilm,
    NeedsReview,
    Problem,
    UndercardError,
    UnknownBackend,
)


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")

    steps: int


def ended(error: Exception) -> tuple[int, str]:
    """Return the exit status that *error* becomes, and what is printed."""
    said = io.StringIO()
    with pytest.raises(typer.Exit) as caught, console.told(Console(file=said, width=40)):
        raise error
    return caught.value.exit_code, said.getvalue()


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UndercardError("it failed"), 1),
        (BackendError("it failed"), 1),
        (BadInput("it failed"), 2),
        (UnknownBackend("it failed"), 2),
        (MixedFilm("it failed"), 4),
        (NeedsReview("it failed"), 5),
    ],
)
def test_an_error_becomes_its_message_and_an_exit_status(error: UndercardError, status: int) -> None:
    assert ended(error) == (status, "undercard: it failed\n")


def test_a_message_is_printed_letter_by_letter_and_wrapped_by_the_terminal_alone() -> None:
    words = "pip install 'undercard[gpu]' and [bold]then[/] run the very same command once more"

    assert ended(BadInput(words)) == (2, f"undercard: {words}\n")


def test_every_problem_of_a_file_has_its_line() -> None:
    problem = Problem("shots › jab", "no length", "give one", 3)

    assert ended(BadShotList("a.yaml", [problem, problem])) == (
        2,
        "undercard: a.yaml: 2 problems\n" + 2 * "  a.yaml:3: shots › jab: no length; give one\n",
    )


def test_values_that_do_not_fit_are_named_with_their_places() -> None:
    with pytest.raises(ValidationError) as caught:
        Options.model_validate({"steps": "many", "stepz": 4})

    status, said = ended(caught.value)

    assert status == 2
    assert "undercard: steps: Input should be a valid integer, unable to parse" in said
    assert said.endswith(", not 'many'; stepz: Extra inputs are not permitted, not 4\n")


def test_any_other_error_is_a_bug_and_passes() -> None:
    with pytest.raises(ZeroDivisionError), console.told(Console(file=io.StringIO())):
        _ = 1 / 0


@pytest.mark.parametrize(
    ("seconds", "brief", "duration"),
    [
        (0.349, "0.35 s", "0.3 s"),
        (4.21, "4.2 s", "4.2 s"),
        (43.4, "43 s", "0:00:43"),
        (119.4, "119 s", "0:01:59"),
        (120, "0:02:00", "0:02:00"),
        (725.2, "0:12:05", "0:12:05"),
        (90_061, "1 day, 1:01:01", "1 day, 1:01:01"),
    ],
)
def test_times_are_as_short_as_they_are_known(seconds: float, brief: str, duration: str) -> None:
    assert (console.brief(seconds), console.duration(seconds)) == (brief, duration)


def test_a_path_is_written_from_the_working_directory_or_from_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    (home / "films").mkdir(parents=True)
    monkeypatch.setattr(Path, "home", lambda: home)
    monkeypatch.chdir(home / "films")

    assert console.place(home / "films" / "store" / "a.mp4") == str(Path("store", "a.mp4"))
    assert console.place(home / "models") == "~/models"
    assert console.place(home / "films") == "~/films"
    assert console.place(home) == str(home)
    assert console.place(tmp_path / "else") == str(tmp_path / "else")
