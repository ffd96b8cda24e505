"""Functions of `datasets.table` over pyarrow tables, done by this library's casts."""

from __future__ import annotations

from typing import Any

from _crucible._native import Table
from _crucible._optional import require
from crucible_datasets.errors import CastError
from crucible_datasets.features import Features


def cast_table_to_features(table: Any, features: Features) -> Any:
    """A pyarrow table in other features.

    Raises:
        CastError: other column names.
    """
    arrow = require("pyarrow", extra="arrow", why="cast_table_to_features")
    if sorted(table.column_names) != sorted(features):
        msg = f"Couldn't cast a table of columns {table.column_names} to features of columns {list(features)}"
        raise CastError(msg)
    native = Table.from_arrow(table.select(list(features)))
    return arrow.table(native.with_features(features.to_text())).cast(features.arrow_schema)


def cast_table_to_schema(table: Any, schema: Any) -> Any:
    """A pyarrow table in another schema; columns that it lacks are null.

    Raises:
        CastError: columns that the schema lacks.
    """
    arrow = require("pyarrow", extra="arrow", why="cast_table_to_schema")
    features = Features.from_arrow_schema(schema)
    extra = [name for name in table.column_names if name not in features]
    if extra:
        msg = f"Couldn't cast: the columns {extra} are not in the schema {list(features)}"
        raise CastError(msg)
    for name in features:
        if name not in table.column_names:
            table = table.append_column(name, arrow.nulls(table.num_rows))
    return cast_table_to_features(table, features)


def table_cast(table: Any, schema: Any) -> Any:
    """A pyarrow table in another schema; the same table if it has it already."""
    return table if table.schema == schema else cast_table_to_schema(table, schema)
