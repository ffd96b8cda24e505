"""Data files to native tables."""

from __future__ import annotations

from crucible_datasets.io._files import LocalFile, file_source, read_table
from crucible_datasets.io._remote import RemoteFiles

__all__ = ["LocalFile", "RemoteFiles", "file_source", "read_table"]
