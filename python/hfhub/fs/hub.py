"""Repositories of the hub as a filesystem: commits pinned once, listings kept, one address look-up per file."""

from __future__ import annotations

import copy
import hashlib
import os
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from _crucible._native import HubClient
from _crucible.errors import EntryNotFoundError, IntegrityError, RepositoryNotFoundError, RevisionNotFoundError
from hfhub._client import client as make_client
from hfhub.fs.base import Files, Info, clamped, copy_out, ranged
from hfhub.fs.file import RangeFile
from hfhub.fs.listing import Entry, Listing
from hfhub.fs.live import Live, live
from hfhub.fs.uri import ResolvedPath, parse_hf_uri

_MISSING_SECONDS = 30.0
"""How long a repository or revision that was not found is taken for missing without asking again."""


class HubFiles(Files):
    """Files of models, datasets and spaces by `hf://` addresses.

    Args:
        endpoint: address of the hub; `HF_ENDPOINT` when absent.
        token: a token, True for the stored one, False for none.
        cache_dir: the cache folder; `HF_HUB_CACHE` when absent.
    """

    protocol = "hf"

    def __init__(
        self,
        endpoint: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        self.token = token
        self.client: HubClient = make_client(endpoint, token, cache_dir)
        self.pins: dict[tuple[str, str, str], str] = {}
        self._absent: dict[tuple[str, str, str], tuple[float, OSError]] = {}
        self._asking: tuple[int, threading.Lock] = (os.getpid(), threading.Lock())

    def __getstate__(self) -> dict[str, Any]:
        return {"token": self.token, "client": self.client, "pins": dict(self.pins)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._absent = {}
        self._asking = (os.getpid(), threading.Lock())

    # ------------------------------------------------------------------------------------------------ names

    def resolve(self, path: str, revision: str | None = None) -> ResolvedPath:
        """Reads an address; makes no request.

        Args:
            path: `hf://…`, the same without `hf://`, or a web address.
            revision: the revision, where the address does not say it.

        Raises:
            NotImplementedError: the root, or a namespace: repositories are not listed here.
            ValueError: not an address (`HfUriError`), or its revision is another than `revision`.
        """
        bare = path.removeprefix("hf://")
        if not bare.strip("/"):
            msg = "repositories are not listed through the filesystem: use HfApi.list_datasets or list_models"
            raise NotImplementedError(msg)
        found = parse_hf_uri(path, self.client.endpoint)
        if revision is None or found.revision is None or revision == found.revision:
            raw = found.raw_revision
            return ResolvedPath(found.type, found.id, revision or found.revision or "main", found.path_in_repo, raw)
        # `@refs/pr/10` may also be the branch `refs` with the folder `pr/10`: the argument decides.
        first, _, rest = bare.partition("@")[2].partition("/")
        if unquote(first) != revision:
            msg = f"the path has the revision {found.revision!r}, the argument is {revision!r}"
            raise ValueError(msg)
        return ResolvedPath(found.type, found.id, revision, rest, first)

    def commit(self, at: ResolvedPath, *, refresh: bool = False) -> str:
        """The commit of an address, asked for once.

        Raises:
            RepositoryNotFoundError, RevisionNotFoundError: there is none (remembered for 30 s).
        """
        key = (at.repo_type, at.repo_id, at.revision)
        if not refresh and (pin := self.pins.get(key)):
            return pin
        if self._asking[0] != os.getpid():
            self._asking = (os.getpid(), threading.Lock())
        with self._asking[1]:
            if not refresh and (pin := self.pins.get(key)):
                return pin
            absent = self._absent.get(key)
            if absent is not None and not refresh and time.monotonic() < absent[0]:
                raise copy.copy(absent[1])
            try:
                commit = self.client.resolve_commit(*key)
            except (RepositoryNotFoundError, RevisionNotFoundError) as error:
                if isinstance(error, RepositoryNotFoundError) and "." in at.repo_id.partition("/")[2]:
                    error.add_note(
                        f"hf:// addresses start with namespace/name: {at.repo_id!r} was read as a repository."
                    )
                self._absent[key] = (time.monotonic() + _MISSING_SECONDS, error.with_traceback(None))
                raise
            self._absent.pop(key, None)
            self.pins[key] = commit
            return commit

    def forget(self, path: str | None = None) -> None:
        """Asks again for the commit of an address, or of all, when it is needed next."""
        if path is None:
            self.pins.clear()
            self._absent.clear()
            return
        at = self.resolve(path)
        self.pins.pop((at.repo_type, at.repo_id, at.revision), None)
        self._absent.pop((at.repo_type, at.repo_id, at.revision), None)

    @property
    def state(self) -> Live:
        """Listings and open files of this process."""
        return live(self.client, self.token)

    def listing(self, at: ResolvedPath, *, refresh: bool = False) -> Listing:
        """The listing of the commit of an address."""
        return self.state.listing(at.repo_type, at.repo_id, self.commit(at, refresh=refresh))

    # ------------------------------------------------------------------------------------------------ listings

    @staticmethod
    def named(at: ResolvedPath, entry: Entry) -> Info:
        """An entry with its full name first, as `info` gives it."""
        rest = {key: value for key, value in entry.items() if key != "path"}
        return {"name": f"{at.root}/{entry['path']}", **rest}

    def info(self, path: str, *, revision: str | None = None, refresh: bool = False, expand: bool = False) -> Info:
        """Facts of a file or folder, from the listing of its commit.

        Args:
            path: the address.
            revision: the revision, where the address does not say it.
            refresh: ask for the commit again.
            expand: also the last commit and the security scan; costs a listing of its own.

        Raises:
            FileNotFoundError: no such repository, revision or path.
        """
        at = self.resolve(path, revision)
        listing = self.listing(at, refresh=refresh)
        if not at.path:
            return {"name": at.unresolve(), "size": 0, "type": "directory", "last_commit": None}
        return self.named(at, listing.entry(at.path, expand=expand))

    def entries(
        self, path: str, *, revision: str | None = None, refresh: bool = False, expand: bool = False
    ) -> list[Info]:
        """What is in a folder, by name; a file is its own only entry. Arguments as `info`."""
        at = self.resolve(path, revision)
        listing = self.listing(at, refresh=refresh)
        try:
            found = listing.folder(at.path, expand=expand)
        except EntryNotFoundError:
            found = [listing.entry(at.path, expand=expand)]
        return [self.named(at, entry) for entry in found]

    def tree(
        self, path: str, *, revision: str | None = None, refresh: bool = False, expand: bool = False
    ) -> list[Info]:
        """Everything below a folder, by name, in one listing. Arguments as `info`."""
        at = self.resolve(path, revision)
        found = self.listing(at, refresh=refresh).below(at.path, expand=expand)
        return [self.named(at, entry) for entry in found]

    def find(self, path: str, withdirs: bool = False) -> list[str]:
        """All files (and folders) below a path, by name; a file is its own only match."""
        try:
            found = self.tree(path)
        except EntryNotFoundError:
            found = [self.info(path)] if self.isfile(path) else []
        return [info["name"] for info in found if withdirs or info["type"] != "directory"]

    def _named(self, pattern: str) -> str:
        return self.resolve(pattern).unresolve()

    # ------------------------------------------------------------------------------------------------ bytes

    def file_entry(self, at: ResolvedPath) -> Entry:
        """The entry of a file.

        Raises:
            FileNotFoundError: there is none. IsADirectoryError: it is a folder.
        """
        listing = self.listing(at)
        entry = listing.entry(at.path) if at.path else None
        if entry is None or entry["type"] == "directory":
            msg = f"{at.unresolve()} is a folder"
            raise IsADirectoryError(msg)
        return entry

    def open_binary(
        self, path: str, block_size: int | None = None, *, revision: str | None = None, fs: Any = None
    ) -> RangeFile:
        """A file object that can seek; no request is made for its bytes before they are read."""
        at = self.resolve(path, revision)
        entry = self.file_entry(at)
        reader = self.state.reader(at.repo_type, at.repo_id, self.commit(at), entry)
        info = self.named(at, entry)
        return RangeFile(
            reader,
            entry["size"],
            path=info["name"],
            fs=fs or self,
            block_size=block_size,
            details=info,
            check=partial(_verify, at, entry),
        )

    def cat_file(
        self, path: str, start: int | None = None, end: int | None = None, *, revision: str | None = None
    ) -> bytes:
        """Bytes `start` to `end` of a file, as Python slices count; a whole file is verified by its hash.

        Raises:
            FileNotFoundError: there is none. IntegrityError: the hash is wrong.
        """
        at = self.resolve(path, revision)
        entry = self.file_entry(at)
        low, high = clamped(start, end, entry["size"])
        data = self.state.reader(at.repo_type, at.repo_id, self.commit(at), entry).read(low, high)
        if low == 0 and high == entry["size"]:
            _verify(at, entry, data)
        return data

    def cat_ranges(
        self,
        paths: Sequence[str],
        starts: Sequence[int] | int | None,
        ends: Sequence[int] | int | None,
        *,
        revision: str | None = None,
    ) -> list[bytes]:
        """One range per path, in their order; those of one file are fetched together, close ones as one."""
        asked: dict[str, list[tuple[int, int | None, int | None]]] = {}
        for index, (path, start, end) in enumerate(ranged(paths, starts, ends)):
            asked.setdefault(path, []).append((index, start, end))
        found = [b""] * len(paths)
        for path, wanted in asked.items():
            at = self.resolve(path, revision)
            entry = self.file_entry(at)
            reader = self.state.reader(at.repo_type, at.repo_id, self.commit(at), entry)
            ranges = [clamped(start, end, entry["size"]) for _, start, end in wanted]
            for (index, _, _), data in zip(wanted, reader.read_ranges(ranges), strict=True):
                found[index] = data
        return found

    def local_path(self, path: str, *, revision: str | None = None) -> str:
        """Brings a file into the cache (verified) and returns where it is."""
        at = self.resolve(path, revision)
        self.file_entry(at)
        return self.client.download_file(at.repo_type, at.repo_id, at.path, self.commit(at))

    def get_file(self, path: str, target: str | Path) -> None:
        """Copies one file to the local disk, by way of the cache."""
        copy_out(self.local_path(path), Path(target))

    def url(self, path: str, *, revision: str | None = None) -> str:
        """The web address: `resolve` for a file, `tree` for a folder."""
        at = self.resolve(path, revision)
        prefix = "" if at.repo_type == "model" else f"{at.repo_type}s/"
        route = "tree" if self.isdir(path) else "resolve"
        rest = f"{quote(at.revision, safe='')}/{quote(at.path)}"
        return f"{self.client.endpoint}/{prefix}{at.repo_id}/{route}/{rest}"


def _verify(at: ResolvedPath, entry: Entry, data: bytes) -> None:
    """Compares the hash of a whole file with the listing's."""
    sha256 = (entry["lfs"] or {}).get("sha256")
    if sha256:
        found, promised = hashlib.sha256(data).hexdigest(), sha256
    elif len(entry["blob_id"] or "") == 40:  # names of other forms (mirrors) promise nothing that can be checked
        git = hashlib.sha1(b"blob %d\0" % len(data), usedforsecurity=False)
        git.update(data)
        found, promised = git.hexdigest(), entry["blob_id"]
    else:
        return
    if found != promised:
        error = IntegrityError(f"{at.unresolve()}: the hash of what came is {found}, {promised} was promised")
        error.repo_id, error.revision, error.path = at.repo_id, at.revision, at.path
        raise error
