"""What needs pyarrow: types and schemas as pyarrow objects. Nothing here is used by loading or by rows."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from typing import Any

from _crucible._native import Table
from _crucible._optional import require

ARGUMENT = {"argument": True}
"""Metadata of fields that are arguments of the constructor alone: no part of the JSON form."""


def _pyarrow() -> Any:
    return require("pyarrow", extra="arrow", why="Arrow types of features")


def schema_of(columns: dict[str, Any]) -> Any:
    """The pyarrow schema of features in their JSON form, which it carries in its metadata."""
    return _pyarrow().schema(Table.from_rows([], json.dumps(columns)))


def strings(array: Any) -> bool:
    """Whether a pyarrow array has texts."""
    types = _pyarrow().types
    return bool(types.is_string(array.type) or types.is_large_string(array.type) or types.is_string_view(array.type))


def integers(array: Any) -> bool:
    """Whether a pyarrow array has integers."""
    return bool(_pyarrow().types.is_integer(array.type))


def array_of(values: list[Any], dtype: str) -> Any:
    """A pyarrow array."""
    return _pyarrow().array(values, dtype)


class Typed:
    """A feature that knows its Arrow type."""

    @property
    def pa_type(self) -> Any:
        """The `pyarrow.DataType` of the stored values. Needs pyarrow."""
        from_feature = json_of(self)
        return schema_of({"_": from_feature}).field(0).type

    def __call__(self) -> Any:
        """The `pyarrow.DataType` of the stored values."""
        return self.pa_type


def json_of(feature: Any) -> Any:
    """The Hub's JSON of one feature: its fields that are not the default, and `_type`.

    Raises:
        TypeError: not a feature.
    """
    if isinstance(feature, dict):
        return {name: json_of(inner) for name, inner in feature.items()}
    if isinstance(feature, list | tuple) and len(feature) == 1:
        return [json_of(feature[0])]
    if not is_dataclass(feature) or isinstance(feature, type):
        msg = f"{feature!r} is not a feature"
        raise TypeError(msg)
    found: dict[str, Any] = {}
    for field in fields(feature):
        if "argument" in field.metadata:
            continue
        value = getattr(feature, field.name)
        if field.name == "feature":
            found[field.name] = json_of(value)
        elif not field.init or value != field.default:
            found[field.name] = list(value) if isinstance(value, list) else value
    return found
