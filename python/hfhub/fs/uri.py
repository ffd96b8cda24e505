"""The grammar of `hf://` addresses: `hf://[models/|datasets/|spaces/]<namespace>/<name>[@<revision>][/<path>]`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NoReturn
from urllib.parse import quote, unquote, urlsplit

from _crucible.errors import HfUriError

_KINDS = {"models": "model", "datasets": "dataset", "spaces": "space"}
_PREFIX = {"model": "", "dataset": "datasets/", "space": "spaces/"}
_OTHERS = ("kernels", "buckets")
_SINGULAR = {"model", "dataset", "space", "kernel", "bucket"}
_SPECIAL = re.compile(r"refs/(?:convert/[\w.-]+|pr/\d+)")
_REPO_ID = re.compile(r"[A-Za-z0-9_][\w.-]*/[\w][\w.-]*", re.ASCII)
_WEB_HOSTS = {"huggingface.co", "hf.co"}
_WEB_ROUTES = {"blame", "blob", "raw", "resolve", "tree"}


def _wrong(uri: str, why: str) -> NoReturn:
    error = HfUriError(f"{uri!r} is not an hf:// address: {why}")
    error.uri = uri
    error.add_note("It looks like hf://[datasets/|spaces/|models/]<namespace>/<name>[@<revision>][/<path>].")
    raise error


@dataclass(frozen=True)
class HfUri:
    """What an address names.

    Attributes:
        type: "model", "dataset" or "space".
        id: `namespace/name`.
        revision: decoded; None where the address has none.
        path_in_repo: path inside the repository, "" for its root.
        raw_revision: the revision as it was written.
    """

    type: str
    id: str
    revision: str | None = None
    path_in_repo: str = ""
    raw_revision: str | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class ResolvedPath:
    """An address with its revision filled in, as the official `HfFileSystemResolvedRepositoryPath`.

    Attributes:
        repo_type: "model", "dataset" or "space".
        repo_id: `namespace/name`.
        revision: branch, tag or commit.
        path_in_repo: path inside the repository, "" for its root.
    """

    repo_type: str
    repo_id: str
    revision: str
    path_in_repo: str
    _raw_revision: str | None = field(default=None, repr=False)

    @property
    def root(self) -> str:
        """The repository's address without `hf://`; the revision as it was written, or none for `main`."""
        base = _PREFIX[self.repo_type] + self.repo_id
        if self._raw_revision:
            return f"{base}@{self._raw_revision}"
        return base if self.revision == "main" else f"{base}@{quoted_revision(self.revision)}"

    @property
    def path(self) -> str:
        """The path inside the repository."""
        return self.path_in_repo

    def unresolve(self) -> str:
        """The address without `hf://`."""
        return f"{self.root}/{self.path_in_repo}".rstrip("/")


def quoted_revision(revision: str) -> str:
    """A revision as addresses write it: `/` becomes `%2F`, except in `refs/pr/N` and `refs/convert/…`."""
    return revision if _SPECIAL.fullmatch(revision) else quote(revision, safe="")


def parse_hf_uri(uri: str, endpoint: str | None = None) -> HfUri:
    """Reads an address.

    Args:
        uri: `hf://…`, the same without `hf://`, or a web address of a repository, file or folder.
        endpoint: address of the hub; its web addresses are read besides those of huggingface.co.

    Raises:
        HfUriError: it is none (a ValueError, as the official one).
    """
    body = uri.removeprefix("hf://")
    if body.startswith(("http://", "https://")):
        body = _web_body(uri, endpoint)
    first, _, rest = body.partition("/")
    if not body.strip("/"):
        _wrong(uri, "it names no repository")
    if first in _OTHERS:
        _wrong(uri, f"{first} are not read")
    if first in _SINGULAR:
        _wrong(uri, f"the kind is plural: {first}s/")
    kind = _KINDS.get(first)
    return _parse_repo(uri, kind or "model", (rest if kind else body).strip("/"))


def _parse_repo(uri: str, kind: str, location: str) -> HfUri:
    at = location.find("@")
    revision: str | None = None
    raw: str | None = None
    if at == -1 or location[:at].count("/") > 1:  # an `@` in the path is part of it
        namespace, _, rest = location.partition("/")
        name, _, path = rest.partition("/")
        repo_id = f"{namespace}/{name}" if name else namespace
    else:
        repo_id, rest = location[:at], location[at + 1 :]
        special = _SPECIAL.match(rest)
        raw = special.group() if special else rest.partition("/")[0]
        path = rest[len(raw) :].removeprefix("/")
        revision = unquote(raw)
        if not revision:
            _wrong(uri, "the revision after '@' is empty")
    if repo_id.count("/") != 1 or not _REPO_ID.fullmatch(repo_id):
        _wrong(uri, f"the repository is written namespace/name, got {repo_id!r}")
    parts = path.split("/")
    if path and "" in parts:
        _wrong(uri, "the path has an empty part")
    if ".." in parts or (revision is not None and ".." in revision.split("/")):
        _wrong(uri, "'..' is not allowed")
    return HfUri(kind, repo_id, revision, path, raw)


def _web_body(url: str, endpoint: str | None) -> str:
    """The address after `hf://` that a web address of a repository, file or folder stands for."""
    parts = urlsplit(url)
    home = urlsplit(endpoint) if endpoint else None
    path = parts.path
    if home is not None and parts.netloc.lower() == home.netloc.lower():
        path = path.removeprefix(home.path.rstrip("/"))
    elif (parts.hostname or "").lower() not in _WEB_HOSTS:
        _wrong(url, f"the host {parts.hostname!r} is not the hub")
    segments = [s for s in path.split("/") if s]
    prefix = ""
    if segments and segments[0] in (*_KINDS, *_OTHERS):
        prefix = segments.pop(0) + "/"
    if len(segments) < 2:
        _wrong(url, "the page is not of a repository")
    base = prefix + "/".join(segments[:2])
    if len(segments) == 2:
        return base
    if segments[2] not in _WEB_ROUTES:
        _wrong(url, f"the page '{segments[2]}' is not of a file or folder")
    # A decoded `/` inside a segment stays one segment: `%2F` in a revision.
    tail = "/".join(unquote(s).replace("/", "%2F") for s in segments[3:])
    return f"{base}@{tail}" if tail else base
