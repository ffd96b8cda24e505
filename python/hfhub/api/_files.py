"""Files and folders of a repository, with the official attribute names.

Listings have tens of thousands of entries, so these classes have slots and are filled by hand. What a newer hub adds to
an entry is kept in `extra` and can be read as an attribute.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from hfhub.api._dates import parse_datetime

_FILE_KEYS = frozenset(
    ("type", "path", "size", "oid", "lfs", "xetHash", "lastCommit", "last_commit", "securityFileStatus")
)
_FOLDER_KEYS = frozenset(("type", "path", "size", "oid", "lastCommit", "last_commit"))


@dataclass(slots=True, eq=True)
class BlobLfsInfo(dict[str, Any]):
    """What is known of a large file; also a dict of the same facts.

    Attributes:
        size: bytes of the content.
        sha256: of the content.
        pointer_size: bytes of the git pointer that stands for it.
    """

    size: int
    sha256: str
    pointer_size: int | None

    def __post_init__(self) -> None:
        self["size"], self["sha256"], self["pointer_size"] = self.size, self.sha256, self.pointer_size


@dataclass(slots=True, eq=True)
class LastCommitInfo(dict[str, Any]):
    """The commit that last touched an entry; also a dict of the same facts."""

    oid: str
    title: str
    date: dt.datetime | None

    def __post_init__(self) -> None:
        self["oid"], self["title"], self["date"] = self.oid, self.title, self.date


@dataclass(slots=True, eq=True)
class BlobSecurityInfo(dict[str, Any]):
    """What the hub's scanners say of a file; also a dict of the same facts."""

    safe: bool
    status: str
    av_scan: dict[str, Any] | None
    pickle_import_scan: dict[str, Any] | None

    def __post_init__(self) -> None:
        self["safe"], self["status"] = self.safe, self.status
        self["av_scan"], self["pickle_import_scan"] = self.av_scan, self.pickle_import_scan


def _lfs(raw: Any, hash_key: str) -> BlobLfsInfo | None:
    if not isinstance(raw, dict):
        return None
    return BlobLfsInfo(raw.get("size", 0), raw.get(hash_key, ""), raw.get("pointerSize"))


def _last_commit(raw: dict[str, Any]) -> LastCommitInfo | None:
    commit = raw.get("lastCommit") or raw.get("last_commit")
    if not isinstance(commit, dict):
        return None
    return LastCommitInfo(commit.get("id", ""), commit.get("title", ""), parse_datetime(commit.get("date")))


def _security(raw: Any) -> BlobSecurityInfo | None:
    if not isinstance(raw, dict):
        return None
    status = raw.get("status", "")
    return BlobSecurityInfo(status == "safe", status, raw.get("avScan"), raw.get("pickleImportScan"))


@dataclass(slots=True)
class RepoSibling:
    """A file of a repository, as `repo_info` lists it.

    Attributes:
        rfilename: path in the repository.
        size: bytes; with `files_metadata=True` only.
        blob_id: git id; with `files_metadata=True` only.
        lfs: facts of a large file; with `files_metadata=True` only.
    """

    rfilename: str
    size: int | None = None
    blob_id: str | None = None
    lfs: BlobLfsInfo | None = None


def siblings_of(raw: Any) -> list[RepoSibling] | None:
    """The `siblings` of an answer."""
    if not isinstance(raw, list):
        return None
    return [
        RepoSibling(s["rfilename"], s.get("size"), s.get("blobId"), _lfs(s.get("lfs"), "sha256"))
        for s in raw
        if isinstance(s, dict) and "rfilename" in s
    ]


class _Entry:
    """Reads an attribute that only a newer hub knows."""

    __slots__ = ()
    extra: dict[str, Any] | None

    def __getattr__(self, name: str) -> Any:
        # Called for unknown names only. `extra` itself is unset while an entry is unpickled.
        if name != "extra" and not name.startswith("__"):
            extra = self.extra
            if extra is not None and name in extra:
                return extra[name]
        msg = f"{type(self).__name__!r} object has no attribute {name!r}"
        raise AttributeError(msg)


@dataclass(slots=True, init=False)
class RepoFile(_Entry):
    """A file of a listing.

    Attributes:
        path: in the repository.
        size: bytes of the content.
        blob_id: git id (of the pointer, for a large file).
        lfs: facts of a large file.
        xet_hash: hash of a file in Xet storage.
        last_commit: the commit that last touched it; with `expand=True` only.
        security: what the scanners say; with `expand=True` only.
        extra: fields that only a newer hub knows.
    """

    path: str
    size: int
    blob_id: str
    lfs: BlobLfsInfo | None = None
    xet_hash: str | None = None
    last_commit: LastCommitInfo | None = None
    security: BlobSecurityInfo | None = None
    extra: dict[str, Any] | None = field(default=None, repr=False, compare=False)

    def __init__(self, **raw: Any) -> None:
        """Takes an entry as the hub sends it."""
        self._fill(raw)

    def _fill(self, raw: dict[str, Any]) -> None:
        self.path = raw["path"]
        self.size = raw.get("size", 0)
        self.blob_id = raw.get("oid", "")
        lfs = raw.get("lfs")
        self.lfs = None if lfs is None else _lfs(lfs, "oid")
        self.xet_hash = raw.get("xetHash")
        if raw.keys() <= _FILE_KEYS:
            self.extra = None
        else:
            self.extra = {key: value for key, value in raw.items() if key not in _FILE_KEYS}
        self.last_commit = _last_commit(raw)
        self.security = _security(raw.get("securityFileStatus"))

    @property
    def rfilename(self) -> str:
        """The path, under its older name."""
        return self.path

    @property
    def lastCommit(self) -> LastCommitInfo | None:  # noqa: N802  # the official name
        """The last commit, under its older name."""
        return self.last_commit


@dataclass(slots=True, init=False)
class RepoFolder(_Entry):
    """A folder of a listing.

    Attributes:
        path: in the repository.
        tree_id: git id of the folder.
        last_commit: the commit that last touched it; with `expand=True` only.
        extra: fields that only a newer hub knows.
    """

    path: str
    tree_id: str
    last_commit: LastCommitInfo | None = None
    extra: dict[str, Any] | None = field(default=None, repr=False, compare=False)

    def __init__(self, **raw: Any) -> None:
        """Takes an entry as the hub sends it."""
        self._fill(raw)

    def _fill(self, raw: dict[str, Any]) -> None:
        self.path = raw["path"]
        self.tree_id = raw.get("oid", "")
        self.last_commit = _last_commit(raw)
        if raw.keys() <= _FOLDER_KEYS:
            self.extra = None
        else:
            self.extra = {key: value for key, value in raw.items() if key not in _FOLDER_KEYS}


def entry_of(raw: dict[str, Any]) -> RepoFile | RepoFolder:
    """An entry of a listing as an object."""
    entry: RepoFile | RepoFolder
    entry = RepoFolder.__new__(RepoFolder) if raw.get("type") == "directory" else RepoFile.__new__(RepoFile)
    entry._fill(raw)
    return entry
