"""Row and column access, iteration, formats."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from crucible_datasets.dataset._column import Column
from crucible_datasets.dataset._formats import FormatMixin
from crucible_datasets.dataset._numbers import as_numbers
from crucible_datasets.formatting import TABLES

if TYPE_CHECKING:
    from _crucible._native import Table

_BLOCK = 32
"""Rows made ahead in plain iteration: few enough that their memory is reused while it is in the cache."""
_DECODED_BLOCK = 16
"""Rows decoded ahead in iteration: images are large."""


class RowsMixin(FormatMixin):
    """`ds[…]` and iteration."""

    # ------------------------------------------------------------------------------------------------------- keys

    def _row(self, index: Any) -> int:
        """A row number from an int-like key; negative ones count from the end."""
        if isinstance(index, bool | np.bool_):
            msg = "dataset index must be int, str, slice or collection of int, not bool"
            raise TypeError(msg)
        number = operator.index(index)
        rows = len(self)
        if not -rows <= number < rows:
            msg = f"Invalid key: {number} is out of bounds for size {rows}"
            raise IndexError(msg)
        return number + rows if number < 0 else number

    def _rows_of(self, key: Any) -> int | range | np.ndarray[Any, Any]:
        """A row number, a range of rows, or an array of row numbers."""
        if isinstance(key, slice):
            return range(len(self))[key]
        if hasattr(key, "__index__") and not hasattr(key, "__len__"):
            return self._row(key)
        if isinstance(key, range) and key.step == 1 and len(key) and key[0] >= 0:
            self._row(key[-1])
            return key
        if not hasattr(key, "__iter__") or not hasattr(key, "__len__"):
            msg = f"Wrong key type: '{key}' of type '{type(key)}'. Expected one of int, slice, range, str or Iterable."
            raise TypeError(msg)
        return self._numbers(key)

    def _numbers(self, key: Any) -> np.ndarray[Any, Any]:
        """Row numbers of a collection, checked; negative ones count from the end."""
        listed = key if isinstance(key, np.ndarray) else list(key)
        rows = len(self)
        numbers = as_numbers(listed, f"Invalid key: {{}} is out of bounds for size {rows}", lenient=True)
        if len(numbers):
            low, high = int(numbers.min()), int(numbers.max())
            for bad in (high if high >= rows else None, low if low < -rows else None):
                if bad is not None:
                    msg = f"Invalid key: {bad} is out of bounds for size {rows}"
                    raise IndexError(msg)
            if low < 0:
                numbers = np.where(numbers < 0, numbers + rows, numbers)
        return numbers

    def _view(self, rows: range | np.ndarray[Any, Any]) -> Table:
        """The table of some rows."""
        if isinstance(rows, range):
            if rows.step == 1:
                return (
                    self._table.slice(rows.start, max(rows.start, rows.stop)) if len(rows) else self._table.slice(0, 0)
                )
            rows = np.arange(rows.start, rows.stop, rows.step, dtype=np.int64)
        return self._table.select(rows)

    # ----------------------------------------------------------------------------------------------------- access

    def __getitem__(self, key: Any) -> Any:
        """A row (int), a batch (slice or collection of ints), or a column (str)."""
        if type(key) is int and 0 <= key < self._table.num_rows and self._plain():
            row = self._table.row(key)
            return self._decoded_row(row) if self._decoding() else row
        if isinstance(key, str):
            tables = self._format.type in TABLES
            if key not in self._features and tables:
                msg = f"Column {key} not in the dataset. Current columns in the dataset: {self.column_names}"
                raise KeyError(msg)
            return self._whole_column(key) if tables else Column(self, key)
        rows = self._rows_of(key)
        if isinstance(rows, int):
            return self._format_row(rows)
        if self._format.type in TABLES and isinstance(rows, range) and rows.step == 1 and rows:
            return self._rows_as_table(rows)
        return self._format_batch(self._view(rows))

    def __getitems__(self, keys: list[int]) -> list[dict[str, Any]]:
        """Rows as a list of dicts, read as one batch (torch's fetcher calls this)."""
        table = self._view(self._numbers(keys))
        if self._format.type in ("custom", "pandas") or self._format.arrays is not None:
            batch = self._format_batch(table)
            return [{name: values[i] for name, values in batch.items()} for i in range(table.num_rows)]
        return list(self._iterate(table))

    def _column_values(self, name: str, rows: range | np.ndarray[Any, Any]) -> Any:
        """Values of a column in the current format."""
        return self._values(self._view(rows), name)

    # -------------------------------------------------------------------------------------------------- iteration

    def __iter__(self) -> Iterator[Any]:
        """Rows in order, made in blocks."""
        return self._iterate(self._table)

    def _iterate(self, table: Table) -> Iterator[Any]:
        total = table.num_rows
        kind = self._format.type
        if kind in TABLES and not self._hidden():
            yield from map(self._slices(table, onward=True).row, range(total))
            return
        if kind in TABLES or kind == "custom":
            source = self._with(table)
            for index in range(total):
                yield source._format_row(index)
            return
        table = self._projected(table)
        plain = kind is None and not self._decoding()
        block = _BLOCK if plain else _DECODED_BLOCK
        for start in range(0, total, block):
            rows = table.rows(start, min(start + block, total))
            if plain:
                yield from rows
            else:
                yield from map(self._formatted_row, rows)

    def iter(self, batch_size: int, drop_last_batch: bool = False) -> Iterator[Any]:
        """Batches in the current format.

        Args:
            batch_size: rows a batch.
            drop_last_batch: whether a shorter last batch is left out.

        Raises:
            ValueError: `batch_size` below 1.
        """
        if batch_size < 1:
            msg = f"batch_size must be at least 1, got {batch_size}"
            raise ValueError(msg)
        return self._batches(batch_size, drop_last_batch)

    def _batches(self, batch_size: int, drop_last_batch: bool) -> Iterator[Any]:
        slices = self._slices(self._table, onward=True) if self._format.type in TABLES and not self._hidden() else None
        for start in range(0, len(self), batch_size):
            stop = min(start + batch_size, len(self))
            if stop - start < batch_size and drop_last_batch:
                return
            if slices is not None:
                yield slices.rows(start, stop)
            else:
                yield self._format_batch(self._table.slice(start, stop))

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The rows as an Arrow stream; contiguous rows share memory."""
        return self._table.__arrow_c_stream__(requested_schema)
