"""TensorFlow as an array format."""

from __future__ import annotations

from typing import Any

import numpy as np

from _crucible._optional import require
from crucible_datasets.formatting._arrays import Arrays


class TensorFlowArrays(Arrays):
    """TensorFlow tensors, text among them. Rows of one dimension and different lengths are ragged tensors."""

    def __init__(self, kwargs: dict[str, Any]) -> None:
        super().__init__(kwargs)
        self._tf: Any = require("tensorflow", extra="tensorflow", why="the tensorflow format")

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.kwargs,))

    def tensor(self, value: Any) -> Any:
        if value is None:
            return value
        options: dict[str, Any] = {}
        kind = value.dtype.kind if isinstance(value, np.ndarray | np.generic) else ""
        if kind and kind in "ium":  # durations are counts
            options = {"dtype": self._tf.int64}
        elif kind == "f":
            options = {"dtype": self._tf.float32}
        return self._tf.convert_to_tensor(value, **{**options, **self.kwargs})

    def pixels(self, value: Any) -> Any:
        return self._tf.convert_to_tensor(value, **self.kwargs)

    def consolidated(self, items: list[Any]) -> Any:
        tensor, ragged = self._tf.Tensor, self._tf.RaggedTensor
        if not items or not all(isinstance(item, tensor | ragged) for item in items):
            return items
        first = items[0]
        if all(isinstance(item, tensor) and item.shape == first.shape and item.dtype == first.dtype for item in items):
            return self._tf.stack(items)
        if all(len(item.shape) == 1 and item.dtype == first.dtype for item in items):
            return self._tf.ragged.stack(items)
        return items

    def _nested(self, levels: list[Any], numbers: Any) -> Any:
        ends = levels[0]
        sizes = np.diff(ends)
        if len(levels) > 1 or not len(sizes) or (sizes == sizes[0]).all():
            return super()._nested(levels, numbers)
        # What `ragged.stack` makes of the rows, without a tensor for each.
        whole = self.tensor(numbers[ends[0] : ends[-1]])
        splits = ends - ends[0]
        return self._tf.RaggedTensor.from_row_splits(
            whole, splits.astype(np.int32 if splits[-1] < 1 << 31 else np.int64)
        )
