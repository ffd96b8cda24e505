"""Formats: how rows, batches and columns are shown."""

from __future__ import annotations

from crucible_datasets.formatting._batches import format_batch
from crucible_datasets.formatting._format import TABLES, Format, make_format
from crucible_datasets.formatting._numpy import to_numpy_batch, to_numpy_column, to_numpy_value
from crucible_datasets.formatting._tables import from_table_format, to_table_format
from crucible_datasets.formatting._torch import channels_first, to_torch

__all__ = [
    "TABLES",
    "Format",
    "channels_first",
    "format_batch",
    "from_table_format",
    "make_format",
    "to_numpy_batch",
    "to_numpy_column",
    "to_numpy_value",
    "to_table_format",
    "to_torch",
]
