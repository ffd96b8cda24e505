"""torch and jax as array formats."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from _crucible._optional import require
from crucible_datasets.formatting._arrays import Arrays

logger = logging.getLogger(__name__)


def _text(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "SU"


class TorchArrays(Arrays):
    """torch tensors. Fresh memory in the wanted dtype becomes a tensor without another copy."""

    def __init__(self, kwargs: dict[str, Any]) -> None:
        super().__init__(kwargs)
        self._torch: Any = require("torch", extra="torch", why="the torch format")

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.kwargs,))

    def tensor(self, value: Any) -> Any:
        torch = self._torch
        if isinstance(value, np.generic):
            value = np.asarray(value)
        if _text(value):
            return value.tolist()
        if value is None or isinstance(value, str | bytes | torch.Tensor):
            return value
        options: dict[str, Any] = {}
        kind = value.dtype.kind if isinstance(value, np.ndarray) else ""
        if kind in "ium" and kind:
            options = {"dtype": torch.int64}
            if value.dtype in (np.uint16, np.uint32):
                value = value.astype(np.int64)
        elif kind == "f":
            options = {"dtype": torch.float32}
        options.update(self.kwargs)
        fresh = isinstance(value, np.ndarray) and value.flags.writeable and kind in "iuf" and bool(kind)
        if fresh and value.ndim and set(options) <= {"dtype", "device"}:
            kept = {name: option for name, option in options.items() if option is not None}
            made = torch.from_numpy(np.ascontiguousarray(value))
            return made.to(**kept) if kept else made
        if isinstance(value, np.ndarray) and not value.flags.writeable:
            value = value.copy()  # torch warns of memory that it may not write to
        return torch.tensor(value, **options)

    def pixels(self, value: Any) -> Any:
        channels = value[None] if value.ndim == 2 else value.transpose((2, 0, 1))
        return self._torch.tensor(np.ascontiguousarray(channels), **self.kwargs)

    def consolidated(self, items: list[Any]) -> Any:
        tensor = self._torch.Tensor
        if items and all(isinstance(item, tensor) for item in items):
            first = items[0]
            if all(item.shape == first.shape and item.dtype == first.dtype for item in items):
                return self._torch.stack(items)
        return items


class JaxArrays(Arrays):
    """jax arrays, on the device that the option `device` names by its text."""

    def __init__(self, kwargs: dict[str, Any]) -> None:
        super().__init__({name: option for name, option in kwargs.items() if name != "device"})
        self._given = kwargs
        self._jax: Any = require("jax", extra="jax", why="the jax format")
        devices = {str(device): device for device in self._jax.devices()}
        wanted = kwargs.get("device")
        first = str(self._jax.devices()[0])
        if wanted is not None and not isinstance(wanted, str):
            msg = f"Expected {wanted} to be a `str` not {type(wanted)}: devices cannot be pickled. Give str(device)."
            raise ValueError(msg)
        if wanted is not None and wanted not in devices:
            logger.warning("Device %s is not one of %s: %s is used.", wanted, list(devices), first)
        self._device = devices.get(wanted or first, devices[first])

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self._given,))

    def tensor(self, value: Any) -> Any:
        jax = self._jax
        if isinstance(value, np.generic):
            value = np.asarray(value)
        if _text(value):
            return value.tolist()
        if value is None or isinstance(value, str | bytes | jax.Array):
            return value
        options: dict[str, Any] = {}
        kind = value.dtype.kind if isinstance(value, np.ndarray) else ""
        if kind in "ium" and kind:
            options = {"dtype": jax.numpy.int64 if jax.config.jax_enable_x64 else jax.numpy.int32}
        elif kind == "f":
            options = {"dtype": jax.numpy.float32}
        return self._made(value, {**options, **self.kwargs})

    def pixels(self, value: Any) -> Any:
        return self._made(value, self.kwargs)

    def _made(self, value: Any, options: dict[str, Any]) -> Any:
        with self._jax.default_device(self._device):
            return self._jax.numpy.array(value, **options)

    def consolidated(self, items: list[Any]) -> Any:
        array = self._jax.Array
        if items and all(isinstance(item, array) for item in items):
            first = items[0]
            if all(item.shape == first.shape and item.dtype == first.dtype for item in items):
                return self._jax.numpy.stack(items, axis=0)
        return items
