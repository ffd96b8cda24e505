"""`Column`: one column of a dataset, read when it is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crucible_datasets.dataset._rows import RowsMixin

_SHOWN = 5


class Column(Sequence[Any]):
    """A column: index it, slice it, iterate it, or give it to numpy or pyarrow.

    Args:
        source: the dataset.
        column_name: the column.
    """

    def __init__(self, source: RowsMixin, column_name: str) -> None:
        self.source = source
        self.column_name = column_name

    def __len__(self) -> int:
        return len(self.source)

    def __iter__(self) -> Iterator[Any]:
        block = 1000
        for start in range(0, len(self), block):
            yield from self.source._column_values(self.column_name, range(start, min(start + block, len(self))))

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            msg = f"Column {key!r} doesn't exist."
            raise ValueError(msg)
        rows = self.source._rows_of(key)
        values = self.source._column_values(
            self.column_name, rows if not isinstance(rows, int) else range(rows, rows + 1)
        )
        return values[0] if isinstance(rows, int) else values

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        array = self.source._column_array(self.column_name)
        if dtype is not None:
            array = array.astype(dtype, copy=False)
        return array.copy() if copy else array

    def __eq__(self, other: object) -> Any:
        if isinstance(other, Column):
            return list(self) == list(other)
        if isinstance(other, list):
            return list(self) == other
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as the official one

    def __repr__(self) -> str:
        shown = [repr(value) for value in self[: min(_SHOWN, len(self))]]
        more = ", ..." if len(self) > _SHOWN else ""
        return f"Column([{', '.join(shown)}{more}])"
