"""Python values and native memory to numpy, with the official dtypes.

Integers become int64 and floats float32 in arrays, unless `dtype` is given; scalars of a row keep the stored width;
lists of equal shapes are stacked; the rest is an object array.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from crucible_datasets.features import Feature, LargeList, List, Value, decoder

if TYPE_CHECKING:
    from _crucible._native import Table

Array = Any


def _wanted(array: Array, kwargs: dict[str, Any]) -> Array:
    """The array in the dtype that the format wants."""
    if "dtype" in kwargs:
        if kwargs["dtype"] is None or array.dtype.kind not in "iuf":
            return array
        return array.astype(kwargs["dtype"], copy=False)
    if array.dtype.kind in "iu":
        return array.astype(np.int64, copy=False)
    if array.dtype.kind == "f":
        return array.astype(np.float32, copy=False)
    return array


def _stored_dtype(feature: Feature) -> Any:
    """The numpy dtype of a leaf number, None for anything else."""
    while isinstance(feature, List | LargeList):
        feature = feature.feature
    dtype = getattr(feature, "dtype", None)
    known = isinstance(dtype, str) and (dtype.startswith(("int", "uint", "float")) or dtype == "bool")
    return np.dtype(dtype) if known else None


def _objects(values: list[Any]) -> Array:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _list(values: list[Any], feature: Feature, kwargs: dict[str, Any]) -> Array:
    """A list cell as an array: rectangular numbers stacked, anything else objects."""
    inner = feature.feature if isinstance(feature, List | LargeList) else None
    dtype = _stored_dtype(feature)
    if dtype is not None:
        try:
            return _wanted(np.array(values, dtype=dtype), kwargs)
        except (ValueError, TypeError):
            pass  # ragged, or with nulls: item by item
    items = [to_numpy_value(value, inner, kwargs) for value in values]
    return _stack(items)


def _stack(items: list[Any]) -> Array:
    arrays = items and all(isinstance(item, np.ndarray) for item in items)
    if arrays and all(i.shape == items[0].shape and i.dtype == items[0].dtype for i in items):
        return np.stack(items)
    return _objects(items)


def to_numpy_value(value: Any, feature: Feature, kwargs: dict[str, Any]) -> Any:
    """One cell of a row."""
    if isinstance(value, np.ndarray):
        return value
    if value is None:
        dtype = None if isinstance(feature, List | LargeList) else _stored_dtype(feature)
        missing = np.float64 if dtype is None or dtype.kind != "f" else dtype.type
        return None if dtype is None or dtype.kind == "b" else missing("nan")
    if isinstance(feature, List | LargeList) and isinstance(value, list):
        return _list(value, feature, kwargs)
    if isinstance(feature, dict) and isinstance(value, dict):
        return {name: to_numpy_value(inner, feature.get(name), kwargs) for name, inner in value.items()}
    if isinstance(value, bool):
        return np.array(value)
    dtype = _stored_dtype(feature)
    if dtype is not None:
        scalar = dtype.type(value)
        return scalar if kwargs.get("dtype") is None else np.dtype(kwargs["dtype"]).type(scalar)
    if isinstance(value, str):
        return np.str_(value)
    if isinstance(value, bytes):
        return np.bytes_(value)
    if isinstance(feature, Value) and feature.dtype.startswith(("date", "timestamp", "duration")):
        return np.array(value, dtype=_time_dtype(feature.dtype))
    return value


def _time_dtype(dtype: str) -> str:
    if dtype.startswith("date"):
        return "datetime64[D]"
    unit = dtype[dtype.index("[") + 1 :].split(",", maxsplit=1)[0].rstrip("]")
    return f"timedelta64[{unit}]" if dtype.startswith("duration") else f"datetime64[{unit}]"


def to_numpy_column(table: Table, name: str, feature: Feature, start: int, stop: int, kwargs: dict[str, Any]) -> Array:
    """Rows `start..stop` of a column as one array.

    Numbers without nulls come from the table's memory: without a copy where they lie together and have the wanted
    dtype (such an array is read-only), gathered in Rust otherwise.
    """
    buffer = table.numeric(name, start, stop)
    if buffer is not None:
        return _wanted(np.asarray(buffer), kwargs)
    values = table.column(name, start, stop)
    decode = decoder(feature, numpy=True)
    if decode is not None:
        return _stack([decode(value) for value in values])
    return _column_of(values, feature, kwargs)


def _column_of(values: list[Any], feature: Feature, kwargs: dict[str, Any]) -> Array:
    nulls = any(value is None for value in values)
    if isinstance(feature, List | LargeList):
        return (
            _list(values, List(feature), kwargs)
            if not nulls
            else _objects([to_numpy_value(value, feature, kwargs) for value in values])
        )
    dtype = _stored_dtype(feature)
    if dtype is not None and dtype.kind != "b":
        filled = [float("nan") if value is None else value for value in values] if nulls else values
        return _wanted(np.array(filled, dtype=np.float64 if nulls else dtype), kwargs)
    if isinstance(feature, Value) and not nulls:
        if feature.dtype.startswith("duration"):
            return np.array(values, dtype=_time_dtype(feature.dtype)).astype(np.int64)
        if feature.dtype.startswith(("date", "timestamp")):
            zoned = "tz=" in feature.dtype
            return _objects(values) if zoned else np.array(values, dtype=_time_dtype(feature.dtype))
        if feature.dtype.startswith(("time", "decimal")):
            return _objects(values)
        return np.array(values) if values else np.array([], dtype=object)
    return _objects([to_numpy_value(value, feature, kwargs) for value in values])


def to_numpy_batch(
    table: Table, features: dict[str, Feature], start: int, stop: int, kwargs: dict[str, Any]
) -> dict[str, Array]:
    """Rows `start..stop` as a dict of fresh, writable arrays."""
    batch = {}
    for name, feature in features.items():
        array = to_numpy_column(table, name, feature, start, stop, kwargs)
        batch[name] = array if array.flags.writeable else array.copy()
    return batch
