"""numpy results to torch tensors, with the official dtypes: integers int64, floats float32, unless `dtype` is given."""

from __future__ import annotations

from typing import Any

import numpy as np

from _crucible._optional import require


def to_torch(value: Any, kwargs: dict[str, Any]) -> Any:
    """A value, array, list or dict of the numpy format (with `dtype=None`) as tensors.

    Text, bytes and None stay; arrays of objects become lists; arrays share their memory where the dtype allows.

    Args:
        value: what the numpy format gave.
        kwargs: options of the format: `dtype`, `device`, …, given to the tensor.
    """
    torch = require("torch", extra="torch", why="the torch format")
    return _tensor(value, kwargs, torch)


def _tensor(value: Any, kwargs: dict[str, Any], torch: Any) -> Any:
    if value is None or isinstance(value, str | bytes):
        return str(value) if isinstance(value, np.str_) else bytes(value) if isinstance(value, np.bytes_) else value
    if isinstance(value, dict):
        return {name: _tensor(inner, kwargs, torch) for name, inner in value.items()}
    if isinstance(value, np.ndarray) and value.dtype.kind in "OUS":
        return _consolidated([_tensor(item, kwargs, torch) for item in value.tolist()], torch)
    if isinstance(value, list):
        return _consolidated([_tensor(item, kwargs, torch) for item in value], torch)
    array = np.asarray(value)
    if array.dtype.kind in "mMO":
        msg = f"torch has no type for {array.dtype}"
        raise TypeError(msg)
    options = {**_default(array.dtype, torch), **kwargs}
    if array.ndim and array.dtype.kind in "iufb" and array.dtype.kind != "u" and array.flags.writeable:
        return torch.from_numpy(array).to(**options) if options else torch.from_numpy(array)
    return torch.tensor(array if array.dtype.kind != "u" else array.astype(np.int64), **options)


def _default(dtype: Any, torch: Any) -> dict[str, Any]:
    if dtype.kind in "iu":
        return {"dtype": torch.int64}
    if dtype.kind == "f":
        return {"dtype": torch.float32}
    return {}


def _consolidated(items: list[Any], torch: Any) -> Any:
    """Tensors of one shape and dtype stacked; anything else a list."""
    if items and all(isinstance(item, torch.Tensor) for item in items):
        first = items[0]
        if all(item.shape == first.shape and item.dtype == first.dtype for item in items):
            return torch.stack(items)
    return items


def channels_first(pixels: Any) -> Any:
    """An image as torch has it: `(channels, height, width)`."""
    array = np.asarray(pixels)
    return array[None] if array.ndim == 2 else array.transpose((2, 0, 1))
