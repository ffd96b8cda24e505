"""Row and column access, iteration, formats."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from _crucible._optional import require
from crucible_datasets.dataset._base import Base
from crucible_datasets.dataset._column import Column
from crucible_datasets.features import decoder
from crucible_datasets.formatting import make_format, to_numpy_batch, to_numpy_column, to_numpy_value

if TYPE_CHECKING:
    from _crucible._native import Table

_BLOCK = 32
"""Rows made ahead in plain iteration: few enough that their memory is reused while it is in the cache."""
_DECODED_BLOCK = 16
"""Rows decoded ahead in iteration: images are large."""


class RowsMixin(Base):
    """`ds[…]`, iteration and formats."""

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
        numbers = np.asarray(listed, dtype=np.int64) if len(listed) else np.empty(0, dtype=np.int64)
        rows = len(self)
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
            if key not in self._features:
                if self._format.type == "arrow":
                    msg = f"Column {key} not in the dataset. Current columns in the dataset: {self.column_names}"
                    raise KeyError(msg)
                msg = f"Column '{key}' doesn't exist."
                raise ValueError(msg)
            return self._arrow(self._table.select_columns([key])) if self._format.type == "arrow" else Column(self, key)
        rows = self._rows_of(key)
        return self._format_row(rows) if isinstance(rows, int) else self._format_batch(self._view(rows))

    def __getitems__(self, keys: list[int]) -> list[dict[str, Any]]:
        """Rows as a list of dicts, read as one batch (torch's fetcher calls this)."""
        table = self._view(self._numbers(keys))
        return list(self._iterate(table))

    def _plain(self) -> bool:
        return self._format.type is None and self._format.columns is None

    def _shown(self) -> list[str]:
        columns = self._format.columns
        return self.column_names if columns is None else list(columns)

    def _projected(self, table: Table) -> Table:
        return table if self._format.columns is None else table.select_columns(list(self._format.columns))

    def _decoded_row(self, row: dict[str, Any]) -> dict[str, Any]:
        for name, decode in self._decoding().items():
            if name in row:
                row[name] = decode(row[name])
        return row

    def _formatted_row(self, row: dict[str, Any]) -> dict[str, Any]:
        row = self._decoded_row(row)
        if self._format.type == "numpy":
            kwargs = self._format.kwargs
            return {name: to_numpy_value(value, self._features[name], kwargs) for name, value in row.items()}
        return row

    def _format_row(self, index: int) -> Any:
        table = self._projected(self._table.slice(index, index + 1))
        return self._arrow(table) if self._format.type == "arrow" else self._formatted_row(table.row(0))

    def _arrow(self, table: Table) -> Any:
        from_stream = _pyarrow().table
        return from_stream(table)

    def _format_batch(self, table: Table) -> Any:
        table = self._projected(table)
        if self._format.type == "arrow":
            return self._arrow(table)
        if self._format.type == "numpy":
            features = {name: self._features[name] for name in self._shown()}
            return to_numpy_batch(table, features, 0, table.num_rows, self._format.kwargs)
        batch = table.batch(0, table.num_rows)
        for name, decode in self._decoding().items():
            if name in batch:
                batch[name] = [decode(value) for value in batch[name]]
        return batch

    def _column_values(self, name: str, rows: range | np.ndarray[Any, Any]) -> Any:
        """Values of a column in the current format."""
        table = self._view(rows)
        if self._format.type == "numpy":
            array = to_numpy_column(table, name, self._features[name], 0, table.num_rows, self._format.kwargs)
            return array if array.flags.writeable else array.copy()
        values = table.column(name, 0, table.num_rows)
        decode = self._decoding().get(name)
        return values if decode is None else [decode(value) for value in values]

    def _python_column(self, table: Table, name: str) -> list[Any]:
        """All values of a column of a view of this dataset, as the python format shows them."""
        values = table.column(name, 0, table.num_rows)
        decode = decoder(self._features[name])
        return values if decode is None else [decode(value) for value in values]

    def _all_columns(self) -> Self:
        """This dataset in its format, without a restriction of columns."""
        return self if self._format.columns is None else self.with_format(self._format.type, **self._format.kwargs)

    def _reformat(self, before: list[str]) -> None:
        """Fits restricted columns of the format to the columns that are there: new ones are shown."""
        if self._format.columns is not None:
            hidden = set(before) - set(self._format.columns)
            shown = tuple(name for name in self.column_names if name not in hidden)
            self._format = replace(self._format, columns=shown)

    def _column_array(self, name: str) -> Any:
        """The whole column for numpy: the table's own memory where that is possible."""
        kwargs = self._format.kwargs if self._format.type == "numpy" else {"dtype": None}
        return to_numpy_column(self._table, name, self._features[name], 0, len(self), kwargs)

    # -------------------------------------------------------------------------------------------------- iteration

    def __iter__(self) -> Iterator[Any]:
        """Rows in order, made in blocks."""
        return self._iterate(self._projected(self._table))

    def _iterate(self, table: Table) -> Iterator[Any]:
        total = table.num_rows
        if self._format.type == "arrow":
            for index in range(total):
                yield self._arrow(table.slice(index, index + 1))
            return
        plain = self._format.type is None and not self._decoding()
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
        for start in range(0, len(self), batch_size):
            stop = min(start + batch_size, len(self))
            if stop - start < batch_size and drop_last_batch:
                return
            yield self._format_batch(self._table.slice(start, stop))

    # ---------------------------------------------------------------------------------------------------- formats

    def set_format(self, type: str | None = None, columns: list[str] | None = None, **format_kwargs: Any) -> None:
        """Sets the format in place.

        Args:
            type: None (Python objects), "numpy" or "arrow".
            columns: the columns shown; all when absent.
            **format_kwargs: `dtype` for numpy.

        Raises:
            ValueError: an unknown format or column.
        """
        self._format = make_format(type, columns, self.column_names, format_kwargs)
        self._decoders = None

    def with_format(self, type: str | None = None, columns: list[str] | None = None, **format_kwargs: Any) -> Self:
        """A copy in another format; arguments as `set_format`."""
        made = self._with(self._table)
        made.set_format(type, columns, **format_kwargs)
        return made

    def reset_format(self) -> None:
        """Sets the format back to Python objects, all columns."""
        self.set_format()

    @property
    def format(self) -> dict[str, Any]:
        """The format: type, columns and options."""
        return {
            "type": self._format.type,
            "format_kwargs": dict(self._format.kwargs),
            "columns": self._shown(),
            "output_all_columns": False,
        }

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The rows as an Arrow stream; contiguous rows share memory."""
        return self._table.__arrow_c_stream__(requested_schema)


def _pyarrow() -> Any:
    return require("pyarrow", extra="arrow", why="the arrow format")
