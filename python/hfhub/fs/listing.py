"""Listings of commits. A commit never changes, so what was listed once answers every later question."""

from __future__ import annotations

import datetime as dt
import json
import threading
from typing import Any

from _crucible._native import HubClient
from _crucible.errors import RemoteEntryNotFoundError
from hfhub.api import BlobLfsInfo, LastCommitInfo, RepoFile, RepoFolder
from hfhub.fs.parts import Parts

Entry = dict[str, Any]
"""A file or folder: the official keys, `path` in place of `name`."""


def _entry(raw: dict[str, Any]) -> Entry:
    if raw.get("type") == "directory":
        folder = RepoFolder(**raw)
        return _folder(folder.path, folder.tree_id, folder.last_commit)
    file = RepoFile(**raw)
    if file.lfs is not None and file.lfs.pointer_size is None:
        # The cached listing leaves the pointer's size out; it follows from the pointer's text.
        file.lfs = BlobLfsInfo(file.lfs.size, file.lfs.sha256, 125 + len(str(file.lfs.size)))
    return {
        "path": file.path,
        "size": file.size,
        "type": "file",
        "blob_id": file.blob_id,
        "lfs": file.lfs,
        "xet_hash": file.xet_hash,
        "last_commit": file.last_commit,
        "security": file.security,
    }


def _folder(path: str, tree_id: str | None = None, last_commit: LastCommitInfo | None = None) -> Entry:
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
        self._deep: set[tuple[str, bool]] = set()
        self._whole: bool | None = None
        """Whether the whole tree is known; None before anybody asked."""

    def entry(self, path: str, *, expand: bool = False) -> Entry:
        """A file or folder.

        Raises:
            RemoteEntryNotFoundError: the commit has none of this name.
        """
        with self._lock:
            known = self._known(expand).get(path)
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
            known = self._known(expand)
            return [known[name] for name in names]

    def below(self, path: str, *, expand: bool = False, workers: int = 16) -> list[Entry]:
        """All files and folders under a folder, by name. Large folders are listed in parts, `workers` at a time.

        Raises:
            RemoteEntryNotFoundError: there is no such folder.
        """
        with self._lock:
            if (path, expand) not in self._deep and (expand or not self._whole_known()):
                raw = Parts(self._client, self._what, expand=expand, workers=workers).below(path)
                if not path and not expand:
                    self._client.keep_listing(*self._what, json.dumps(raw).encode())
                    self._whole = True
                self._take([_entry(item) for item in raw], path, expand)
                self._deep.add((path, expand))
            if path and (path, expand) not in self._children:
                raise self.missing(path)
            prefix = f"{path}/" if path else ""
            found = (entry for name, entry in self._known(expand).items() if name.startswith(prefix))
            return sorted(found, key=lambda entry: str(entry["path"]))

    def _known(self, expand: bool) -> dict[str, Entry]:
        return self._expanded if expand else self._entries

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
                self._take([_entry(item) for item in json.loads(raw)], "", False)
                self._whole = True
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

    def _take(self, entries: list[Entry], path: str, expand: bool) -> None:
        """Keeps entries below a folder. The cached form of a listing has no folders: they are made from the paths."""
        known = self._known(expand)
        children: dict[str, set[str]] = {path: set()}
        for entry in entries:
            name = entry["path"]
            if path and not name.startswith(f"{path}/"):
                continue
            known[name] = entry
            while name != path:
                folder = parent(name)
                children.setdefault(folder, set()).add(name)
                if folder and folder != path and folder not in known:
                    known[folder] = _folder(folder)
                name = folder
        for folder, names in children.items():
            self._children[folder, expand] = sorted(names)
