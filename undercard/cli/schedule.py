"""`undercard schedule`: which shot lists are rendered at night, as schedules of the deployment `nightly`."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console

from undercard.cli.arguments import Backend, Exact, FrameSize, Presets, ShotListFile
from undercard.cli.console import told
from undercard.errors import BadInput, UndercardError
from undercard.planning.choose import AUTO

DEPLOYMENT = "produce/nightly"


def schedule(
    shot_list: ShotListFile,
    cron: Annotated[
        str, typer.Option("--cron", help="When, as cron writes it: minute, hour, day, month, weekday.")
    ] = "0 2 * * *",
    timezone: Annotated[str, typer.Option("--timezone", help="Whose clock, such as Europe/Berlin.")] = "UTC",
    size: FrameSize = None,
    backend: Backend = AUTO,
    exact: Exact = False,
    preset: Presets = None,
    off: Annotated[bool, typer.Option("--off", help="Do not render it by itself any more.")] = False,
) -> None:
    """Render a shot list at a time of day, by the worker of `undercard server up`.

    Each list has one schedule; another call for the same list replaces it. What is unchanged since the night before is
    not rendered again.
    """
    from undercard.production.options import find
    from undercard.shotlist.load import load_shot_list

    console = Console()
    with told(console):
        path = find(shot_list).resolve()
        film = load_shot_list(path)
        asked = {"size": size, "backend": backend, "exact": exact or None, "presets": preset}
        parameters = {"shot_list": str(path), **{key: value for key, value in asked.items() if value is not None}}
        with _Api() as api:
            schedules = f"deployments/{api.get(f'deployments/name/{DEPLOYMENT}')['id']}/schedules"
            known = next((each["id"] for each in api.get(schedules) if each["slug"] == film.slug), None)
            new = {
                "schedule": {"cron": cron, "timezone": timezone},
                "active": True,
                "slug": film.slug,
                "parameters": parameters,
            }
            if off and known is not None:
                api("DELETE", f"{schedules}/{known}")
            elif known is not None:
                api("PATCH", f"{schedules}/{known}", new)
            elif not off:
                api("POST", schedules, [new])
        if off:
            console.print(f"{film.title} is not rendered by itself.", highlight=False)
            return
        console.print(
            f"{film.title}: {cron} ({timezone}). `undercard server status` lists what is next.", highlight=False
        )


class _Api:
    """The API of the configured server, else of this machine's."""

    def __enter__(self) -> _Api:
        import httpx
        from prefect.settings import PREFECT_API_URL

        from undercard.cli import local_server

        url = PREFECT_API_URL.value()
        if not url:
            here = local_server.remembered_in(local_server.state_file())
            if here is None or not local_server.answers(here):
                raise UndercardError("no server runs on this machine; start it with `undercard server up`")
            url = here.url
        self.client = httpx.Client(base_url=f"{url}/", timeout=20)
        return self

    def __exit__(self, *failure: object) -> None:
        self.client.close()

    def get(self, path: str) -> Any:
        """Return what is at *path*."""
        return self("GET", path)

    def __call__(self, method: str, path: str, content: object = None) -> Any:
        """Ask the server, and return what it answers; None where that is nothing.

        Raises:
            BadInput: the server refuses *content*.
            UndercardError: it does not answer, or has nothing at *path*.
        """
        import httpx

        try:
            answer = self.client.request(method, path, json=content)
        except httpx.TransportError as exc:
            raise UndercardError(
                f"Prefect's server at {self.client.base_url} does not answer ({exc}); start it, or unset"
                " PREFECT_API_URL"
            ) from exc
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise UndercardError(f"{self.client.base_url} has no {path}; register it with `undercard server up`")
        if answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
            raise BadInput(_refusal(answer.json()) or answer.text)
        answer.raise_for_status()
        return answer.json() if answer.content else None


def _refusal(content: dict[str, Any]) -> str:
    """Return what Prefect found wrong: its own words on a value, where it also lists each form that did not fit."""
    details = content.get("exception_detail") or content.get("detail") or []
    said = [str(each.get("msg", each)) for each in details]
    own = [each.removeprefix("Value error, ") for each in said if each.startswith("Value error, ")]
    return "; ".join(own or said)
