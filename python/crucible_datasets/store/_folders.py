"""Temporary folders of the cache: known to be somebody's as long as their process lives."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from _crucible._native import StoreLock

_OWNER = "owner"
_PREFIXES = ("tmp-map-", "tmp-jobs-")


def owned_folder(root: Path, prefix: str) -> tuple[Path, StoreLock]:
    """A new folder and its lock, which the system takes back when the process ends, however it ends.

    Args:
        root: the cache.
        prefix: one of those that `remove_dead_folders` looks for.
    """
    root.mkdir(parents=True, exist_ok=True)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=root))
        lock = StoreLock.try_take(folder / _OWNER)
        if lock is not None and (folder / f"{_OWNER}.lock").exists():
            return folder, lock
        shutil.rmtree(folder, ignore_errors=True)  # somebody who cleans up came in between


def remove_dead_folders(root: Path) -> int:
    """Removes the temporary folders of processes that are gone; says how many bytes that were."""
    freed = 0
    for folder in (found for prefix in _PREFIXES for found in root.glob(f"{prefix}*")):
        if not (folder / f"{_OWNER}.lock").exists():
            continue  # nothing says whose it is
        lock = StoreLock.try_take(folder / _OWNER)
        if lock is None:
            continue
        # Where there are no locks everybody gets one, and nobody is known to be dead.
        second = StoreLock.try_take(folder / _OWNER)
        if second is None:
            for path in folder.rglob("*"):
                with suppress(OSError):
                    freed += path.stat().st_size
            shutil.rmtree(folder, ignore_errors=True)
        else:
            second.release()
        lock.release()
    return freed
