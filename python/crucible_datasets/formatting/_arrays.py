"""The array formats: what numpy, torch, TensorFlow and jax show of stored values. dtypes and stacking are those of `datasets`.

Integers become int64 (jax: int32) and floats float32, unless `dtype` is given; lists of equal shapes are stacked; the
rest are object arrays (numpy) or lists.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from crucible_datasets.features import ClassLabel, Feature, Value, decoder
from crucible_datasets.features._pixels import Pixels
from crucible_datasets.formatting._extract import arrow_array, combined, decoded_parts, objects

if TYPE_CHECKING:
    from _crucible._native import Table


_TEXT = frozenset({"string", "large_string", "binary", "large_binary"})
_SINGLE = frozenset({str, bytes, int, float, bool, type(None)})


def _decodes(feature: Feature) -> bool:
    return feature is not None and decoder(feature) is not None


class Arrays:
    """An array format.

    Args:
        kwargs: options of the format: `dtype` and the like, given to each array.
    """

    def __init__(self, kwargs: dict[str, Any]) -> None:
        self.kwargs = kwargs

    # ------------------------------------------------------------------------------------------------- per library

    def tensor(self, value: Any) -> Any:
        """A scalar or an array of numbers as the format has it; text, bytes and None as they are."""
        raise NotImplementedError

    def pixels(self, value: Any) -> Any:
        """A decoded image, `(height, width[, channels])` of uint8."""
        return self.tensor(value)

    def consolidated(self, items: list[Any]) -> Any:
        """Items stacked where they are arrays of one shape and dtype."""
        raise NotImplementedError

    # ------------------------------------------------------------------------------------------------------- values

    def shown(self, value: Any) -> Any:
        """What the format shows of a stored value, all that is in it too."""
        if type(value) in _SINGLE:  # most of what is in nested values
            return self.tensor(value)
        if isinstance(value, dict):
            return {name: self.shown(inner) for name, inner in value.items()}
        if isinstance(value, Pixels) or hasattr(value, "getbands"):
            return self.pixels(np.asarray(value))
        if isinstance(value, np.ndarray):
            if value.dtype == object:
                return self.consolidated([self.shown(item) for item in value])
        elif isinstance(value, list | tuple):
            return self.consolidated([self.shown(item) for item in value])
        return self.tensor(value)

    def cell(self, value: Any, feature: Feature) -> Any:
        """One cell of a row.

        Args:
            value: the value, decoded where its feature is.
            feature: its feature, None where nobody knows it.
        """
        if isinstance(value, np.ndarray) and not isinstance(value, Pixels):
            return self.shown(value)
        if feature is None or hasattr(value, "getbands") or isinstance(value, Pixels):
            return self.shown(value)
        if _decodes(feature):
            return self.shown(decoded_parts(value, feature, _decodes))
        return self.shown(combined(arrow_array([value], feature))[0])

    def fresh(self, table: Table, name: str, feature: Feature) -> Any:
        """All rows of a column in memory of its own, which may be written to."""
        made = self.column(table, name, feature)
        return made.copy() if isinstance(made, np.ndarray) and not made.flags.writeable else made

    def column(self, table: Table, name: str, feature: Feature) -> Any:
        """All rows of a column.

        Numbers without nulls come from the table's memory: without a copy where they lie together and have the wanted
        dtype (such numpy arrays are read-only), gathered without the GIL otherwise.
        """
        rows = table.num_rows
        if rows == 0:
            return self.shown([] if _decodes(feature) else np.asarray([]))
        buffer = table.numeric(name, 0, rows)
        if buffer is not None:
            return self.tensor(np.asarray(buffer))
        lists = table.lists(name, 0, rows)
        if lists is not None:
            return self._nested([np.asarray(ends) for ends in lists[0]], np.asarray(lists[1]))
        values = table.column(name, 0, rows)
        if _decodes(feature):
            decode: Any = decoder(feature, numpy=True)
            made: Any = [decoded_parts(decode(value), feature, _decodes) for value in values]
        elif isinstance(feature, Value) and feature.dtype in _TEXT:
            made = np.asarray(values)
        elif table.is_range or isinstance(feature, Value | ClassLabel):
            made = combined(arrow_array(values, feature))
        else:  # as in `datasets`, where each selected row is converted alone
            made = combined(objects([arrow_array([value], feature)[0] for value in values]))
        return self.shown(made)

    def _nested(self, levels: list[Any], numbers: Any) -> Any:
        """Lists of numbers, by where they end on each level."""
        shape = [len(levels[0]) - 1]
        for ends in levels:
            size = int(ends[1]) if len(ends) > 1 else 0
            if (np.diff(ends) != size).any() or (size == 0 and ends is not levels[-1]):
                break
            shape.append(size)
        else:
            return self.tensor(numbers.reshape(shape))
        whole = self.tensor(numbers)
        inner = levels[-1].tolist()
        items = [whole[start:stop] for start, stop in pairwise(inner)]
        for ends in reversed(levels[:-1]):
            places = ends.tolist()
            items = [self.consolidated(items[start:stop]) for start, stop in pairwise(places)]
        return self.consolidated(items)


class NumpyArrays(Arrays):
    """numpy: scalars of a row keep the stored width."""

    def tensor(self, value: Any) -> Any:
        if value is None or isinstance(value, str | bytes | np.character | np.number):
            return value
        options: dict[str, Any] = {}
        if isinstance(value, np.ndarray):
            if value.dtype.kind in "SU":
                return value
            if value.dtype.kind in "ium":  # durations are counts
                options = {"dtype": np.int64}
            elif value.dtype.kind == "f":
                options = {"dtype": np.float32}
        return np.asarray(value, **{**options, **self.kwargs})

    def pixels(self, value: Any) -> Any:
        return np.asarray(value, **self.kwargs)

    def consolidated(self, items: list[Any]) -> Any:
        if items and all(isinstance(item, np.ndarray | np.number | np.bool_) for item in items):
            first = items[0]
            if all(item.shape == first.shape and item.dtype == first.dtype for item in items):
                return np.stack(items)
        return objects(items)
