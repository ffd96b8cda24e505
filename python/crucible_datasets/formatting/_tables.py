"""Tables as pyarrow, pandas and polars have them, and back."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from _crucible._native import Table
from _crucible._optional import require


def to_table_format(table: Table, kind: str | None, decoders: Mapping[str, Any]) -> Any:
    """A table in a table format.

    Args:
        table: the table.
        kind: "arrow", "pandas" or "polars".
        decoders: what decodes columns whose shown value is not the stored one; only pandas shows those.
    """
    if kind == "polars":
        return require("polars", extra="polars", why="the polars format").DataFrame(table)
    shown = to_arrow(table, kind)
    return shown if kind == "arrow" else to_frame(shown, table, decoders)


def to_frame(shown: Any, table: Table, decoders: Mapping[str, Any]) -> Any:
    """A `pyarrow.Table` as a pandas frame.

    Args:
        shown: the table.
        table: the same rows.
        decoders: what decodes columns whose shown value is not the stored one.
    """
    frame = shown.to_pandas()
    for name, decode in decoders.items():
        if name in frame.columns:
            frame[name] = [decode(value) for value in table.column(name, 0, table.num_rows)]
    return frame


def to_arrow(table: Table, kind: str | None = "arrow") -> Any:
    """A table as a `pyarrow.Table`; rows in order share memory.

    Args:
        table: the table.
        kind: the format that wants it, for the message where pyarrow is absent.
    """
    # Not `pyarrow.table`, which imports pandas to ask whether the table is one of its frames.
    reader = require("pyarrow", extra="arrow", why=f"the {kind} format").RecordBatchReader
    return reader.from_stream(table).read_all()


def from_table_format(value: Any) -> Table | None:
    """A pyarrow table, pandas or polars frame as a table; None for anything else."""
    for module, names in (("pandas", ("DataFrame", "Series")), ("polars", ("DataFrame", "Series"))):
        found = sys.modules.get(module)
        kinds = tuple(getattr(found, name) for name in names) if found is not None else ()
        if kinds and isinstance(value, kinds):
            if module == "polars":
                return Table.from_arrow(value.to_arrow())
            frame = value if hasattr(value, "columns") else value.to_frame()
            return Table.from_arrow(require("pyarrow", extra="arrow", why="pandas results").Table.from_pandas(frame))
    arrow = sys.modules.get("pyarrow")
    return Table.from_arrow(value) if arrow is not None and isinstance(value, arrow.Table) else None
