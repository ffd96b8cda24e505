"""Enough of torch for a process to believe that it is a worker of a `DataLoader`."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterable
from typing import Any


class IterableDataset(Iterable[Any]):
    """torch's class: its loader asks whether a dataset is one."""


INFO: list[Any] = [None]


def install() -> None:
    """Puts the modules in place."""
    torch, utils, data = (types.ModuleType(name) for name in ("torch", "torch.utils", "torch.utils.data"))
    data.IterableDataset = IterableDataset  # type: ignore[attr-defined]
    data.get_worker_info = lambda: INFO[0]  # type: ignore[attr-defined]
    sys.modules.update({"torch": torch, "torch.utils": utils, "torch.utils.data": data})


def become(worker: int | None, workers: int = 0) -> None:
    """The worker that this process is from now on."""
    INFO[0] = None if worker is None else types.SimpleNamespace(id=worker, num_workers=workers, seed=0)
