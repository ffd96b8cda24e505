"""Formats: how rows, batches and columns are shown."""

from __future__ import annotations

from crucible_datasets.formatting._arrays import Arrays
from crucible_datasets.formatting._batches import format_batch
from crucible_datasets.formatting._format import TABLES, Format, make_format
from crucible_datasets.formatting._kinds import ARRAYS, arrays_of
from crucible_datasets.formatting._slices import Slices
from crucible_datasets.formatting._tables import from_table_format, to_table_format

__all__ = [
    "ARRAYS",
    "TABLES",
    "Arrays",
    "Format",
    "Slices",
    "arrays_of",
    "format_batch",
    "from_table_format",
    "make_format",
    "to_table_format",
]
