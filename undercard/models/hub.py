"""The seam to the hub: what a repository holds at a revision, and the bytes of a file; its errors become ours here.

huggingface_hub builds the addresses, sends the token and follows mirrors (`HF_ENDPOINT`); the bytes are read through
its own session. Its downloader is not used, because since version 2 it throws away what an interrupted download has
(docs/decisions/0013).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_chain, wait_fixed

from undercard.errors import HubRefused, HubUnreachable

TEMPORARY = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
"""Answers that mean another time, as all from 500 on do."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a repository, as the hub describes it."""

    repository: str
    commit: str
    path: str
    size_bytes: int
    sha256: str | None
    """Of what lies outside git, as weights do."""
    blob: str
    """Of what lies in git: SHA-1 of `blob <size>\\0` and the content."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A repository at a commit."""

    repository: str
    commit: str
    files: Mapping[str, RemoteFile]
    """By their paths from the root."""


@dataclass(frozen=True, slots=True)
class Hub:
    """A hub, or a mirror of one."""

    endpoint: str | None = None
    """None for the one that huggingface_hub is set up for."""
    patience: tuple[float, ...] = (1.0, 3.0)
    """Seconds to wait before each further try at a listing."""

    @property
    def address(self) -> str:
        """Where it is, for messages."""
        from huggingface_hub import constants

        return self.endpoint or str(constants.ENDPOINT)

    def listing(self, repository: str, revision: str) -> Listing:
        """Return what *repository* holds at *revision*, a commit or a branch.

        Raises:
            HubUnreachable: no answer, or one that means another time.
            HubRefused: there is no such repository or revision, or it is not for everybody.
        """
        retrying = Retrying(
            retry=retry_if_exception_type(HubUnreachable),
            stop=stop_after_attempt(1 + len(self.patience)),
            wait=wait_chain(*map(wait_fixed, self.patience or (0.0,))),
            reraise=True,
        )
        return retrying(self._listing, repository, revision)

    def _listing(self, repository: str, revision: str) -> Listing:
        from huggingface_hub import HfApi, constants

        api = HfApi(endpoint=self.endpoint, library_name="undercard")
        with _translated(repository if revision == "main" else f"{repository} at {revision[:12]}", self.address):
            try:
                found = api.model_info(
                    repository, revision=revision, files_metadata=True, timeout=constants.HF_HUB_ETAG_TIMEOUT
                )
            except (ValueError, KeyError, TypeError) as exc:
                # Such as a page for people, where a mirror or a login of the network answers in the hub's place.
                raise HubRefused(f"{self.address} does not answer as a hub does: {exc}; look at HF_ENDPOINT") from exc
        commit = found.sha or revision
        files = {}
        for sibling in found.siblings or []:
            if ".." in sibling.rfilename.split("/") or sibling.rfilename.startswith("/") or "\\" in sibling.rfilename:
                raise HubRefused(f"{self.address} names a file outside of {repository}: {sibling.rfilename!r}")
            lfs = sibling.lfs
            size = lfs.size if lfs else sibling.size
            if size is None or not (lfs or sibling.blob_id):
                raise HubRefused(
                    f"{self.address} does not say how large {sibling.rfilename} of {repository} is; "
                    "use a mirror that knows it, or none: unset HF_ENDPOINT"
                )
            files[sibling.rfilename] = RemoteFile(
                repository, commit, sibling.rfilename, size, lfs.sha256 if lfs else None, sibling.blob_id or ""
            )
        return Listing(repository, commit, files)

    @contextmanager
    def opened(self, file: RemoteFile, offset: int) -> Iterator[tuple[int, Iterator[bytes]]]:
        """Yield the bytes of *file* from *offset* on, and the offset that they begin at: 0 where it begins anew.

        Raises:
            HubUnreachable: the connection failed, before or while reading, or the hub answered that it is busy.
            HubRefused: the hub does not give the file.
        """
        from huggingface_hub import constants, hf_hub_url
        from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

        url = hf_hub_url(file.repository, file.path, revision=file.commit, endpoint=self.endpoint)
        # Compressed, the bytes would be others than those that are counted and hashed.
        headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        with (
            _translated(f"{file.path} of {file.repository}", self.address),
            get_session().stream(
                "GET", url, headers=headers, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT, follow_redirects=True
            ) as response,
        ):
            hf_raise_for_status(response)
            begins = offset if response.status_code == HTTPStatus.PARTIAL_CONTENT else 0
            yield begins, response.iter_bytes()


@contextmanager
def _translated(what: str, address: str) -> Iterator[None]:
    """Turn what huggingface_hub and its HTTP client raise about *what* into our errors."""
    import httpx2
    from huggingface_hub import errors

    try:
        yield
    except errors.OfflineModeIsEnabled as exc:
        raise HubRefused(f"{what} is not here, and HF_HUB_OFFLINE forbids to fetch it; unset it") from exc
    except errors.GatedRepoError as exc:
        raise HubRefused(
            f"{what}: its authors ask for an agreement; accept it at {address}, then run `hf auth login`"
        ) from exc
    except errors.RevisionNotFoundError as exc:
        raise HubRefused(
            f"{what}: {address} has no such revision any more; remove it from models.lock or change the catalogue"
        ) from exc
    except errors.RepositoryNotFoundError as exc:
        raise HubRefused(f"{what}: {address} has no such repository, or it is private; see the catalogue") from exc
    except errors.HfHubHTTPError as exc:
        status = exc.response.status_code
        if status in TEMPORARY or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise HubUnreachable(f"{what}: {address} answered {status}; try again later") from exc
        raise HubRefused(f"{what}: {address} answered {status}, {exc.server_message or 'and no more'}") from exc
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as exc:
        raise HubRefused(f"{address!r} is no address of a hub: {exc}; set HF_ENDPOINT to one, or unset it") from exc
    except httpx2.TransportError as exc:
        reason = str(exc) or type(exc).__name__
        raise HubUnreachable(f"{what}: {address} cannot be reached ({reason}); look at the network") from exc
