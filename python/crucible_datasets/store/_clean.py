"""The store's size: files that were not used for the longest time go first."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection
from pathlib import Path

from _crucible._native import StoreLock
from _crucible._settings import settings
from crucible_datasets.store._folders import remove_dead_folders

_RESULT = "cache-"
_LEFT_BEHIND = 3600.0
"""Seconds after which a temporary file belongs to nobody: its writer was killed."""


def clean_store(max_bytes: int | None = None, cache_dir: str | None = None, *, keep: Collection[Path] = ()) -> int:
    """Deletes files of the store until those that are left fit, and what killed processes left behind.

    The store holds decoded tables (`crucible/*.arrow` in the cache) and results of `map` and `filter`
    (`crucible/maps/*/cache-*.arrow`). What is deleted is made again when it is asked for. Files that are open stay
    readable where the system allows it (Linux, macOS); a pickled dataset of a deleted file cannot be opened any more.

    Args:
        max_bytes: bytes that may stay; `CRUCIBLE_STORE_LIMIT` when absent, and without that nothing whole is deleted.
        cache_dir: the cache; `HF_DATASETS_CACHE` when absent.
        keep: files that stay, whatever their age.

    Returns:
        Bytes that were freed.
    """
    limit = settings().store_limit if max_bytes is None else max_bytes
    folder = (settings().datasets_cache if cache_dir is None else Path(cache_dir).expanduser()) / "crucible"
    freed = remove_leftovers(folder) + remove_dead_folders(folder.parent)
    for maps in folder.glob("maps/*"):
        freed += remove_leftovers(maps)
    if limit is None:
        return freed
    files = []
    for path in (*folder.glob("*.arrow"), *folder.glob("maps/*/cache-*.arrow")):
        with contextlib.suppress(OSError):  # gone meanwhile
            stat = path.stat()
            files.append((_last_use(path, stat), stat.st_size, path))
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= limit:
            break
        if path not in keep and _deleted(path):
            total -= size
            freed += size
    for maps in folder.glob("maps/*"):
        with contextlib.suppress(OSError):  # not empty
            maps.rmdir()
    return freed


def mark_used(store: Path) -> None:
    """Notes that a file was used now. Of results the time of the content stays: fingerprints know it."""
    with contextlib.suppress(OSError):
        if store.name.startswith(_RESULT):
            os.utime(store, ns=(time.time_ns(), store.stat().st_mtime_ns))
        else:
            os.utime(store)


def _last_use(path: Path, stat: os.stat_result) -> int:
    return max(stat.st_mtime_ns, stat.st_atime_ns) if path.name.startswith(_RESULT) else stat.st_mtime_ns


def _deleted(path: Path) -> bool:
    try:
        path.unlink()
    except OSError:
        return False
    return True


def remove_leftovers(folder: Path) -> int:
    """Deletes what killed processes left in a folder; says how many bytes that were."""
    freed = 0
    old = time.time() - _LEFT_BEHIND
    locks = list(folder.glob("*.arrow.lock"))
    # A function of `map` may take hours for a block: temporary files of those that work now stay, whatever their age.
    temporary = [] if any(_held(lock) for lock in locks) else list(folder.glob(".tmp-*"))
    for path in (*temporary, *locks):
        with contextlib.suppress(OSError):
            stat = path.stat()
            used = path.suffix == ".lock" and (path.with_suffix("").exists() or _held(path))
            if stat.st_mtime < old and not used and _deleted(path):
                freed += stat.st_size
    return freed


def _held(lock: Path) -> bool:
    taken = StoreLock.try_take(lock.with_suffix(""))
    if taken is None:
        return True
    taken.release()
    return False
