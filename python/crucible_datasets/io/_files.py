"""Local files to one table, mapped from the store when it is large."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _crucible._native import Source, Table
from _crucible._settings import settings
from _crucible.errors import DataError
from crucible_datasets.features import Features
from crucible_datasets.io._recode import recoded
from crucible_datasets.store import clean_store, mark_used

_STORE_VERSION = 3
"""Part of every store's key: counts up when decoding changes."""


@dataclass(frozen=True)
class LocalFile:
    """A file and what identifies its content.

    Attributes:
        path: where it is.
        content: a hash of the content where it is known (a blob's name), else path, size and time.
    """

    path: str
    content: str

    @classmethod
    def of(cls, path: str | Path) -> LocalFile:
        """A local file. Blobs of the hub's cache are named by their hash."""
        real = Path(path).resolve()
        if real.parent.name == "blobs":
            return cls(str(path), real.name)
        stat = real.stat()
        return cls(str(path), f"{real}:{stat.st_size}:{stat.st_mtime_ns}")


@dataclass(frozen=True)
class StorePlace:
    """Where decoded tables, downloads and unpacked archives are kept.

    Attributes:
        cache_dir: the folder; `HF_DATASETS_CACHE` when absent.
        rebuild: whether what is kept is decoded again.
        stream_cache: bytes that streams may keep of files of the hub, all together; None keeps nothing.
        stream_hashes: whether streams compare the hashes of files of the hub that they read from start to end.
    """

    cache_dir: str | None = None
    rebuild: bool = False
    stream_cache: int | None = None
    stream_hashes: bool = True

    @property
    def folder(self) -> Path:
        """The folder."""
        return settings().datasets_cache if self.cache_dir is None else Path(self.cache_dir).expanduser()


def store_name(files: Sequence[LocalFile], format: str, features: Features | None, options: Mapping[str, Any]) -> str:
    """The name of the decoded table of these files: by content, format, options and features."""
    types = None if features is None else features.to_dict()
    key = json.dumps([_STORE_VERSION, format, dict(sorted(options.items())), [f.content for f in files], types])
    digest = hashlib.sha256(key.encode()).hexdigest()[:40]
    return f"{digest}.arrow"


def read_table(
    files: Sequence[LocalFile],
    format: str,
    features: Features | None = None,
    *,
    keep_in_memory: bool | None = None,
    options: Mapping[str, Any] | None = None,
    store: StorePlace | None = None,
) -> Table:
    """Reads files of one format into one table.

    Args:
        files: in order.
        format: "parquet", "json", "csv", "text" or "arrow".
        features: types to cast to.
        options: of the format: `sample_by` ("line", "paragraph" or "document") and `keep_linebreaks` for text, `csv` and
            `json` (the JSON of the native options); for all three `encoding` and `encoding_errors`, where not UTF-8.
        keep_in_memory: True never writes a store, False always does, None goes by the memory budget.
        store: where the store is, in its folder `crucible`.

    Raises:
        DecodeError, SchemaError, LimitError, DataFileNotFoundError: with the file.
    """
    paths: list[str | Source] = [file.path for file in files]
    text, given = None if features is None else features.to_text(), dict(options or {})
    place = store or StorePlace()
    path = place.folder / "crucible" / store_name(files, format, features, given)
    if not keep_in_memory and place.rebuild:
        path.unlink(missing_ok=True)
    if "encoding" in given:
        encoding, errors = given.pop("encoding"), given.pop("encoding_errors")
        if not keep_in_memory and path.exists():
            with contextlib.suppress(DataError):  # an unreadable store is made anew
                table = Table.open_ipc(str(path))
                mark_used(path)
                return table
        paths = [recoded(file.path, encoding, errors) for file in files]
    if keep_in_memory:
        return Table.read(paths, format, features=text, **given)
    path.parent.mkdir(parents=True, exist_ok=True)
    budget = 0 if keep_in_memory is False else settings().memory_budget
    known = path.exists()
    table = Table.read(paths, format, features=text, store=str(path), memory_budget=budget, **given)
    if known:
        mark_used(path)
    elif table.path is not None and settings().store_limit is not None:
        clean_store(cache_dir=str(place.folder), keep={path})
    return table


def file_source(path: str) -> Source:
    """A local file for streaming."""
    return Source.local(path)
