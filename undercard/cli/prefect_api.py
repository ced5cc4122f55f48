"""A Prefect server's API, as this project's commands ask it."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from typing import Any

from undercard.errors import BadInput, UndercardError

WAIT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Api:
    """The API at an address, asked with the login that Prefect's settings have."""

    url: str

    def __call__(self, method: str, path: str, content: object = None) -> Any:
        """Ask the server, and return what it answers; None where that is nothing.

        Raises:
            BadInput: it refuses *content*.
            UndercardError: it does not answer, has nothing at *path*, or wants a login.
        """
        import httpx
        from prefect.settings import PREFECT_API_AUTH_STRING

        login = str(PREFECT_API_AUTH_STRING.value() or "")
        headers = {"Authorization": f"Basic {b64encode(login.encode()).decode()}"} if login else {}
        try:
            answer = httpx.request(method, f"{self.url}/{path}", json=content, headers=headers, timeout=WAIT_SECONDS)
        except httpx.TransportError as exc:
            raise UndercardError(
                f"Prefect's server at {self.url} does not answer ({exc}); start it, or unset PREFECT_API_URL"
            ) from exc
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise UndercardError(f"{self.url} has no {path}; register it with `undercard server up`")
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise UndercardError(f"{self.url} wants a login; set PREFECT_API_AUTH_STRING to the server's")
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
