"""One file: its address, and what the hub says about it before its bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from _crucible.errors import (
    GatedRepoError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from hfhub.api._wire import REPO_TYPES, Wire, check_repo_id, check_repo_type, segment

_PREFIX = {"dataset": "datasets/", "space": "spaces/", "model": ""}
_REDIRECTS = (301, 302, 303, 307, 308)
_MAX_REDIRECTS = 20
_HUB = "https://huggingface.co"


@dataclass(frozen=True)
class XetFileData:
    """A file of Xet storage.

    Attributes:
        file_hash: its Xet hash.
        refresh_route: where a token for the storage is asked for.
    """

    file_hash: str
    refresh_route: str


@dataclass(frozen=True)
class HfFileMetadata:
    """What the hub says about a file before its bytes.

    Attributes:
        commit_hash: commit that answered.
        etag: name of its blob: git id, or sha256 of a large file.
        location: where the bytes are; may be signed, so not for logs.
        size: bytes.
        xet_file_data: facts of a file in Xet storage.
    """

    commit_hash: str | None
    etag: str | None
    location: str = field(repr=False)
    size: int | None
    xet_file_data: XetFileData | None = None


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, port


def _link(headers: list[tuple[str, str]], relation: str) -> str | None:
    for name, value in headers:
        if name != "link":
            continue
        for link in value.split(","):
            target, _, parameters = link.strip().partition(">")
            relations = [part.strip() for part in parameters.split(";")]
            if target.startswith("<") and (f'rel="{relation}"' in relations or f"rel={relation}" in relations):
                return target[1:]
    return None


def _xet(headers: list[tuple[str, str]], endpoint: str) -> XetFileData | None:
    named = dict(headers)
    file_hash = named.get("x-xet-hash")
    route = _link(headers, "xet-auth") or named.get("x-xet-refresh-route")
    if file_hash is None or route is None:
        return None
    # A mirror that passes the Hub's headers on names the Hub.
    if route.startswith(f"{_HUB}/"):
        route = endpoint + route[len(_HUB) :]
    return XetFileData(file_hash, route)


def _etag(raw: str | None) -> str | None:
    return None if raw is None else raw.removeprefix("W/").strip('"')


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


class MetadataPart(Wire):
    """Addresses and facts of single files."""

    def hf_hub_url(
        self,
        repo_id: str,
        filename: str,
        *,
        subfolder: str | None = None,
        repo_type: str | None = None,
        revision: str | None = None,
        endpoint: str | None = None,
    ) -> str:
        """The address of a file. Makes no request.

        Args:
            repo_id: `namespace/name`.
            filename: path in the repository.
            subfolder: folder that the path starts from.
            repo_type: "model" (when absent), "dataset" or "space".
            revision: branch, tag or commit; `main` when absent.
            endpoint: address of the hub.

        Raises:
            ValueError: an id or repo type that cannot be one.
        """
        check_repo_id(repo_id)
        if repo_type is not None and repo_type not in REPO_TYPES:
            msg = f"Invalid repo type {repo_type!r}: must be one of {REPO_TYPES}"
            raise ValueError(msg)
        path = f"{subfolder}/{filename}" if subfolder else filename
        where = f"{_PREFIX[repo_type or 'model']}{repo_id}/resolve/{segment(revision or 'main')}"
        return f"{(endpoint or self.endpoint).rstrip('/')}/{where}/{quote(path)}"

    def get_hf_file_metadata(
        self,
        url: str,
        token: str | bool | None = None,
        timeout: float | None = None,
        *,
        retry_on_errors: bool = True,
    ) -> HfFileMetadata:
        """Commit, etag, size and place of a file, without its bytes.

        Args:
            url: address of the file, as `hf_hub_url` makes it.
            token: overrides the token of this object. A stored token is sent to the endpoint only.
            timeout: seconds for one try; `HF_HUB_ETAG_TIMEOUT` (10) when absent.
            retry_on_errors: whether to try again after failures that may pass.

        Raises:
            RemoteEntryNotFoundError: no such file; and as `repo_info`.
        """
        return self._metadata(url, token, timeout, retry_on_errors, {})

    def _metadata(
        self, url: str, token: str | bool | None, timeout: float | None, retry: bool, about: dict[str, Any]
    ) -> HfFileMetadata:
        endpoint = self.endpoint
        home = _origin(url)
        if home == _origin(endpoint):
            client = self._client(token)
        else:
            # Another hub than the endpoint: only a token that was given by hand may go there.
            chosen = self.token if token is None else token
            scheme, _, address = url.partition("://")
            client = self._client(
                chosen if isinstance(chosen, str) else False, f"{scheme}://{address.split('/', 1)[0]}"
            )
        for _ in range(_MAX_REDIRECTS):
            answer = client.request("HEAD", url, timeout=timeout, retry=retry, follow=False, **about)
            location = answer.header("location") if answer.status in _REDIRECTS else None
            target = location and urljoin(url, location)
            # A CDN's answer says nothing that the redirect to it does not say.
            if not target or _origin(target) != home or answer.header("x-linked-etag") is not None:
                length = None if target else answer.header("content-length")
                return HfFileMetadata(
                    commit_hash=answer.header("x-repo-commit"),
                    etag=_etag(answer.header("x-linked-etag") or answer.header("etag")),
                    location=target or url,
                    size=_number(answer.header("x-linked-size") or length),
                    xet_file_data=_xet(answer.headers, endpoint),
                )
            url = target
        msg = f"more than {_MAX_REDIRECTS} redirects"
        raise HfHubHTTPError(msg)

    def file_exists(
        self,
        repo_id: str,
        filename: str,
        *,
        repo_type: str | None = None,
        revision: str | None = None,
        token: str | bool | None = None,
    ) -> bool:
        """Whether a repository has a file; False too if there is no such repository or revision.

        Raises:
            GatedRepoError: its terms were not accepted, so that nobody can tell.
        """
        url = self.hf_hub_url(repo_id, filename, repo_type=repo_type, revision=revision)
        about = {"kind": check_repo_type(repo_type), "repo_id": repo_id, "revision": revision, "file": filename}
        try:
            self._metadata(url, token, None, True, about)
        except GatedRepoError:
            raise
        except (RepositoryNotFoundError, RevisionNotFoundError, RemoteEntryNotFoundError):
            return False
        return True


def get_hf_file_metadata(
    url: str,
    token: str | bool | None = None,
    timeout: float | None = None,
    library_name: str | None = None,
    library_version: str | None = None,
    user_agent: dict[str, Any] | str | None = None,
    headers: dict[str, str] | None = None,
    endpoint: str | None = None,
    retry_on_errors: bool = False,
) -> HfFileMetadata:
    """Commit, etag, size and place of a file, without its bytes.

    Args:
        url: address of the file, as `hf_hub_url` makes it.
        token: a token, True for the stored one, False for none, None for the stored one if there is one.
        timeout: seconds for one try; `HF_HUB_ETAG_TIMEOUT` (10) when absent.
        library_name: the library that asks, for the user agent.
        library_version: its version.
        user_agent: more for the user agent.
        headers: more headers.
        endpoint: address of the hub; `HF_ENDPOINT` when absent.
        retry_on_errors: whether to try again after failures that may pass.

    Raises:
        RemoteEntryNotFoundError: no such file; and as `repo_info`.
    """
    part = MetadataPart(endpoint, token, library_name, library_version, user_agent, headers)
    return part.get_hf_file_metadata(url, None, timeout, retry_on_errors=retry_on_errors)
