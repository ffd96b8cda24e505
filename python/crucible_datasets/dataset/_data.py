"""`Dataset.data`: the Arrow table, with what people use of the official `datasets.table.Table`."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from _crucible._native import Table
from _crucible._optional import require


class ArrowData:
    """The rows of a dataset as an Arrow table. Whatever a `pyarrow.Table` has, this has.

    Args:
        native: the rows, in their order.
    """

    def __init__(self, native: Table) -> None:
        self._native = native

    @cached_property
    def table(self) -> Any:
        """The `pyarrow.Table`: it shares the dataset's memory where the rows lie together."""
        return (
            require("pyarrow", extra="arrow", why="Dataset.data").RecordBatchReader.from_stream(self._native).read_all()
        )

    @property
    def num_rows(self) -> int:
        """Number of rows."""
        return self._native.num_rows

    @property
    def num_columns(self) -> int:
        """Number of columns."""
        return len(self._native.column_names)

    @property
    def column_names(self) -> list[str]:
        """Names of the columns."""
        return self._native.column_names

    def __len__(self) -> int:
        return self._native.num_rows

    def __getitem__(self, key: Any) -> Any:
        """A column by name or number, or rows by slice."""
        return self.table[key]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, ArrowData):
            other = other.table
        return bool(self.table == other)

    __hash__ = None  # type: ignore[assignment]  # as the official one

    def equals(self, other: Any, check_metadata: bool = False) -> bool:
        """Whether two tables hold the same.

        Args:
            other: a table, or what `Dataset.data` gives.
            check_metadata: whether the metadata of the schemas counts.
        """
        other = other.table if isinstance(other, ArrowData) else other
        return bool(self.table.equals(other, check_metadata=check_metadata))

    def __getattr__(self, name: str) -> Any:
        """The rest is the `pyarrow.Table`'s."""
        if name.startswith("_") or name == "table":
            raise AttributeError(name)
        return getattr(self.table, name)

    def __repr__(self) -> str:
        return repr(self.table)

    def __reduce__(self) -> tuple[Any, ...]:
        return (ArrowData, (self._native,))

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The rows as an Arrow stream."""
        return self._native.__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        """The columns as an Arrow schema."""
        return self._native.__arrow_c_schema__()
