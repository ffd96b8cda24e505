"""Values of pyarrow and polars in what a function returns for a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from _crucible._optional import require

_WIDE = {"i": np.int64, "f": np.float64, "b": np.bool_}


def known_values(values: Any) -> Any:
    """The values of a column, where those of pyarrow and polars are arrays and lists that keep their types.

    Args:
        values: a sequence: scalars of pyarrow, its arrays of one value, or Series of polars, None among them; anything
            else is returned as it is.
    """
    if not isinstance(values, list | tuple):
        return values
    first = next((value for value in values if value is not None), None)
    package = type(first).__module__.partition(".")[0]
    if package == "pyarrow":
        return _arrow_values(values, first)
    if package == "polars" and hasattr(first, "to_arrow"):
        return [None if value is None else series_values(value) for value in values]
    return values


def known_column(values: Any) -> Any:
    """A column that a user gives: Series and arrays of pandas and polars as numpy arrays or lists, others as they are.

    As in `datasets` the numbers of a Series of pandas have the types of Python's numbers.
    """
    package = type(values).__module__.partition(".")[0]
    if package == "polars" and hasattr(values, "to_arrow"):
        return series_values(values)
    if package != "pandas" or not hasattr(values, "isna"):
        return values
    kind = getattr(values.dtype, "kind", "") if isinstance(values.dtype, np.dtype) else ""
    if kind not in _WIDE:
        return frame_values(values)
    plain = values.to_numpy()
    return plain if hasattr(values, "to_series") else plain.astype(_WIDE[kind], copy=False)  # an Index keeps its type


def frame_values(values: Any) -> list[Any]:
    """A Series or array of pandas as list, with None for what is missing where the type tells it from NaN."""
    listed: list[Any] = values.tolist()
    if isinstance(values.dtype, np.dtype) and values.dtype.kind not in "mM":
        return listed
    return [None if gone else value for value, gone in zip(listed, values.isna(), strict=True)]


def series_values(series: Any) -> Any:
    """A Series of polars as numpy array where it holds numbers without nulls, else as list."""
    if series.dtype.is_numeric() and not series.dtype.is_decimal() and not series.null_count():
        return series.to_numpy()
    return series.to_list()


def _arrow_values(values: Sequence[Any], first: Any) -> Any:
    arrow = require("pyarrow", extra="arrow", why="values of pyarrow")
    arrays = (arrow.Array, arrow.ChunkedArray)
    kind = (arrow.Scalar,) if isinstance(first, arrow.Scalar) else arrays
    if not isinstance(first, kind) or not all(value is None or isinstance(value, kind) for value in values):
        return values
    if kind is not arrays:
        return arrow.array([None if value is None else value.as_py() for value in values], type=first.type)
    listed = [None if value is None else value.to_pylist() for value in values]
    if all(one is not None and len(one) == 1 for one in listed):  # the column of a table of one row
        return arrow.array([one[0] for one in listed if one is not None], type=first.type)
    return arrow.array(listed, type=arrow.list_(first.type))
