"""How the command line speaks: errors as a message and an exit status, and times as people read them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import typer
from pydantic import ValidationError
from rich.console import Console

from undercard.errors import BadInput, MixedFilm, NeedsReview, UndercardError

REVIEW = 5
MIXED = 4
SHOTS_FAILED = 3
BAD_INPUT = 2
FAILED = 1


@contextmanager
def told(console: Console) -> Iterator[None]:
    """Turn errors into a message and an exit status."""
    try:
        yield
    except BadInput as exc:
        say(console, str(exc))
        raise typer.Exit(BAD_INPUT) from exc
    except ValidationError as exc:
        say(console, "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}, not {e['input']!r}" for e in exc.errors()))
        raise typer.Exit(BAD_INPUT) from exc
    except MixedFilm as exc:
        say(console, str(exc))
        raise typer.Exit(MIXED) from exc
    except NeedsReview as exc:
        say(console, str(exc))
        raise typer.Exit(REVIEW) from exc
    except UndercardError as exc:
        say(console, str(exc))
        raise typer.Exit(FAILED) from exc


def say(console: Console, message: str) -> None:
    """Print *message* as it is, under the program's name."""
    console.print("[bold red]undercard:[/] ", end="")
    console.print(message, markup=False, highlight=False, soft_wrap=True)


def brief(seconds: float) -> str:
    """Return *seconds* as `0.35 s`, `4.2 s`, `43 s` or `0:12:05`, for what seldom takes minutes."""
    if seconds < 1:
        return f"{seconds:.2f} s"
    return f"{seconds:.0f} s" if 10 <= seconds < 120 else duration(seconds)


def duration(seconds: float) -> str:
    """Return *seconds* as `4.2 s` or `0:01:10`."""
    return f"{seconds:.1f} s" if seconds < 10 else str(timedelta(seconds=round(seconds)))


def place(path: Path) -> str:
    """Return *path* as people write it: from the working directory or their home, where it lies in one."""
    for root, short in ((Path.cwd(), ""), (Path.home(), "~/")):
        if path.is_relative_to(root) and path != root:
            return f"{short}{path.relative_to(root)}"
    return str(path)
