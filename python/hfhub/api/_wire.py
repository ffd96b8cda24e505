"""What the parts of `HfApi` share: the client, the arguments of a request, and the check of a repository's name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from _crucible.errors import HfHubHTTPError, HFValidationError
from hfhub._client import client
from hfhub.download._revision import pinned

if TYPE_CHECKING:
    from _crucible._native import HttpResponse, HubClient

REPO_TYPES = ("model", "dataset", "space")
# The rule of the Hub: ASCII letters, digits, `-`, `_`, `.`, at most 96 in each part.
_REPO_ID = re.compile(r"(\b[\w\-.]{1,96}\b/)?\b[\w\-.]{1,96}\b", re.ASCII)


def check_repo_id(repo_id: Any) -> None:
    """Refuses what cannot be the id of a repository.

    Raises:
        HFValidationError: the text says what is wrong.
    """
    if not isinstance(repo_id, str):
        why = f"expected a str, got {type(repo_id).__name__}"
    elif repo_id.count("/") > 1:
        why = "expected 'name' or 'namespace/name'; the repo type goes in repo_type="
    elif not _REPO_ID.fullmatch(repo_id):
        why = "only letters, digits, '-', '_' and '.', not at the start or end ('_' may be), and at most 96 of them"
    elif "--" in repo_id or ".." in repo_id:
        why = "'--' and '..' are not allowed"
    elif repo_id.endswith(".git"):
        why = "a final '.git' is not allowed"
    else:
        return
    msg = f"{repo_id!r} is not a repository id: {why}"
    raise HFValidationError(msg)


def check_repo_type(repo_type: str | None) -> str:
    """The repo type's name; None is a model.

    Raises:
        ValueError: no such type.
    """
    if repo_type is None:
        return "model"
    if repo_type not in REPO_TYPES:
        msg = f"Invalid repo type {repo_type!r}: must be one of {REPO_TYPES}"
        raise ValueError(msg)
    return repo_type


def segment(text: str) -> str:
    """A text as one part of an address, `/` encoded too."""
    return quote(text, safe="")


def at(revision: str | None, repo_id: str, kind: str) -> str:
    """A revision as one part of an address: `main` when absent, the commit of a resolved one."""
    return segment(pinned(revision, repo_id, kind) or "main")


def query(**values: Any) -> list[tuple[str, str]]:
    """A query: None is left out, a list repeats its key, True and False are `true` and `false`."""
    pairs: list[tuple[str, str]] = []
    for key, value in values.items():
        if value is None:
            continue
        many = value if isinstance(value, (list, tuple, set, frozenset)) else (value,)
        pairs += [(key, str(item).lower() if isinstance(item, bool) else str(item)) for item in many]
    return pairs


def decoded(body: bytes, what: str) -> Any:
    """The JSON of an answer.

    Raises:
        HfHubHTTPError: it is none.
    """
    try:
        return json.loads(body)
    except ValueError as error:
        msg = f"{what}: the answer is not JSON: {error}"
        wrong = HfHubHTTPError(msg)
        wrong.add_note("Is HF_ENDPOINT a hub? A login page of a network in between looks like this.")
        raise wrong from error


class Wire:
    """Settings of an `HfApi` and the requests it makes.

    Args:
        endpoint: address of the hub; `HF_ENDPOINT` when absent.
        token: a token, True for the stored one, False for none, None for the stored one if there is one.
        library_name: the library that asks, for the user agent.
        library_version: its version.
        user_agent: more for the user agent: a text, or a dict of names and values.
        headers: more headers for every request, sent to the endpoint only.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        token: str | bool | None = None,
        library_name: str | None = None,
        library_version: str | None = None,
        user_agent: dict[str, Any] | str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._endpoint = endpoint
        self.token = token
        self.library_name = library_name
        self.library_version = library_version
        self.user_agent = user_agent
        self.headers = headers
        self._whoami_cache: dict[str, dict[str, Any]] = {}

    def __repr__(self) -> str:
        """Without the token."""
        return f"HfApi(endpoint={self.endpoint!r})"

    @property
    def endpoint(self) -> str:
        """Address of the hub, without a final `/`. `HF_ENDPOINT` is read anew while none was given."""
        return self._client(False).endpoint

    @endpoint.setter
    def endpoint(self, address: str | None) -> None:
        self._endpoint = address

    def _agent(self) -> str | None:
        library = self.library_name and f"{self.library_name}/{self.library_version}"
        more = self.user_agent
        if isinstance(more, dict):
            more = "; ".join(f"{key}/{value}" for key, value in more.items())
        return "; ".join(part for part in (library, more) if part) or None

    def _client(self, token: str | bool | None = None, endpoint: str | None = None) -> HubClient:
        return client(
            endpoint or self._endpoint,
            self.token if token is None else token,
            user_agent=self._agent(),
            headers=self.headers,
        )

    def _get(self, path: str, *, token: str | bool | None = None, what: str = "", **arguments: Any) -> Any:
        """The JSON of a GET."""
        return decoded(self._send("GET", path, token=token, **arguments).content, what or path)

    def _send(self, method: str, path: str, *, token: str | bool | None = None, **arguments: Any) -> HttpResponse:
        return self._client(token).request(method, path, **arguments)

    def _pages(self, path: str, *, token: str | bool | None = None, **arguments: Any) -> Iterator[Any]:
        """The JSON of the pages of a listing, each asked for when it is needed."""
        for body in self._client(token).pages(path, **arguments):
            page = decoded(body, path)
            if not isinstance(page, list):
                msg = f"{path}: the listing is not a list"
                raise HfHubHTTPError(msg)
            yield page
