"""Data files to native tables."""

from __future__ import annotations

from crucible_datasets.io._archives import is_archive, members, unpacked
from crucible_datasets.io._files import LocalFile, StorePlace, file_source, read_table
from crucible_datasets.io._remote import RemoteFiles
from crucible_datasets.io._web import WebFile
from crucible_datasets.store import clean_store

__all__ = [
    "LocalFile",
    "RemoteFiles",
    "StorePlace",
    "WebFile",
    "clean_store",
    "file_source",
    "is_archive",
    "members",
    "read_table",
    "unpacked",
]
