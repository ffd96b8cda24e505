"""Formats: how rows, batches and columns are shown."""

from __future__ import annotations

from crucible_datasets.formatting._format import Format, make_format
from crucible_datasets.formatting._numpy import to_numpy_batch, to_numpy_column, to_numpy_value

__all__ = ["Format", "make_format", "to_numpy_batch", "to_numpy_column", "to_numpy_value"]
