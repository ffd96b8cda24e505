"""Functions of `datasets.features.features` over this library's features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from _crucible._optional import require
from crucible_datasets.features import Feature, Features, LargeList, List, Value, decoder, encode
from crucible_datasets.features._arrow import json_of, schema_of
from crucible_datasets.features._encode import plain
from crucible_datasets.features._json import from_json


def generate_from_dict(obj: Any) -> Feature:
    """A feature from its JSON form."""
    return from_json(obj)


def get_nested_type(schema: Feature) -> Any:
    """The `pyarrow.DataType` of a feature. Needs pyarrow."""
    return schema_of({"_": json_of(Features({"_": schema})["_"])}).field(0).type


def generate_from_arrow_type(pa_type: Any) -> Feature:
    """The feature of a `pyarrow.DataType`."""
    arrow = require("pyarrow", extra="arrow", why="generate_from_arrow_type")
    return Features.from_arrow_schema(arrow.schema({"_": pa_type}))["_"]


def string_to_arrow(datasets_dtype: str) -> Any:
    """The `pyarrow.DataType` of a dtype ("int64", "timestamp[us]")."""
    return get_nested_type(Value(datasets_dtype))


def encode_nested_example(schema: Feature, obj: Any, level: int = 0) -> Any:
    """The stored form of a value.

    Raises:
        ValueError: None in place of a row.
    """
    if obj is None and level == 0 and isinstance(schema, dict):
        msg = "Got None but expected a dictionary instead"
        raise ValueError(msg)
    return encode(schema, plain(obj), level)


def decode_nested_example(schema: Feature, obj: Any, token_per_repo_id: Any = None) -> Any:  # noqa: ARG001  # the official signature
    """What is shown for a stored value."""
    decode = decoder(schema)
    return obj if decode is None else decode(obj)


def cast_to_python_objects(obj: Any, only_1d_for_numpy: bool = False, optimize_list_casting: bool = True) -> Any:  # noqa: ARG001  # the official signature
    """Arrays, tensors, frames and the like as Python lists and dicts."""
    return plain(obj)


def _visit(feature: Feature, func: Callable[[Feature], Feature | None]) -> Feature:
    """A function over a feature and all in it, the inner ones first; what it returns takes the place, None keeps it."""
    if isinstance(feature, dict):
        made: Any = type(feature)({name: _visit(inner, func) for name, inner in feature.items()})
    elif isinstance(feature, LargeList):
        made = LargeList(_visit(feature.feature, func))
    elif isinstance(feature, List):
        made = List(_visit(feature.feature, func), length=feature.length)
    else:
        made = feature
    changed = func(made)
    return made if changed is None else changed
