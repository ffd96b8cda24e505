"""Data files to native tables."""

from __future__ import annotations

from crucible_datasets.io._archives import is_archive, members, unpacked
from crucible_datasets.io._files import LocalFile, StorePlace, file_source, read_table, store_name
from crucible_datasets.io._keeper import kept
from crucible_datasets.io._recode import recoded
from crucible_datasets.io._remote import RemoteFiles
from crucible_datasets.io._samples import KEY, URL, SampleColumns, decoded
from crucible_datasets.io._web import WebFile
from crucible_datasets.store import clean_store

__all__ = [
    "KEY",
    "URL",
    "LocalFile",
    "RemoteFiles",
    "SampleColumns",
    "StorePlace",
    "WebFile",
    "clean_store",
    "decoded",
    "file_source",
    "is_archive",
    "kept",
    "members",
    "read_table",
    "recoded",
    "store_name",
    "unpacked",
]
