"""One process at a time makes a file of the cache."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from _crucible._native import StoreLock
from crucible_datasets.utils.logging import get_logger

logger = get_logger(__name__)
_TICK = 0.05


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Waits for the right to make a file, and holds it. Ctrl-C ends the wait.

    The system gives it back when the process ends, however it ends.

    Args:
        path: the file; `<path>.lock` lies beside it as long as somebody works on it.
    """
    lock = StoreLock.try_take(path)
    if lock is None:
        logger.info("Waiting for another process that makes %s", path)
    while lock is None:
        time.sleep(_TICK)
        lock = StoreLock.try_take(path)
    try:
        yield
    finally:
        # Whoever waits has opened the file and goes on with it; whoever comes later finds the result.
        with suppress(OSError):
            path.with_name(path.name + ".lock").unlink()
        lock.release()
