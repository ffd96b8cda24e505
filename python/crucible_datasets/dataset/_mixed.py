"""Columns of Python values as tables; values of several types become `Json` where that is asked for, as in `datasets`."""

from __future__ import annotations

import sys
from typing import Any

from _crucible._native import Table
from _crucible._optional import require
from crucible_datasets.dataset._foreign import known_values
from crucible_datasets.errors import CastError, SchemaError
from crucible_datasets.features import Feature, Features, Json, LargeList, List

Path = tuple[Any, ...]
"""Where a value stands: names of fields, and `ITEM` for what is in a list."""
ITEM = 0


def column_table(name: str, values: Any, on_mixed_types: str | None) -> Table:
    """A table of one column.

    Args:
        name: its name.
        values: what its rows hold: a sequence, a numpy array, or an array of pyarrow.
        on_mixed_types: "use_json" makes `Json` of values of several types and of dicts with other keys than the first,
            at the place where they are; None refuses the former and fills the latter with nulls.

    Raises:
        CastError: values that fit no common type.
    """
    values = known_values(values)
    if type(values).__module__.startswith("pyarrow"):
        return Table.from_arrow(require("pyarrow", extra="arrow", why="arrays of pyarrow").table({name: values}))
    try:
        table = Table.from_columns({name: values})
    except SchemaError as error:
        if on_mixed_types != "use_json":
            raise CastError(str(error)) from error
        known = _without_na(values)
        if known is not None:
            return column_table(name, known, on_mixed_types)
        made = _as_json(name, values, scalars=True)
        if made is None:
            raise CastError(str(error)) from error
        return made
    if on_mixed_types == "use_json" and _has_struct(Features.from_text(table.features)[name]):
        made = _as_json(name, values, scalars=False)
        if made is not None:
            return made
    return table


def _without_na(values: Any) -> list[Any] | None:
    """The values with None for each `pandas.NA`, as `map` takes them; None if there is none of these."""
    missing = getattr(sys.modules.get("pandas"), "NA", None)
    if missing is None or not any(value is missing for value in values):
        return None
    return [None if value is missing else value for value in values]


def _as_json(name: str, values: Any, *, scalars: bool) -> Table | None:
    """The column with `Json` where types are mixed; None if they are not."""
    rows = list(values)
    paths = _mixed(rows, scalars=scalars)
    if not paths:
        return None
    for path in paths:
        rows = [_encoded(row, path) for row in rows]
    table = Table.from_columns({name: rows})
    feature = _set_json(Features.from_text(table.features)[name], paths, ())
    return table.with_features(Features({name: feature}).to_text())


def _mixed(rows: list[Any], *, scalars: bool) -> list[Path]:
    """Places of dicts with other keys than the first, and of values of several kinds (`scalars`: those of leaves too)."""
    found: list[Path] = []
    waiting: list[tuple[Path, list[Any]]] = [((), [row for row in rows if row is not None])]
    while waiting:
        path, values = waiting.pop(0)
        if not values:
            continue
        if all(isinstance(value, dict) for value in values):
            first = values[0].keys()
            if not first or any(value.keys() != first for value in values):
                found.append(path)
                continue
            for key in first:
                waiting.append(((*path, key), [value[key] for value in values if value[key] is not None]))
        elif all(isinstance(value, list | tuple) for value in values):
            waiting.append(((*path, ITEM), [item for value in values for item in value if item is not None]))
        elif any(isinstance(value, dict | list | tuple) for value in values) or (
            scalars and len(set(map(_kind, values))) > 1
        ):
            found.append(path)
    return found


def _kind(value: Any) -> str:
    """The kind of a leaf as JSON has it."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else type(value).__name__


def _encoded(value: Any, path: Path) -> Any:
    """A value with JSON text at a place in it."""
    if value is None:
        return None
    if not path:
        return Json().encode_example(value)
    step, rest = path[0], path[1:]
    if isinstance(value, list | tuple):
        return [_encoded(item, rest) for item in value]
    return {**value, step: _encoded(value.get(step), rest)}


def _set_json(feature: Feature, paths: list[Path], here: Path) -> Feature:
    if here in paths:
        return Json()
    if isinstance(feature, dict):
        return {key: _set_json(inner, paths, (*here, key)) for key, inner in feature.items()}
    if isinstance(feature, List):
        return List(_set_json(feature.feature, paths, (*here, ITEM)), feature.length)
    if isinstance(feature, LargeList):
        return LargeList(_set_json(feature.feature, paths, (*here, ITEM)))
    return feature


def _has_struct(feature: Feature) -> bool:
    while isinstance(feature, List | LargeList):
        feature = feature.feature
    return isinstance(feature, dict)


def columns_table(columns: dict[str, Any], on_mixed_types: str | None) -> Table:
    """A table of several columns; arguments as `column_table`.

    Raises:
        SchemaError: columns of other lengths, values that fit no common type.
    """
    arrow = any(type(values).__module__.startswith("pyarrow") for values in columns.values())
    if on_mixed_types is None and not arrow:
        return Table.from_columns(columns)
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        msg = f"columns must have equal lengths, got {lengths}"
        raise SchemaError(msg)
    if not columns:
        return Table.from_columns({})
    return Table.side_by_side([column_table(name, values, on_mixed_types) for name, values in columns.items()])
