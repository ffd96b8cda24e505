"""Tables of SQL databases, by pandas."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

from _crucible._native import Table
from _crucible._optional import require
from _crucible._settings import settings
from crucible_datasets.dataset._generated import Source
from crucible_datasets.dataset._kept import KeptFile
from crucible_datasets.dataset._sources import SourcesMixin
from crucible_datasets.dataset._spill import Grower
from crucible_datasets.features import Features
from crucible_datasets.splits import Split

_CHUNK = 10_000
_ROWS = 1000
_FILE = re.compile(r"sqlite(?:\+pysqlite)?:///([^?]+)")
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
            cache_dir: folder of the rows; `HF_DATASETS_CACHE` when absent. A query (a text) of a SQLite file that has not
                changed since is not asked again. Of other databases nobody can tell, so they are asked each time.
            keep_in_memory: whether kept rows are copied into memory; else the file is mapped.
            **kwargs: `index_col`, `coerce_float`, `params`, `parse_dates`, `columns` and `chunksize` of
                `pandas.read_sql`.

        Raises:
            ValueError: no query or connection.
            TypeError: an unknown option.
            SchemaError: values that do not fit the types of the first rows.
        """
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

        def ask() -> tuple[Table, Features] | None:
            found = pandas.read_sql(sql, con, chunksize=chunksize, **kwargs)
            frames: Iterable[Any] = [found] if chunksize is None else found
            types, grower, first = features, Grower(settings().memory_budget), True
            for frame in frames:
                table = Table.from_arrow(arrow.Table.from_pandas(frame))
                types = Features.from_text(table.features) if types is None else types
                grower.add(table.select_columns(list(types)).with_features(types.to_text()))
                first = False
            return None if first or types is None else (grower.finish(), types)

        def kept(file: KeptFile) -> tuple[Table, Features] | None:
            found = ask()
            if found is not None and _state(con) == state:  # else it is of another moment than its key
                file.write(file.headed(found[0], list(found[1]), [], found[1], None))
                return None
            return found

        state = _state(con) if isinstance(sql, str) else None
        told = {"sql": sql, "con": str(con), "state": state, "chunksize": chunksize, "options": kwargs}
        told["features"] = None if features is None else features.to_text()
        source = None if state is None else Source.of("from_sql", told, cache_dir)
        found = ask() if source is None else source.get(kept)
        if found is None:
            return cls.from_dict({}, split=Split.TRAIN)  # type: ignore[attr-defined,no-any-return]  # of the class above
        return cls._kept_rows(found, Split.TRAIN, source, keep_in_memory=keep_in_memory)

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


def _state(con: Any) -> list[Any] | None:
    """What changes with every change of a SQLite file; None for other databases."""
    found = _FILE.fullmatch(con) if isinstance(con, str) else None
    if found is None:
        return None
    path = Path(found[1])
    try:
        # The head counts the changes; those of the write-ahead log are told by its length and the salt in its head.
        return [[str(path.resolve()), *_told_of(path, 100)], _told_of(path.with_name(f"{path.name}-wal"), 32)]
    except OSError:
        return None


def _told_of(path: Path, head: int) -> list[Any]:
    if not path.exists() and path.name.endswith("-wal"):
        return []
    with path.open("rb") as file:
        stat = os.fstat(file.fileno())
        return [stat.st_size, stat.st_mtime_ns, stat.st_ino, file.read(head).hex()]
