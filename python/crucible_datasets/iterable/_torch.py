"""Streams as torch's iterable datasets, without an import of torch: a `DataLoader` asks for that base class."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_MODULE = "torch.utils.data"


def join_torch(cls: type) -> None:
    """Makes a class one of torch's iterable datasets: now where torch is in use, else as soon as it is imported."""
    base = getattr(sys.modules.get(_MODULE), "IterableDataset", None)
    if base is None:
        _WATCH.await_torch(cls)
    elif base not in cls.__mro__:  # not issubclass: an ABC would remember the answer
        cls.__bases__ = (*cls.__bases__, base)


def shared_epoch(epoch: int) -> Any:
    """An epoch that workers which live on see, where torch is in use; else a number."""
    torch: Any = sys.modules.get("torch")
    return torch.tensor(epoch).share_memory_() if hasattr(torch, "tensor") else epoch


class _Watch(MetaPathFinder):
    """Is asked for each module that is imported, until torch's data package is one of them."""

    def __init__(self) -> None:
        self._waiting: set[type] = set()

    def await_torch(self, cls: type) -> None:
        self._waiting.add(cls)
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if fullname != _MODULE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        loader: Any = None if spec is None else spec.loader
        if loader is None:
            return spec
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            waiting, self._waiting = self._waiting, set()
            for cls in waiting:
                join_torch(cls)

        loader.exec_module = exec_module
        return spec


_WATCH = _Watch()
