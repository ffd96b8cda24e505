"""Whole datasets in other forms: dicts, data frames, the Arrow table behind; and what this library does not have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

from _crucible._optional import require
from crucible_datasets.dataset._data import ArrowData
from crucible_datasets.dataset._missing import told
from crucible_datasets.dataset._sql import SqlMixin
from crucible_datasets.features import decoder

_ROWS = 1000


class PresentMixin(SqlMixin):
    """`to_dict`, `to_pandas`, `to_polars`, `data`."""

    def _pieces(self, batch_size: int | None) -> Iterator[Any]:
        """Neighbouring rows as datasets of at most `batch_size` rows."""
        size = batch_size or _ROWS
        for start in range(0, len(self), size):
            yield self._with(self._table.slice(start, min(start + size, len(self))))

    def to_dict(self, batch_size: int | None = None, batched: bool = False) -> Any:
        """All columns as Python lists: what is stored (images as bytes and path), but JSON as what it says.

        Args:
            batch_size: rows of a part, with `batched` (1000 when absent).
            batched: whether to give an iterator of dicts of some rows each.
        """
        if batched:
            return (part.to_dict() for part in self._pieces(batch_size))
        columns: dict[str, list[Any]] = self._table.batch(0, len(self))
        for name, feature in self._features.items():
            decode = decoder(feature, json_alone=True)
            if decode is not None:
                columns[name] = [decode(value) for value in columns[name]]
        return columns

    def to_pandas(self, batch_size: int | None = None, batched: bool = False) -> Any:
        """A `pandas.DataFrame`, by Arrow. Needs pandas and pyarrow.

        Args:
            batch_size: rows of a part, with `batched` (1000 when absent).
            batched: whether to give an iterator of frames of some rows each.
        """
        require("pandas", extra="pandas", why="to_pandas")
        if batched:
            return (part.to_pandas() for part in self._pieces(batch_size))
        return require("pyarrow", extra="arrow", why="to_pandas").table(self._table).to_pandas()

    def to_polars(
        self,
        batch_size: int | None = None,
        batched: bool = False,
        schema_overrides: dict[str, Any] | None = None,
        rechunk: bool = True,
    ) -> Any:
        """A `polars.DataFrame`, by Arrow. Needs polars.

        Args:
            batch_size: rows of a part, with `batched` (1000 when absent).
            batched: whether to give an iterator of frames of some rows each.
            schema_overrides: types of polars for some columns.
            rechunk: whether each column becomes one piece of memory.
        """
        polars = require("polars", extra="polars", why="to_polars")
        if batched:
            return (part.to_polars(None, False, schema_overrides, rechunk) for part in self._pieces(batch_size))
        frame = polars.DataFrame(self._table, schema_overrides=schema_overrides)
        return frame.rechunk() if rechunk else frame

    @property
    def data(self) -> ArrowData:
        """The rows as a pyarrow table: a view of the memory where the rows lie together. Needs pyarrow."""
        return ArrowData(self._table.with_features(self._features.to_text()))

    def __enter__(self) -> Self:
        """The dataset for the length of a `with` block."""
        return self

    def __exit__(self, *error: object) -> None:
        """Lets go of the table (and of the file that is mapped): the dataset cannot be used any more."""
        del self._table

    def __getattr__(self, name: str) -> Any:
        """What there is not: an AttributeError that says what to do instead."""
        raise AttributeError(told(type(self).__name__, name), name=name, obj=self)
