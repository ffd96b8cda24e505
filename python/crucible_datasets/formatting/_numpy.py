"""Python values and native memory to numpy, with the official dtypes.

Integers become int64 and floats float32 in arrays, unless `dtype` is given; scalars of a row keep the stored width;
lists of equal shapes are stacked; the rest is an object array.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

import numpy as np

from crucible_datasets.features import Feature, LargeList, List, Value, decoder
from crucible_datasets.features._arrays import ArrayND

if TYPE_CHECKING:
    from _crucible._native import Table

Array = Any


def _wanted(array: Array, kwargs: dict[str, Any]) -> Array:
    """The array in the dtype that the format wants."""
    if "dtype" in kwargs:
        if kwargs["dtype"] is None or array.dtype.kind not in "iufm":
            return array
        return array.astype(kwargs["dtype"], copy=False)
    if array.dtype.kind in "ium":  # durations are counts
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


def _stack(items: list[Any]) -> Array:
    kinds = (np.ndarray, np.number, np.bool_)
    if items and all(isinstance(item, kinds) for item in items):
        first = items[0]
        if all(item.shape == first.shape and item.dtype == first.dtype for item in items):
            return np.stack(items)
    return _objects(items)


# Two steps, as in the official library: `_stored` gives what Arrow gives numpy, `_shown` what the format makes of it.


def _stored(value: Any, feature: Feature) -> Any:
    """A value as Arrow's conversion to numpy has it: scalars and arrays of the stored width, dicts of plain values."""
    if isinstance(feature, List | LargeList):
        return None if value is None else _stored_list(value, feature.feature)
    if isinstance(feature, ArrayND):
        return None if value is None else _rectangle(value, feature)
    if isinstance(feature, dict) and isinstance(value, dict):
        nested = (List, LargeList, ArrayND, dict)
        return {k: _stored(v, feature.get(k)) if isinstance(feature.get(k), nested) else v for k, v in value.items()}
    dtype = _stored_dtype(feature)
    if dtype is not None and dtype.kind != "b":
        if value is None:
            return (dtype if dtype.kind == "f" else np.dtype(np.float64)).type("nan")
        return dtype.type(value)
    time = _time_dtype(feature)
    if time is not None:
        return _time("NaT" if value is None else value, time)
    return value


def _stored_list(values: list[Any], inner: Feature) -> Array:
    if isinstance(inner, List | LargeList | ArrayND | dict):
        return _objects([_stored(value, inner) for value in values])
    dtype, time = _stored_dtype(inner), _time_dtype(inner)
    if dtype is None and time is None:
        return _objects(values)
    if dtype is None or all(value is not None for value in values):
        return np.array([_stored(v, inner) for v in values] if dtype is None else values, dtype=dtype or time)
    if dtype.kind == "b":
        return _objects(values)
    filled = [float("nan") if value is None else value for value in values]
    return np.array(filled, dtype=dtype if dtype.kind == "f" else np.float64)


def _rectangle(value: Any, feature: ArrayND) -> Array:
    dtype = _stored_dtype(Value(feature.dtype))
    try:
        return np.array(value, dtype=dtype)
    except (ValueError, TypeError):  # nulls inside, or rows of other lengths
        return np.array(value, dtype=object)


def _time_dtype(feature: Feature) -> str | None:
    """The numpy dtype of a date, timestamp or duration; None for anything else. Zones are dropped: times are UTC."""
    name = feature.dtype if isinstance(feature, Value) else ""
    if name.startswith("date"):
        return "datetime64[D]" if name == "date32" else "datetime64[ms]"
    if not name.startswith(("timestamp", "duration")):
        return None
    unit = name[name.index("[") + 1 :].split(",", maxsplit=1)[0].rstrip("]")
    return f"timedelta64[{unit}]" if name.startswith("duration") else f"datetime64[{unit}]"


def _time(value: Any, dtype: str) -> Any:
    if getattr(value, "tzinfo", None) is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    if hasattr(value, "to_numpy"):  # pandas has nanoseconds
        value = value.to_numpy()
    return np.array(value, dtype=dtype)[()]


def _combined(rows: list[Any]) -> Array:
    """Stored values as one array: stacked where they are scalars of one kind or arrays of one shape, else objects."""
    arrays = [row for row in rows if isinstance(row, np.ndarray)]
    if arrays and any(
        not isinstance(row, np.ndarray) or row.dtype == object or row.shape != arrays[0].shape for row in rows
    ):
        try:
            return np.asarray(rows, dtype=object)
        except ValueError:
            return _objects(rows)
    if rows and isinstance(rows[0], dict):
        return _objects(rows)
    return np.asarray(rows)


def _shown(value: Any, kwargs: dict[str, Any]) -> Any:
    """What the format shows: arrays in the wanted dtype, lists stacked where they can be."""
    if isinstance(value, str | bytes | np.number) or value is None:
        return value
    if isinstance(value, dict):
        return {name: _shown(inner, kwargs) for name, inner in value.items()}
    if isinstance(value, np.ndarray):
        if value.dtype == object:
            return _stack([_shown(item, kwargs) for item in value])
        return value if value.dtype.kind in "SU" else _wanted(value, kwargs)
    if isinstance(value, list | tuple):
        return _stack([_shown(item, kwargs) for item in value])
    return np.asarray(value)


def to_numpy_value(value: Any, feature: Feature, kwargs: dict[str, Any]) -> Any:
    """One cell of a row."""
    if isinstance(value, np.ndarray):
        return value
    if decoder(feature) is not None:
        return _shown(value, kwargs)
    return _shown(_combined([_stored(value, feature)])[0], kwargs)


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
        return _stack([_shown(decode(value), kwargs) for value in values])
    return _column_of(values, feature, kwargs)


def _column_of(values: list[Any], feature: Feature, kwargs: dict[str, Any]) -> Array:
    dtype = _stored_dtype(feature)
    if isinstance(feature, List | LargeList) and dtype is not None and values:
        try:
            return _wanted(np.array(values, dtype=dtype), kwargs)
        except (ValueError, TypeError):
            pass  # ragged, or with nulls: row by row
    if isinstance(feature, Value) and feature.dtype == "null" and not values:
        return np.array([], dtype=np.float32)
    shown = _shown(_combined([_stored(value, feature) for value in values]), kwargs)
    return shown if isinstance(shown, np.ndarray) else np.asarray(shown)


def to_numpy_batch(
    table: Table, features: dict[str, Feature], start: int, stop: int, kwargs: dict[str, Any]
) -> dict[str, Array]:
    """Rows `start..stop` as a dict of fresh, writable arrays."""
    batch = {}
    for name, feature in features.items():
        array = to_numpy_column(table, name, feature, start, stop, kwargs)
        batch[name] = array if array.flags.writeable else array.copy()
    return batch
