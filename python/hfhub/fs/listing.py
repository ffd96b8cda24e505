"""Listings of commits. A commit never changes, so what was listed once answers every later question."""

from __future__ import annotations

import datetime as dt
import json
import threading
from dataclasses import dataclass
from typing import Any

from _crucible._native import HubClient
from _crucible.errors import RemoteEntryNotFoundError

Entry = dict[str, Any]
"""A file or folder: the official keys, `path` in place of `name`."""


@dataclass(frozen=True)
class LastCommit:
    """The commit that changed an entry last."""

    oid: str
    title: str
    date: dt.datetime


def _last_commit(raw: dict[str, Any]) -> LastCommit | None:
    found = raw.get("lastCommit")
    if not isinstance(found, dict):
        return None
    try:
        date = dt.datetime.fromisoformat(found["date"])
        return LastCommit(str(found["id"]), str(found["title"]), date)
    except (KeyError, TypeError, ValueError):
        return None


def _lfs(raw: dict[str, Any]) -> dict[str, Any] | None:
    found = raw.get("lfs")
    if not isinstance(found, dict):
        return None
    size = found.get("size")
    # The cached listing leaves the pointer's size out; it follows from the pointer's text.
    pointer = found.get("pointerSize", 125 + len(str(size)))
    return {"size": size, "sha256": found.get("oid"), "pointer_size": pointer}


def _entry(raw: dict[str, Any]) -> Entry:
    if raw.get("type") == "directory":
        return _folder(raw["path"], raw.get("oid"), _last_commit(raw))
    return {
        "path": raw["path"],
        "size": raw.get("size", 0),
        "type": "file",
        "blob_id": raw.get("oid"),
        "lfs": _lfs(raw),
        "xet_hash": raw.get("xetHash"),
        "last_commit": _last_commit(raw),
        "security": raw.get("securityFileStatus"),
    }


def _folder(path: str, tree_id: str | None = None, last_commit: LastCommit | None = None) -> Entry:
    return {"path": path, "size": 0, "type": "directory", "tree_id": tree_id, "last_commit": last_commit}


def parent(path: str) -> str:
    """The folder of a path, "" for the root."""
    return path.rpartition("/")[0]


class Listing:
    """What is known of one commit's tree. Threads share it; each folder is asked for once.

    Args:
        client: the native client.
        kind: "model", "dataset" or "space".
        repo_id: `namespace/name`.
        commit: the full commit.
    """

    def __init__(self, client: HubClient, kind: str, repo_id: str, commit: str) -> None:
        self._client = client
        self._what = (kind, repo_id, commit)
        self._lock = threading.RLock()
        self._entries: dict[str, Entry] = {}
        self._children: dict[tuple[str, bool], list[str]] = {}
        self._expanded: dict[str, Entry] = {}
        self._missing: set[str] = set()
        self._whole: bool | None = None

    def entry(self, path: str, *, expand: bool = False) -> Entry:
        """A file or folder.

        Raises:
            RemoteEntryNotFoundError: the commit has none of this name.
        """
        with self._lock:
            known = (self._expanded if expand else self._entries).get(path)
            if known is not None:
                return known
            if expand:
                return self._ask_for(path)
            try:
                siblings = self.folder(parent(path))
            except RemoteEntryNotFoundError:
                siblings = []
            for sibling in siblings:
                if sibling["path"] == path:
                    return sibling
        raise self.missing(path)

    def folder(self, path: str, *, expand: bool = False) -> list[Entry]:
        """Files and folders directly in a folder, by name.

        Raises:
            RemoteEntryNotFoundError: there is no such folder.
        """
        with self._lock:
            if (path, expand) not in self._children:
                self._load_folder(path, expand)
            names = self._children.get((path, expand))
            if names is None:
                raise self.missing(path)
            return [self._entries[name] for name in names]

    def below(self, path: str, *, expand: bool = False) -> list[Entry]:
        """All files and folders under a folder, by name.

        Raises:
            RemoteEntryNotFoundError: there is no such folder.
        """
        with self._lock:
            if expand or not self._whole_known():
                raw = self._client.list_tree(*self._what, path or None, True, expand)
                entries = [_entry(item) for item in json.loads(raw)]
                if not path and not expand:
                    self._take_whole(entries)
                else:
                    self._take(entries, path, expand)
            if path and (path, expand) not in self._children:
                raise self.missing(path)
            found = self._entries.values()
            prefix = f"{path}/" if path else ""
            return sorted((e for e in found if e["path"].startswith(prefix)), key=lambda e: e["path"])

    def missing(self, path: str) -> RemoteEntryNotFoundError:
        """The error for a path that the commit does not have."""
        kind, repo_id, commit = self._what
        error = RemoteEntryNotFoundError(f"{path or '/'} of {kind} {repo_id}@{commit}: no such file or folder")
        error.repo_id, error.revision, error.path = repo_id, commit, path
        return error

    def changed(self) -> dt.datetime | None:
        """When the repository was last changed, as of this commit."""
        kind, repo_id, commit = self._what
        text = json.loads(self._client.repo_info(kind, repo_id, commit)).get("lastModified")
        return dt.datetime.fromisoformat(text) if isinstance(text, str) else None

    def _ask_for(self, path: str) -> Entry:
        """An entry with its last commit and security scan."""
        kind, repo_id, commit = self._what
        answer = self._client.request(
            "POST",
            f"/api/{kind}s/{repo_id}/paths-info/{commit}",
            form=[("paths", path), ("expand", "true")],
            kind=kind,
            repo_id=repo_id,
            revision=commit,
        )
        found = [_entry(item) for item in json.loads(answer.content) if item.get("path") == path]
        if not found:
            raise self.missing(path)
        self._expanded[path] = found[0]
        return found[0]

    def _whole_known(self) -> bool:
        if self._whole is None:
            raw = self._client.list_tree_if_short(*self._what)
            self._whole = False
            if raw is not None:
                self._take_whole([_entry(item) for item in json.loads(raw)])
        return self._whole

    def _load_folder(self, path: str, expand: bool) -> None:
        if not expand and self._whole_known():
            return
        if path in self._missing:
            return
        try:
            raw = self._client.list_tree(*self._what, path or None, False, expand)
        except RemoteEntryNotFoundError:
            self._missing.add(path)  # for good: a commit never changes
            return
        self._take([_entry(item) for item in json.loads(raw)], path, expand)

    def _take_whole(self, entries: list[Entry]) -> None:
        """Keeps the complete tree; the cached form has no folders, so they are made from the paths."""
        self._take(entries, "", False)
        self._whole = True

    def _take(self, entries: list[Entry], path: str, expand: bool) -> None:
        children: dict[str, set[str]] = {path: set()}
        for entry in entries:
            name = entry["path"]
            if path and not name.startswith(f"{path}/"):
                continue
            self._entries[name] = entry
            while name != path:
                folder = parent(name)
                children.setdefault(folder, set()).add(name)
                if folder and folder != path and folder not in self._entries:
                    self._entries[folder] = _folder(folder)
                name = folder
        for entry in entries:
            if entry["type"] == "directory" and len(children) > 1:
                children.setdefault(entry["path"], set())  # an empty folder of a recursive listing
        for folder, names in children.items():
            self._children[folder, expand] = sorted(names)
