"""`Column`: one column of a dataset, or one field of such a column, read when it is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from crucible_datasets.dataset._rows import RowsMixin
    from crucible_datasets.features import Feature

_SHOWN = 5
_BLOCK = 1000


class Column(Sequence[Any]):
    """A column: index it, slice it, iterate it, or give it to numpy or pyarrow.

    `column["field"]` is the column of a struct's field, and so on.

    Args:
        source: the dataset, or the column whose field this is.
        column_name: the column, or the field.

    Raises:
        ValueError: no such column or field.
    """

    def __init__(self, source: RowsMixin | Column, column_name: str) -> None:
        self.source = source
        self.column_name = column_name
        known = source.features if isinstance(source, Column) else source._features
        if not isinstance(known, dict) or column_name not in known:
            msg = f"Column '{column_name}' doesn't exist."
            raise ValueError(msg)
        self.features: Feature = known[column_name]

    def __len__(self) -> int:
        return len(self.source)

    def __iter__(self) -> Iterator[Any]:
        if isinstance(self.source, Column):
            for value in self.source:
                yield _field(value, self.column_name)
            return
        for start in range(0, len(self), _BLOCK):
            yield from self.source._cells(self.column_name, start, min(start + _BLOCK, len(self)))

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return Column(self, key)
        if isinstance(self.source, Column):
            found = self.source[key]
            if isinstance(key, int) or (hasattr(key, "__index__") and not hasattr(key, "__len__")):
                return _field(found, self.column_name)
            return [_field(value, self.column_name) for value in found]
        rows = self.source._rows_of(key)
        if isinstance(rows, int):
            return self.source._cells(self.column_name, rows, rows + 1)[0]
        return self.source._column_values(self.column_name, rows)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        """The whole column for numpy: the table's own memory where that is possible."""
        if isinstance(self.source, Column):
            array = _array_of(list(self))
        else:
            array = self.source._column_array(self.column_name)
        if dtype is not None:
            array = array.astype(dtype, copy=False)
        return array.copy() if copy else array

    def __eq__(self, other: object) -> Any:
        if isinstance(other, Column):
            return list(self) == list(other)
        return other == list(self)  # as the official one: an array compares by element

    __hash__ = None  # type: ignore[assignment]  # as the official one

    def __repr__(self) -> str:
        shown = [repr(value) for value in self[: min(_SHOWN, len(self))]]
        more = ", ..." if len(self) > _SHOWN else ""
        return f"Column([{', '.join(shown)}{more}])"


def _field(value: Any, name: str) -> Any:
    """A field of a struct; None where the struct is null."""
    return None if value is None else value[name]


def _array_of(values: list[Any]) -> Any:
    try:
        return np.array(values)
    except ValueError:  # lists of other lengths
        array = np.empty(len(values), dtype=object)
        array[:] = values
        return array
