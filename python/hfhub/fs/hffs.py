"""`HfFileSystem`: the hub for fsspec, and so for pandas, polars, pyarrow, duckdb, dask and zarr.

Reading only. Entries, names and arguments are those of the official class; what costs requests there does not here.
"""

from __future__ import annotations

import datetime as dt
import threading
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

from _crucible._optional import require
from _crucible.errors import EntryNotFoundError, LocalEntryNotFoundError, ReadOnlyError
from hfhub.fs.base import Info, check_mode, copy_out
from hfhub.fs.file import RangeFile
from hfhub.fs.hub import HubFiles
from hfhub.fs.uri import ResolvedPath, parse_hf_uri

_Base: Any = require("fsspec", extra="fs", why="HfFileSystem").AbstractFileSystem


class HfFileSystem(_Base):  # type: ignore[misc]  # fsspec has no types
    """Files of models, datasets and spaces by `hf://` addresses, read-only.

    The commit of a revision is asked for once; listings of commits are kept (on disk too) and answer `ls`, `glob`,
    `find`, `info` and `walk`, offline as well. A file's address is resolved once for all readers of the process.

    Args:
        endpoint: address of the hub; `HF_ENDPOINT` when absent.
        token: a token, True for the stored one, False for none.
        block_size: bytes that an open file fetches at least; 64 KiB when absent.
        expand_info: whether listings have the last commit and the security scan (a listing of its own, 20 times the
            pages).
        max_workers: files that `get` and `cat` bring, and folders that large listings take, at a time.
        cache_dir: the cache folder; `HF_HUB_CACHE` when absent.
        storage_options: for fsspec; unknown ones are ignored.
    """

    root_marker = ""
    protocol = "hf"

    def __init__(
        self,
        *args: Any,
        endpoint: str | None = None,
        token: str | bool | None = None,
        block_size: int | None = None,
        expand_info: bool | None = None,
        max_workers: int = 16,
        cache_dir: str | None = None,
        **storage_options: Any,
    ) -> None:
        super().__init__(*args, **storage_options)
        self.files = HubFiles(endpoint, token, cache_dir)
        self.endpoint = self.files.client.endpoint
        self.token = token
        self.block_size = block_size
        self.expand_info = bool(expand_info)
        self.max_workers = max(1, max_workers)
        self._agree()

    def _agree(self) -> None:
        """Threads get instances of their own from fsspec: they see the commits that the main thread's instance sees."""
        key = (self.endpoint, self.token, self.files.client.cache_dir)
        if threading.current_thread() is threading.main_thread():
            _MAIN[key] = self
        elif (sister := _MAIN.get(key)) is not None:
            self.files.pins.update(sister.files.pins)

    def __reduce__(self) -> tuple[Any, ...]:
        return _made, (type(self), self.storage_args, self.storage_options, dict(self.files.pins))

    # ------------------------------------------------------------------------------------------------ names

    def resolve_path(self, path: str, revision: str | None = None) -> ResolvedPath:
        """Reads an address and makes sure that its repository and revision exist.

        Args:
            path: `hf://…`, the same without `hf://`, or a web address.
            revision: the revision, where the address does not say it.

        Raises:
            FileNotFoundError: no such repository or revision.
            ValueError: not an address, or two revisions.
            NotImplementedError: the root: repositories are not listed here.
        """
        at = self.files.resolve(path, revision)
        self.files.commit(at)
        return at

    def invalidate_cache(self, path: str | None = None) -> None:
        """Asks again which commit a path's revision has (every revision, without a path)."""
        self.files.forget(path)

    # ------------------------------------------------------------------------------------------------ listings

    def _expand(self, kwargs: dict[str, Any]) -> bool:
        asked = kwargs.get("expand_info")
        return self.expand_info if asked is None else bool(asked)

    def ls(
        self, path: str, detail: bool = True, refresh: bool = False, revision: str | None = None, **kwargs: Any
    ) -> list[Any]:
        """What is in a folder: facts, or names without `detail`; a file is its own only entry.

        Args:
            path: the folder.
            detail: facts or names.
            refresh: ask for the commit again.
            revision: the revision, where the address does not say it.
            kwargs: `expand_info`.

        Raises:
            FileNotFoundError: there is none.
        """
        found = self.files.entries(path, revision=revision, refresh=refresh, expand=self._expand(kwargs))
        return found if detail else [info["name"] for info in found]

    def info(self, path: str, refresh: bool = False, revision: str | None = None, **kwargs: Any) -> Info:
        """Facts of a file or folder. Arguments and errors as `ls`."""
        return self.files.info(path, revision=revision, refresh=refresh, expand=self._expand(kwargs))

    def find(
        self,
        path: str,
        maxdepth: int | None = None,
        withdirs: bool = False,
        detail: bool = False,
        refresh: bool = False,
        revision: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """All files below a path, by name, from one listing.

        Args:
            path: a folder, or a file, which is its own only match.
            maxdepth: levels to go down.
            withdirs: folders too, the path itself among them.
            detail: a dict of facts in place of names.
            refresh: ask for the commit again.
            revision: the revision, where the address does not say it.
            kwargs: `expand_info`.

        Raises:
            ValueError: `maxdepth` is less than 1.
            FileNotFoundError: no such repository or revision; a missing path has no files.
        """
        if maxdepth is not None and maxdepth < 1:
            msg = "maxdepth must be at least 1"
            raise ValueError(msg)
        expand = self._expand(kwargs)
        at = self.files.resolve(path, revision)
        self.files.commit(at, refresh=refresh)
        base = at.unresolve()
        try:
            if maxdepth == 1:
                found = self.files.listing(at).folder(at.path, expand=expand)
            else:
                found = self.files.listing(at).below(at.path, expand=expand, workers=self.max_workers)
        except EntryNotFoundError:
            found = []
            infos = [self.info(path, revision=revision)] if self._is("file", path, revision) else []
        else:
            infos = [self.files.named(at, entry) for entry in found]
            if withdirs:
                infos.insert(0, self.info(path, revision=revision, expand_info=expand))
        if not withdirs:
            infos = [info for info in infos if info["type"] != "directory"]
        if maxdepth is not None:
            infos = [info for info in infos if info["name"][len(base) :].count("/") <= maxdepth]
        by_name = {info["name"]: info for info in sorted(infos, key=lambda info: str(info["name"]))}
        return by_name if detail else list(by_name)

    def walk(self, path: str, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """(folder, folders, files) for a folder and all below, as fsspec has it."""
        yield from super().walk(self.resolve_path(path, kwargs.get("revision")).unresolve(), *args, **kwargs)

    def glob(self, path: str, maxdepth: int | None = None, **kwargs: Any) -> Any:
        """Paths that match a pattern, as fsspec has it: `*`, `?`, `[…]` and `**`."""
        return super().glob(self.resolve_path(path, kwargs.get("revision")).unresolve(), maxdepth=maxdepth, **kwargs)

    def exists(self, path: str, **kwargs: Any) -> bool:
        """Whether there is such a file or folder.

        Raises:
            HubConnectionError: nobody answered, so nobody knows (the official class says False).
        """
        return self._is(None, path, **kwargs)

    def isfile(self, path: str) -> bool:
        """Whether it is a file. Raises as `exists`."""
        return self._is("file", path)

    def isdir(self, path: str) -> bool:
        """Whether it is a folder. Raises as `exists`."""
        return self._is("directory", path)

    def _is(self, kind: str | None, path: str, revision: str | None = None, refresh: bool = False, **_: Any) -> bool:
        try:
            found = self.info(path, revision=revision, refresh=refresh, expand_info=False)["type"]
        except LocalEntryNotFoundError:
            raise
        except FileNotFoundError:
            return False
        return kind is None or found == kind

    def modified(self, path: str, **kwargs: Any) -> dt.datetime:
        """Time of the last commit that changed a file or folder; where the hub does not say it, of the repository.

        Args:
            path: the file or folder.
            kwargs: `revision`, `refresh`.

        Raises:
            FileNotFoundError: there is none.
            NotImplementedError: the hub says neither.
        """
        last = self.info(path, **{**kwargs, "expand_info": True}).get("last_commit")
        date = (
            self.files.listing(self.files.resolve(path, kwargs.get("revision"))).changed()
            if last is None
            else last.date
        )
        if date is None:
            msg = f"the hub does not say when {path} was changed"
            raise NotImplementedError(msg)
        found: dt.datetime = date
        return found

    def url(self, path: str) -> str:
        """The web address: `resolve` for a file, `tree` for a folder."""
        return self.files.url(path)

    # ------------------------------------------------------------------------------------------------ bytes

    def _open(
        self, path: str, mode: str = "rb", block_size: int | None = None, revision: str | None = None, **_: Any
    ) -> RangeFile:
        check_mode(mode, path)
        least = self.block_size if block_size is None else block_size
        return self.files.open_binary(path, least, revision=revision, fs=self)

    def cat_file(
        self,
        path: str,
        start: int | None = None,
        end: int | None = None,
        revision: str | None = None,
        **_: Any,
    ) -> bytes:
        """Bytes `start` to `end` of a file, as Python slices count; a whole file is verified by its hash.

        Raises:
            FileNotFoundError: there is none. IntegrityError: the hash is wrong.
        """
        return self.files.cat_file(path, start, end, revision=revision)

    def cat_ranges(
        self,
        paths: Sequence[str],
        starts: Any,
        ends: Any,
        max_gap: int | None = None,  # noqa: ARG002  # part of fsspec's signature
        on_error: str = "return",
        **kwargs: Any,
    ) -> list[Any]:
        """One range per path; those of one file come together: close ones as one, the rest side by side.

        Args:
            paths: files; one may come many times.
            starts: first bytes, or one for all.
            ends: the bytes after the last, or one for all.
            max_gap: not used: ranges closer than 256 KiB are fetched as one.
            on_error: "return" puts the exception in the place of the bytes, anything else raises it.
            kwargs: `revision`.
        """
        revision = kwargs.get("revision")
        try:
            return list(self.files.cat_ranges(paths, starts, ends, revision=revision))
        except Exception:
            if on_error != "return":
                raise
        # One of them fails: each alone, to say which.
        count = len(paths)
        lows = list(starts) if isinstance(starts, Sequence) else [starts] * count
        highs = list(ends) if isinstance(ends, Sequence) else [ends] * count
        found: list[Any] = []
        for path, low, high in zip(paths, lows, highs, strict=True):
            try:
                found.append(self.files.cat_file(path, low, high, revision=revision))
            except Exception as error:  # noqa: BLE001  # handed to the caller as fsspec has it
                found.append(error)
        return found

    def cat(self, path: Any, recursive: bool = False, on_error: str = "raise", **kwargs: Any) -> Any:
        """Contents of files: bytes for one path, a dict for several or a pattern; several come side by side."""
        paths = self.expand_path(path, recursive=recursive)
        if not (len(paths) > 1 or isinstance(path, list) or paths[0] != self._strip_protocol(path)):
            return self.cat_file(paths[0], **kwargs)

        def one(name: str) -> Any:
            try:
                return self.cat_file(name, **kwargs)
            except Exception as error:
                if on_error == "raise":
                    raise
                return error

        names = [name for name in paths if not self.isdir(name)]
        with ThreadPoolExecutor(self.max_workers) as pool:
            found = dict(zip(names, pool.map(one, names), strict=True))
        if on_error == "omit":
            return {name: data for name, data in found.items() if not isinstance(data, Exception)}
        return found

    def get(self, rpath: Any, lpath: Any, recursive: bool = False, callback: Any = None, **kwargs: Any) -> Any:
        """Copies files to the local disk by way of the cache; several are brought side by side, each verified."""
        if isinstance(rpath, str | list):
            groups: dict[tuple[str, str, str], list[str]] = {}
            maxdepth = kwargs.get("maxdepth")
            for name in self.expand_path(rpath, recursive=recursive, maxdepth=maxdepth):
                if self.isfile(name):
                    at = self.files.resolve(name)
                    groups.setdefault((at.repo_type, at.repo_id, self.files.commit(at)), []).append(at.path)
            for (kind, repo_id, commit), paths in groups.items():
                self.files.client.download_files(kind, repo_id, paths, commit, max_workers=self.max_workers)
        more = {} if callback is None else {"callback": callback}
        return super().get(rpath, lpath, recursive=recursive, **more, **kwargs)

    def get_file(self, rpath: str, lpath: Any, callback: Any = None, outfile: Any = None, **kwargs: Any) -> None:
        """Copies one file to the local disk (or into `outfile`) by way of the cache.

        Args:
            rpath: the file; a folder makes an empty folder.
            lpath: a path, or an object with `write`.
            callback: fsspec's: told the size and, at the end, that it came.
            outfile: an object with `write`, in place of `lpath`.
            kwargs: `revision`.

        Raises:
            FileNotFoundError: there is none. IntegrityError: wrong bytes twice.
        """
        revision = kwargs.get("revision")
        info = self.info(rpath, revision=revision)  # refuses names with `..` before anything is written
        sink = outfile if outfile is not None else lpath
        if info["type"] == "directory":
            if not hasattr(sink, "write"):
                Path(sink).mkdir(parents=True, exist_ok=True)
            return
        if callback is not None:
            callback.set_size(info["size"])
        local = self.files.local_path(rpath, revision=revision)
        if hasattr(sink, "write"):
            with Path(local).open("rb") as source:
                while block := source.read(1 << 20):
                    sink.write(block)
        else:
            copy_out(local, Path(sink))
        if callback is not None:
            callback.absolute_update(info["size"])

    # ------------------------------------------------------------------------------------------------ writes

    def _read_only(self, *args: Any, **_: Any) -> NoReturn:
        msg = f"{', '.join(str(a) for a in args if isinstance(a, str))}: hf:// is only read here"
        raise ReadOnlyError(msg)

    cp_file = put_file = pipe_file = rm_file = rm = _rm = touch = mv = mkdir = makedirs = rmdir = _read_only

    @property
    def transaction(self) -> NoReturn:
        """There are none."""
        self._read_only("a transaction")

    def start_transaction(self) -> NoReturn:
        """There are none."""
        self._read_only("a transaction")


_MAIN: weakref.WeakValueDictionary[tuple[object, ...], HfFileSystem] = weakref.WeakValueDictionary()


def _made(
    cls: type[HfFileSystem], args: tuple[Any, ...], options: dict[str, Any], pins: dict[tuple[str, str, str], str]
) -> HfFileSystem:
    made = cls(*args, **options)
    for key, commit in pins.items():
        made.files.pins.setdefault(key, commit)
    return made


__all__ = ["HfFileSystem", "ResolvedPath", "parse_hf_uri"]
