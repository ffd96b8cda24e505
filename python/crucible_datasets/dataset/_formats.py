"""Formats of a dataset: what rows, batches and columns look like."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from crucible_datasets.dataset._base import Base
from crucible_datasets.features import decoder
from crucible_datasets.formatting import TABLES, Slices, make_format, to_table_format
from crucible_datasets.formatting._arrays import NumpyArrays

if TYPE_CHECKING:
    from _crucible._native import Table


class FormatMixin(Base):
    """`set_format` and what follows from it."""

    def _plain(self) -> bool:
        return self._format.type is None and self._format.columns is None

    def _shown(self) -> list[str]:
        columns = self._format.columns
        return self.column_names if columns is None else [name for name in self.column_names if name in columns]

    def _hidden(self) -> list[str]:
        """Columns that are shown unformatted, after the others."""
        if not self._format.output_all or self._format.columns is None:
            return []
        return [name for name in self.column_names if name not in self._format.columns]

    def _projected(self, table: Table) -> Table:
        if self._format.columns is None:
            return table
        return table.select_columns([*self._shown(), *self._hidden()])

    # ------------------------------------------------------------------------------------------------------- rows

    def _decoded_row(self, row: dict[str, Any]) -> dict[str, Any]:
        for name, decode in self._decoding().items():
            if name in row:
                row[name] = decode(row[name])
        return row

    def _formatted_row(self, row: dict[str, Any]) -> dict[str, Any]:
        arrays = self._format.arrays
        if arrays is None:
            return self._decoded_row(row)
        for name in self._hidden():
            row[name] = self._python_value(name, row[name])
        shown = self._shown()
        for name, decode in self._decoding().items():
            if name in row and name in shown:
                row[name] = decode(row[name])
        return {name: arrays.cell(row[name], self._features[name]) if name in shown else row[name] for name in row}

    def _python_value(self, name: str, value: Any) -> Any:
        """A stored value as the python format shows it."""
        decode = decoder(self._features[name])
        return value if decode is None else decode(value)

    def _format_row(self, index: int) -> Any:
        if self._format.type in TABLES and not self._hidden():
            return self._table_row(index)
        table = self._table.slice(index, index + 1)
        if self._format.type in TABLES:
            return self._format_batch(table)
        if self._format.type != "custom":
            return self._formatted_row(self._projected(table).row(0))
        batch = self._format_batch(table)
        if not isinstance(batch, dict):
            msg = (
                f"Custom formatting function must return a dict of sequences to be able to pick a row, but got {batch}"
            )
            raise TypeError(msg)
        try:
            return {name: values[0] for name, values in batch.items()}
        except (TypeError, KeyError, IndexError) as error:
            msg = (
                f"Custom formatting function must return a dict of sequences to be able to pick a row, but got {batch}"
            )
            raise TypeError(msg) from error

    # ---------------------------------------------------------------------------------------------------- batches

    def _python_batch(self, table: Table) -> dict[str, Any]:
        return {name: self._python_column(table, name) for name in table.column_names}

    def _format_batch(self, table: Table) -> Any:
        kind = self._format.type
        if kind in TABLES:
            if self._hidden():
                msg = f"the {kind} format cannot show other columns unformatted (output_all_columns)"
                raise TypeError(msg)
            return self._as_table(self._projected(table))
        hidden = self._hidden()
        others = self._python_batch(table.select_columns(hidden)) if hidden else {}
        shown = table if self._format.columns is None else table.select_columns(self._shown())
        if kind is None:
            return {**self._python_batch(shown), **others}
        if kind == "custom":
            transform = self._format.transform
            batch = self._python_batch(shown)
            made = batch if transform is None else transform(batch)
            return {**made, **others} if others else made
        return {**{name: self._array_column(shown, name) for name in self._shown()}, **others}

    def _array_column(self, table: Table, name: str) -> Any:
        """All rows of a column as a fresh array, in an array format."""
        arrays: Any = self._format.arrays
        return arrays.fresh(table, name, self._features[name])

    def _table_row(self, index: int) -> Any:
        """A row in a table format, as a slice of its record batch, whatever the order of the rows."""
        return self._kept_slices().row(index if self._table.is_range else self._table.row_number(index))

    def _kept_slices(self) -> Slices:
        """Slices of the table in the present format; of all its rows, where they are not in order here."""
        slices = self._sliced
        if slices is None or slices.shows != self._format:
            slices = self._sliced = self._slices(self._table if self._table.is_range else self._table.whole())
        return slices

    def _slices(self, table: Table, *, onward: bool = False) -> Slices:
        return Slices(self._projected(table), self._format, self._decoding(), onward=onward)

    def _rows_as_table(self, rows: range) -> Any:
        """Neighbours in a table format."""
        if self._table.is_range and not self._hidden():
            return self._kept_slices().rows(rows.start, rows.stop)
        return self._format_batch(self._table.slice(rows.start, rows.stop))

    def _as_table(self, table: Table) -> Any:
        return to_table_format(table, self._format.type, self._decoding())

    # ---------------------------------------------------------------------------------------------------- columns

    def _whole_column(self, name: str) -> Any:
        """A column in a table format."""
        if name not in self._shown():
            return self._python_column(self._table, name)
        table = self._as_table(self._table.select_columns([name]))
        return table.column(name) if self._format.type == "arrow" else table[name]

    def _values(self, table: Table, name: str) -> Any:
        """Values of a column of a view of this dataset, in the current format."""
        if name not in self._shown() and not self._format.output_all:
            raise KeyError(name)
        if self._format.type == "custom":
            return self._format_batch(table)[name]
        if self._format.arrays is not None and name not in self._hidden():
            return self._array_column(table, name)
        return self._python_column(table, name)

    def _cells(self, name: str, start: int, stop: int) -> list[Any]:
        """Values of rows `start..stop` of a column, each as its row shows it."""
        table = self._table.slice(start, stop)
        arrays = self._format.arrays
        if arrays is None or name in self._hidden() or name not in self._shown():
            values = self._values(table, name)
            return values if isinstance(values, list) else list(values)
        stored = table.column(name, 0, table.num_rows)
        decode, feature = self._decoding().get(name), self._features[name]
        return [arrays.cell(value if decode is None else decode(value), feature) for value in stored]

    def _python_column(self, table: Table, name: str) -> list[Any]:
        """All values of a column of a view of this dataset, as the python format shows them."""
        values = table.column(name, 0, table.num_rows)
        decode = decoder(self._features[name])
        return values if decode is None else [decode(value) for value in values]

    def _column_array(self, name: str) -> Any:
        """The whole column for numpy: the table's own memory where that is possible."""
        kwargs = self._format.kwargs if self._format.type == "numpy" else {"dtype": None}
        return NumpyArrays(kwargs).column(self._table, name, self._features[name])

    # ---------------------------------------------------------------------------------------------------- setting

    def _all_columns(self) -> Self:
        """This dataset in its format, without a restriction of columns."""
        if self._format.columns is None:
            return self
        made = self._with(self._table)
        made._format = replace(self._format, columns=None)
        return made

    def set_format(
        self,
        type: str | None = None,
        columns: str | list[str] | None = None,
        output_all_columns: bool = False,
        **format_kwargs: Any,
    ) -> None:
        """Sets the format in place.

        Args:
            type: None (Python objects), "numpy", "torch", "tensorflow", "jax", "pandas", "polars" or "arrow".
            columns: the columns shown; all when absent.
            output_all_columns: whether the other columns are shown too, as Python objects.
            **format_kwargs: `dtype` for arrays, `device` for torch and jax.

        Raises:
            ValueError: an unknown format or column, or a package that is not installed.
        """
        self._format = make_format(type, columns, self.column_names, format_kwargs, output_all=output_all_columns)
        self._decoders = None

    def with_format(
        self,
        type: str | None = None,
        columns: str | list[str] | None = None,
        output_all_columns: bool = False,
        **format_kwargs: Any,
    ) -> Self:
        """A copy in another format; arguments as `set_format`."""
        made = self._with(self._table)
        made.set_format(type, columns, output_all_columns, **format_kwargs)
        return made

    def set_transform(
        self,
        transform: Callable[[dict[str, Any]], Any] | None,
        columns: str | list[str] | None = None,
        output_all_columns: bool = False,
    ) -> None:
        """Sets a function that makes what is shown, in place.

        Args:
            transform: called at each access with a dict of lists; returns a dict of sequences.
            columns: the columns that it gets; all when absent.
            output_all_columns: whether the other columns are shown too, as Python objects.

        Raises:
            ValueError: an unknown column.
        """
        self.set_format("custom", columns, output_all_columns, transform=transform)

    def with_transform(
        self,
        transform: Callable[[dict[str, Any]], Any] | None,
        columns: str | list[str] | None = None,
        output_all_columns: bool = False,
    ) -> Self:
        """A copy with a function that makes what is shown; arguments as `set_transform`."""
        made = self._with(self._table)
        made.set_transform(transform, columns, output_all_columns)
        return made

    def reset_format(self) -> None:
        """Sets the format back to Python objects, all columns."""
        self.set_format()

    @contextmanager
    def formatted_as(
        self,
        type: str | None = None,
        columns: str | list[str] | None = None,
        output_all_columns: bool = False,
        **format_kwargs: Any,
    ) -> Iterator[None]:
        """A format for the length of a `with` block; arguments as `set_format`."""
        before = self._format
        try:
            self.set_format(type, columns, output_all_columns, **format_kwargs)
            yield
        finally:
            self._format = before
            self._decoders = None

    @property
    def format(self) -> dict[str, Any]:
        """The format: type, columns and options."""
        return {
            "type": self._format.type,
            "format_kwargs": dict(self._format.kwargs),
            "columns": self.column_names if self._format.columns is None else list(self._format.columns),
            "output_all_columns": self._format.output_all,
        }
