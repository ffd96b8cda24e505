"""Stored Python values as Arrow's conversion to numpy has them: the first of the two steps of the array formats.

The second step (`_arrays`) makes of it what the format shows. Both together give the dtypes of the official library.
"""

from __future__ import annotations

from datetime import UTC
from typing import Any

import numpy as np

from crucible_datasets.features import Feature, LargeList, List, Value
from crucible_datasets.features._arrays import ArrayND
from crucible_datasets.features._pixels import Pixels

Array = Any


def number_dtype(feature: Feature) -> Any:
    """The numpy dtype of a number or bool, None for anything else."""
    dtype = getattr(feature, "dtype", None)
    known = isinstance(dtype, str) and (dtype.startswith(("int", "uint", "float")) or dtype == "bool")
    return np.dtype(dtype) if known and not isinstance(feature, ArrayND) else None


def objects(values: list[Any]) -> Array:
    """An array of Python objects, whatever they are."""
    array = np.empty(len(values), dtype=object)
    for index, value in enumerate(values):  # not at once: numpy would look into lists and arrays
        array[index] = value
    return array


def arrow_array(values: list[Any], feature: Feature) -> Array:
    """Values of one feature as `pyarrow.Array.to_numpy(zero_copy_only=False)` would give them.

    Numbers with nulls are floats, bools with nulls objects; each list is an array, all of them of one dtype; structs
    are dicts.
    """
    if isinstance(feature, List | LargeList):
        return _lists(values, feature)
    if isinstance(feature, ArrayND):
        return _rectangles(values, feature)
    if isinstance(feature, dict):
        return _structs(values, feature)
    dtype = number_dtype(feature)
    if dtype is not None:
        return _numbers(values, dtype)
    time = _time_dtype(feature)
    return objects(values) if time is None else _times(values, time)


def _numbers(values: list[Any], dtype: Any) -> Array:
    if all(value is not None for value in values):
        return np.array(values, dtype=dtype)
    if dtype.kind == "b":
        return objects(values)
    filled = [float("nan") if value is None else value for value in values]
    return np.array(filled, dtype=dtype if dtype.kind == "f" else np.float64)


def _lists(values: list[Any], feature: List | LargeList) -> Array:
    size = getattr(feature, "length", -1)
    hole = [None] * size if size > 0 else []  # Arrow keeps the room of a null list of fixed length
    flat: list[Any] = []
    ends = [0]
    for value in values:
        flat.extend(hole if value is None else value)
        ends.append(len(flat))
    items = arrow_array(flat, feature.feature)
    return objects([None if value is None else items[ends[i] : ends[i + 1]] for i, value in enumerate(values)])


def _structs(values: list[Any], feature: dict[str, Feature]) -> Array:
    rows = [value for value in values if value is not None]
    fields: dict[str, list[Any]] = {}
    for name, inner in feature.items():
        plain = [row.get(name) for row in rows]
        shown = arrow_array(plain, inner)
        if shown.dtype != object:
            shown = shown.tolist() if shown.ndim == 1 else list(shown)
        fields[name] = [None if value is None else shown[i] for i, value in enumerate(plain)]
    made = iter([{name: column[i] for name, column in fields.items()} for i in range(len(rows))])
    return objects([None if value is None else next(made) for value in values])


def _rectangles(values: list[Any], feature: ArrayND) -> Array:
    dtype = np.dtype(Value(feature.dtype).dtype)
    shape = tuple(feature.shape)
    if shape[0] is None:
        return objects(
            [np.nan if value is None else _filled(value, dtype, (len(value), *shape[1:])) for value in values]
        )
    if any(value is None for value in values):
        hole = np.full(shape, np.nan)
        rows = [hole if value is None else _filled(value, dtype, shape).astype(np.float64) for value in values]
        return objects(rows)
    return objects([_filled(value, dtype, shape) for value in values])


def _filled(value: Any, dtype: Any, shape: tuple[int, ...]) -> Array:
    try:
        return np.array(value, dtype=dtype).reshape(shape)
    except (ValueError, TypeError):  # nulls inside, or rows of other lengths
        try:
            return np.array(value, dtype=np.float64).reshape(shape)
        except (ValueError, TypeError):
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


def _times(values: list[Any], dtype: str) -> Array:
    array = np.empty(len(values), dtype=dtype)
    for index, value in enumerate(values):
        array[index] = _time("NaT" if value is None else value, dtype)
    return array


def _time(value: Any, dtype: str) -> Any:
    if getattr(value, "tzinfo", None) is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    if hasattr(value, "to_numpy"):  # pandas has nanoseconds
        value = value.to_numpy()
    return np.array(value, dtype=dtype)[()]


def combined(rows: Array) -> Array:
    """Values as one array: stacked where they are scalars of one kind or arrays of one shape, else objects."""
    if rows.dtype != object:
        return rows
    items = list(rows)
    first = next((item for item in items if isinstance(item, np.ndarray)), None)
    if first is not None and any(_apart(item, first) for item in items):
        try:
            return np.asarray(items, dtype=object)
        except ValueError:  # shapes that differ behind the first dimension
            return objects(items)
    return np.asarray(items)


def _apart(item: Any, first: Array) -> bool:
    if isinstance(item, np.ndarray):
        return bool(item.dtype == object or item.shape != first.shape)
    return item is None or (isinstance(item, float) and np.isnan(item))


def decoded_parts(value: Any, feature: Feature, decodes: Any) -> Any:
    """A decoded value: what was decoded as it is, the rest as Arrow's conversion has it.

    Args:
        value: the value, decoded.
        feature: its feature.
        decodes: tells whether values of a feature are decoded.
    """
    if value is None or isinstance(value, Pixels):
        return value
    if not decodes(feature):
        return combined(arrow_array([value], feature))[0]
    if isinstance(feature, dict):
        return {name: decoded_parts(inner, feature.get(name), decodes) for name, inner in value.items()}
    if isinstance(feature, List | LargeList):
        return [decoded_parts(item, feature.feature, decodes) for item in value]
    return value
