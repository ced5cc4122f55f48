"""`undercard notify`: how runs end is sent to a webhook, or by whichever notification block of Prefect's you have."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from undercard.cli.console import told
from undercard.errors import BadInput

WEBHOOK = typer.Argument(metavar="URL", help="Where to send it: JSON with `subject` and `text`, as Slack's takes it.")


def notify(
    url: Annotated[str | None, WEBHOOK] = None,
    block: Annotated[
        str | None,
        typer.Option("--block", metavar="TYPE/NAME", help="A block of Prefect's, such as sendgrid-email/mine."),
    ] = None,
    trouble: Annotated[
        bool, typer.Option("--trouble", help="Say nothing of films that are as they should be.")
    ] = False,
    off: Annotated[bool, typer.Option("--off", help="Stop sending.")] = False,
) -> None:
    """Send how each run ends: its film, its state, and its message, which names the shots that are not done.

    Another call replaces the one before. The server sends it, so it works while nobody is logged in.
    """
    console = Console()
    with told(console):
        if sum((url is not None, block is not None, off)) != 1:
            raise BadInput("name a URL, or a block with --block, or switch it --off")
        if url is not None and not url.startswith(("https://", "http://")):
            raise BadInput(f"{url!r} is no address of a webhook; it begins with https:// or http://")
        # Prefect takes two seconds to import.
        from prefect.settings import PREFECT_API_URL, temporary_settings

        from undercard.cli import notifications
        from undercard.cli.schedule import configured_server

        with temporary_settings({PREFECT_API_URL: configured_server().url}):
            if off:
                console.print("Nothing is sent any more." if notifications.stop() else "Nothing was sent.")
                return
            notifications.send_to(url, block, trouble_only=trouble)
        console.print(f"How runs end is sent to {url or block}.", highlight=False, soft_wrap=True)
