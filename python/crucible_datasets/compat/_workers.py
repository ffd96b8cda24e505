"""Workers that `multiprocessing` starts afresh import the main script again: `datasets` must be there before that."""

from __future__ import annotations

import multiprocessing.forkserver
import multiprocessing.spawn
from collections.abc import Callable
from importlib import import_module
from typing import Any

_PRELOADED = "crucible_datasets.compat._preload"
_DEFAULT_PRELOAD = ["__main__"]
_original: Callable[[str], dict[str, Any]] | None = None


class _Installs:
    """Installs where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (import_module, (_PRELOADED,))


def _prepared(name: str) -> dict[str, Any]:
    """What a worker gets before it imports the script: first of all the installation."""
    if _original is None:
        msg = "the official function is not known"
        raise RuntimeError(msg)
    return {"crucible_datasets": _Installs(), **_original(name)}


def share_with_workers() -> None:
    """Workers of "spawn" and "forkserver" get the installation too."""
    global _original  # noqa: PLW0603  # one process, one patch
    spawn: Any = multiprocessing.spawn
    if spawn.get_preparation_data is not _prepared:
        _original = spawn.get_preparation_data
        spawn.get_preparation_data = _prepared
    server: Any = multiprocessing.forkserver._forkserver
    if server._preload_modules == _DEFAULT_PRELOAD:
        # The server would import the script itself, before anybody could install.
        server._preload_modules = [_PRELOADED]


def share_with_workers_no_more() -> None:
    """Takes back `share_with_workers`."""
    spawn: Any = multiprocessing.spawn
    if spawn.get_preparation_data is _prepared and _original is not None:
        spawn.get_preparation_data = _original
    server: Any = multiprocessing.forkserver._forkserver
    if server._preload_modules == [_PRELOADED]:
        server._preload_modules = list(_DEFAULT_PRELOAD)
