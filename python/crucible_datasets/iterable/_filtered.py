"""Rows of Parquet files that a filter wants."""

from __future__ import annotations

from typing import Any

from _crucible._native import ParquetFile, Source, Table
from _crucible._optional import require
from _crucible.errors import UnsupportedError
from crucible_datasets.features import Features
from crucible_datasets.iterable._units import READERS, Position, Reading


class FilteredUnits:
    """A Parquet file by its row groups that may have such rows. A position is the number of a row group.

    Options: `filter`, the native form of a simple filter, which passes by row groups and pages; `filters`, as pyarrow
    has them, for what has none.
    """

    def __init__(self, source: Source, reading: Reading) -> None:
        self._file = ParquetFile(source)
        self._columns = None if reading.columns is None else list(reading.columns)
        self._text = reading.features_text()
        self._filters: Any = reading.options["filters"]
        self._filter: str | None = reading.options.get("filter")
        count = len(self._file.row_groups)
        self._groups = list(range(count)) if self._filter is None else self._file.row_groups_of(self._filter)

    @property
    def features(self) -> Features:
        """Features of all columns of the file."""
        return Features.from_text(self._file.features)

    def unit(self, position: Position) -> tuple[Table, Position] | None:
        """The rows of the first row group from a position on that has any."""
        for group in self._groups:
            if group >= position:
                found = self._rows(group)
                if found is not None:
                    return found, group + 1
        return None

    def _rows(self, group: int) -> Table | None:
        if self._filter is not None:
            try:
                return self._file.read_filtered(group, self._filter, self._columns, self._text)
            except UnsupportedError:
                pass  # a column of another type: pyarrow knows how
        return self._by_pyarrow(group)

    def _by_pyarrow(self, group: int) -> Table | None:
        pyarrow = require("pyarrow", extra="arrow", why="this filter of Parquet files")
        dataset = require("pyarrow.parquet", extra="arrow", why="this filter of Parquet files")
        whole = pyarrow.table(self._file.read_row_group(group))
        kept = Table.from_arrow(whole.filter(dataset.filters_to_expression(self._filters)))
        if kept.num_rows == 0:
            return None
        if self._columns is not None:
            kept = kept.select_columns(self._columns)
        return kept if self._text is None else kept.with_features(self._text)


FILTERED = "parquet, filtered"
READERS[FILTERED] = FilteredUnits
