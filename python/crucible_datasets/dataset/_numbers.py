"""Row numbers of a user's collection as an array."""

from __future__ import annotations

from typing import Any

import numpy as np


def as_numbers(values: Any, message: str, *, lenient: bool) -> np.ndarray[Any, Any]:
    """Row numbers as int64, in one dimension; not compared with the number of rows.

    Args:
        values: a sequence or array of integers. Arrays of booleans are numbers, as in `datasets`: 0 and 1.
        message: what an IndexError says, with a place for the number.
        lenient: whether floats and lists of booleans count as numbers too, as in `ds[…]`.

    Raises:
        IndexError: a number that no table has, or a float.
        TypeError: something that is no number, an array of several dimensions, or a list of booleans.
        ValueError: texts, with `lenient`.
    """
    if not len(values):
        return np.empty(0, dtype=np.int64)
    array = np.asarray(values)
    kind = array.dtype.kind
    if array.ndim != 1 or kind not in "iufbO":
        what = f"an array of {array.ndim} dimensions" if array.ndim != 1 else f"{values[0]!r}"
        msg = f"row numbers must be a sequence of integers, got {what}"
        raise ValueError(msg) if lenient and all(isinstance(value, str) for value in values) else TypeError(msg)
    if kind == "f" and not lenient:
        msg = "row numbers must be integers, got floats"
        raise IndexError(msg)
    if kind == "b" and not lenient and not isinstance(values, np.ndarray):
        msg = "row numbers must be integers, got booleans: np.flatnonzero(mask) are the rows of a mask"
        raise TypeError(msg)
    if kind == "O" or (kind == "u" and array.dtype.itemsize == 8):
        bounds = np.iinfo(np.int64)
        listed = list(map(int, values))
        for number in (max(listed), min(listed)):
            if not bounds.min <= number <= bounds.max:
                raise IndexError(message.format(number))
        return np.array(listed, dtype=np.int64)
    return array.astype(np.int64, copy=False)
