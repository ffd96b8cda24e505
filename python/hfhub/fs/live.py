"""What one process shares between filesystems of the same hub and token: listings and open files of commits.

Nothing here crosses a fork: the pid is compared before any lock is taken, and a child starts anew.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Protocol

from _crucible._native import HubClient, RemoteFile, resolve_token
from hfhub.fs.listing import Entry, Listing

_MAX_FILES = 4096
_MAX_LISTINGS = 64


class Reader(Protocol):
    """Bytes of one file by position."""

    def read(self, start: int, end: int) -> bytes:
        """Bytes `start` to `end`."""
        ...

    def read_ranges(self, ranges: list[tuple[int, int]]) -> list[bytes]:
        """Several ranges in their order."""
        ...


class LocalReader:
    """A local file by position. Opened anew for each call, so that it survives forks and pickling.

    Args:
        path: where it is.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def read(self, start: int, end: int) -> bytes:
        """Bytes `start` to `end`, fewer at the end of the file."""
        return self.read_ranges([(start, end)])[0]

    def read_ranges(self, ranges: list[tuple[int, int]]) -> list[bytes]:
        """Several ranges in their order."""
        found = []
        with Path(self.path).open("rb", buffering=0) as file:
            for start, end in ranges:
                file.seek(start)
                found.append(file.read(max(0, end - start)))
        return found


class Live:
    """Listings and files of one hub, seen with one token.

    Args:
        client: the native client.
    """

    def __init__(self, client: HubClient) -> None:
        self.client = client
        self._lock = threading.Lock()
        self._listings: OrderedDict[tuple[str, str, str], Listing] = OrderedDict()
        self._files: OrderedDict[tuple[str, str, str, str], RemoteFile] = OrderedDict()

    def listing(self, kind: str, repo_id: str, commit: str) -> Listing:
        """The listing of a commit."""
        key = (kind, repo_id, commit)
        with self._lock:
            found = self._listings.pop(key, None) or Listing(self.client, *key)
            self._listings[key] = found
            if len(self._listings) > _MAX_LISTINGS:
                self._listings.popitem(last=False)
            return found

    def reader(self, kind: str, repo_id: str, commit: str, entry: Entry) -> RemoteFile | LocalReader:
        """A file of a commit: from the cache on disk where it is there, else by ranges. Makes no request."""
        path = entry["path"]
        local = self.client.cached_path(kind, repo_id, path, commit)
        if local is not None and Path(local).stat().st_size == entry["size"]:
            return LocalReader(local)
        key = (kind, repo_id, commit, path)
        with self._lock:
            found = self._files.pop(key, None)
            if found is None:
                etag = (entry["lfs"] or {}).get("sha256") or entry["blob_id"]
                found = RemoteFile.hub(self.client, kind, repo_id, path, commit, entry["size"], etag)
            self._files[key] = found
            if len(self._files) > _MAX_FILES:
                self._files.popitem(last=False)
            return found


_lives: dict[tuple[object, ...], Live] = {}
_pid = os.getpid()


def live(client: HubClient, token: str | bool | None) -> Live:
    """The state of this process for a client: shared by threads, not by forks.

    Args:
        client: the native client.
        token: the argument that it was made with.
    """
    global _lives, _pid  # the one place of the process's state
    if _pid != os.getpid():
        _lives, _pid = {}, os.getpid()
    key = (client.endpoint, client.cache_dir, client.offline, resolve_token(token))
    return _lives.setdefault(key, Live(client))
