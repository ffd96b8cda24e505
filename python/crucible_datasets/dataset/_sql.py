"""Tables of SQL databases, by pandas."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from _crucible._native import Table
from _crucible._optional import require
from crucible_datasets.dataset._sources import SourcesMixin
from crucible_datasets.features import Features
from crucible_datasets.splits import Split

_CHUNK = 10_000
_ROWS = 1000
_READ = {"index_col", "coerce_float", "params", "parse_dates", "columns", "chunksize"}


class SqlMixin(SourcesMixin):
    """`from_sql` and `to_sql`."""

    @classmethod
    def from_sql(
        cls,
        sql: Any,
        con: Any,
        features: Features | None = None,
        cache_dir: str | None = None,
        keep_in_memory: bool = False,
        **kwargs: Any,
    ) -> Self:
        """From a query or a table of a database. Needs pandas and pyarrow, and SQLAlchemy for addresses.

        Args:
            sql: the query or the table's name, or a selectable of SQLAlchemy.
            con: an address (`sqlite:///file.db`), a connection or engine of SQLAlchemy, or a `sqlite3.Connection`.
            features: types to cast to; those of the first 10,000 rows when absent.
            cache_dir: accepted for compatibility: the query is asked each time.
            keep_in_memory: accepted for compatibility.
            **kwargs: `index_col`, `coerce_float`, `params`, `parse_dates`, `columns` and `chunksize` of
                `pandas.read_sql`.

        Raises:
            ValueError: no query or connection.
            TypeError: an unknown option.
            SchemaError: values that do not fit the types of the first rows.
        """
        del cache_dir, keep_in_memory
        for name, value in (("sql", sql), ("con", con)):
            if value is None:
                msg = f"{name} must be specified"
                raise ValueError(msg)
        unknown = sorted(set(kwargs) - _READ)
        if unknown:
            msg = f"from_sql() got unexpected options {unknown}; there are {sorted(_READ)}"
            raise TypeError(msg)
        pandas = require("pandas", extra="pandas", why="from_sql")
        arrow = require("pyarrow", extra="arrow", why="from_sql")
        chunksize = kwargs.pop("chunksize", _CHUNK)
        found = pandas.read_sql(sql, con, chunksize=chunksize, **kwargs)
        frames: Iterable[Any] = [found] if chunksize is None else found
        tables: list[Table] = []
        for frame in frames:
            table = Table.from_arrow(arrow.Table.from_pandas(frame))
            if features is None:
                features = Features.from_text(table.features)
            tables.append(table.select_columns(list(features)).with_features(features.to_text()))
        if not tables:
            return cls.from_dict({}, split=Split.TRAIN)  # type: ignore[attr-defined,no-any-return]  # of the class above
        return cls._of_table(Table.concat(tables), features, None, Split.TRAIN)

    def to_sql(
        self,
        name: str,
        con: Any,
        batch_size: int | None = None,
        num_proc: int | None = None,
        **sql_writer_kwargs: Any,
    ) -> int:
        """Writes the rows to a table of a database. Needs pandas and pyarrow, and SQLAlchemy for addresses.

        Args:
            name: the table.
            con: an address (`sqlite:///file.db`), a connection or engine of SQLAlchemy, or a `sqlite3.Connection`.
            batch_size: rows written at a time (1000 when absent).
            num_proc: accepted for compatibility: one process writes.
            **sql_writer_kwargs: options of `pandas.DataFrame.to_sql`; `index` is False, and `if_exists` is for the
                first batch.

        Returns:
            The number of rows.

        Raises:
            ValueError: the table exists and `if_exists` is "fail" (as when absent), `num_proc` below 1.
        """
        if num_proc is not None and num_proc < 1:
            msg = f"num_proc {num_proc} must be an integer > 0."
            raise ValueError(msg)
        require("pandas", extra="pandas", why="to_sql")
        arrow = require("pyarrow", extra="arrow", why="to_sql")
        options = {"index": False, **sql_writer_kwargs}
        for given in ("sql", "con"):
            options.pop(given, None)
        size = batch_size or _ROWS
        for start in range(0, len(self), size):
            part = self._table.slice(start, min(start + size, len(self)))
            frame = arrow.table(part).to_pandas(integer_object_nulls=True)
            frame.to_sql(name, con, **options)
            options["if_exists"] = "append"
        return len(self)
