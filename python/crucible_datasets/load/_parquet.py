"""Options of Parquet files: columns, and filters as pyarrow has them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from _crucible._native import ParquetFile, Source, Table
from _crucible._optional import require
from _crucible.errors import UnsupportedError
from crucible_datasets.features import Features
from crucible_datasets.io import LocalFile, StorePlace, read_table

_OPS = {"=": "==", "==": "==", "!=": "!=", "<": "<", ">": ">", "<=": "<=", ">=": ">=", "in": "in", "not in": "not in"}
_INT64 = range(-(2**63), 2**63)


def parquet_options(given: dict[str, Any]) -> dict[str, Any]:
    """Checks `columns` and `filters`; the other options of `datasets` say how pyarrow reads, not what.

    Raises:
        ValueError: filters without a predicate, or an operator that there is not.
    """
    options: dict[str, Any] = {}
    if given.get("columns") is not None:
        options["columns"] = [str(name) for name in given["columns"]]
    filters = given.get("filters")
    if filters is not None:
        options["filters"] = _dnf(filters) if isinstance(filters, list) else filters
    return options


def _dnf(filters: list[Any]) -> list[list[tuple[Any, str, Any]]]:
    if not filters or any(len(part) == 0 for part in filters):
        msg = "Malformed filters"
        raise ValueError(msg)
    lists = [filters] if isinstance(filters[0][0], str) else filters
    for _, op, _ in (predicate for part in lists for predicate in part):
        if op not in _OPS:
            msg = f'"{op}" is not a valid operator in predicates.'
            raise ValueError(msg)
    return [[tuple(predicate) for predicate in part] for part in lists]


def _literal(value: Any) -> dict[str, Any] | None:
    if hasattr(value, "item") and hasattr(value, "dtype"):
        value = value.item()  # a scalar of numpy
    if isinstance(value, bool):
        return {"bool": value}
    if isinstance(value, int) and value in _INT64:
        return {"int": value}
    if isinstance(value, float):
        return {"float": repr(value)}
    return {"text": value} if type(value) is str else None


def native_filter(filters: Any) -> str | None:
    """The native form of simple filters; None for others (dates, decimals, nulls, expressions of pyarrow)."""
    if not isinstance(filters, list):
        return None
    made = []
    for part in filters:
        predicates = []
        for column, op, value in part:
            many = op in ("in", "not in")
            if many and not isinstance(value, (list, tuple, set, frozenset)):
                return None
            literals = [_literal(item) for item in (value if many else [value])]
            kinds = {kind for literal in literals for kind in literal or {}}
            if None in literals or len(kinds) > 1 or type(column) is not str:
                return None
            predicates.append({"column": column, "op": _OPS[op], "values": literals})
        made.append(predicates)
    return json.dumps(made)


def restricted(features: Features | None, options: Mapping[str, Any]) -> Features | None:
    """The features of the columns that are read.

    Raises:
        ValueError: a column without a feature.
    """
    columns = options.get("columns")
    if features is None or columns is None:
        return features
    missing = [name for name in columns if name not in features]
    if missing:
        msg = f"The columns and features argument must match, but got {list(columns)} and {list(features)}"
        raise ValueError(msg)
    return Features({name: feature for name, feature in features.items() if name in columns})


def read_parquet(
    files: Sequence[LocalFile],
    features: Features | None,
    options: Mapping[str, Any],
    keep_in_memory: bool | None,
    store: StorePlace,
) -> Table:
    """Reads some columns or some rows of Parquet files.

    Simple filters skip the row groups and pages that cannot have such rows. What is not simple (an expression, dates,
    decimals, null) is filtered by pyarrow after all rows were read.

    Args:
        files: in order.
        features: types to cast to, of the columns that are read.
        options: as `parquet_options` gave them.
        keep_in_memory: as `read_table`.
        store: as `read_table`.

    Raises:
        DataError: as `read_table`; `MissingColumnError` for a column that a file of the filter lacks.
        ImportError: a filter needs pyarrow, which is not installed.
    """
    chosen, filters = options.get("columns"), options.get("filters")
    given: dict[str, Any] = {}
    if chosen is not None:
        given["columns"] = _in_file_order(files, features, chosen)
    if filters is None:
        return read_table(files, "parquet", features, keep_in_memory=keep_in_memory, options=given, store=store)
    native = native_filter(filters)
    if native is not None:
        try:
            given["filter"] = native
            return read_table(files, "parquet", features, keep_in_memory=keep_in_memory, options=given, store=store)
        except UnsupportedError:
            pass  # a column of another type: pyarrow knows how
    pyarrow = require("pyarrow", extra="arrow", why="this filter of Parquet files")
    dataset = require("pyarrow.parquet", extra="arrow", why="this filter of Parquet files")
    whole = pyarrow.table(read_table(files, "parquet", keep_in_memory=keep_in_memory, store=store))
    kept = Table.from_arrow(whole.filter(dataset.filters_to_expression(filters)))
    if chosen is not None:
        kept = kept.select_columns(given["columns"])
    return kept if features is None else kept.with_features(features.to_text())


def _in_file_order(files: Sequence[LocalFile], features: Features | None, chosen: list[str]) -> list[str]:
    if features is not None:
        names = list(features)
    else:
        names = list(json.loads(ParquetFile(Source.local(files[0].path)).features))
    return [name for name in names if name in chosen] + [name for name in chosen if name not in names]
