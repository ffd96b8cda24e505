"""The store's size: tables that were not used for the longest time go first."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection
from pathlib import Path

from _crucible._settings import settings

_LEFT_BEHIND = 3600.0
"""Seconds after which a temporary file belongs to nobody: its writer was killed."""


def clean_store(max_bytes: int | None = None, cache_dir: str | None = None, *, keep: Collection[Path] = ()) -> int:
    """Deletes decoded tables until those that are left fit, and what killed processes left behind.

    Only the store of decoded tables (`crucible/*.arrow` in the cache) is looked at: what is deleted is decoded again
    when it is asked for. Tables that are open stay readable where the system allows it (Linux, macOS); a pickled
    dataset of a deleted table cannot be opened any more.

    Args:
        max_bytes: bytes that may stay; `CRUCIBLE_STORE_LIMIT` when absent, and without that no table is deleted.
        cache_dir: the cache; `HF_DATASETS_CACHE` when absent.
        keep: files that stay, whatever their age.

    Returns:
        Bytes that were freed.
    """
    limit = settings().store_limit if max_bytes is None else max_bytes
    folder = (settings().datasets_cache if cache_dir is None else Path(cache_dir).expanduser()) / "crucible"
    freed = _without_leftovers(folder)
    if limit is None:
        return freed
    tables = []
    for path in folder.glob("*.arrow"):
        with contextlib.suppress(OSError):  # gone meanwhile
            stat = path.stat()
            tables.append((stat.st_mtime_ns, stat.st_size, path))
    total = sum(size for _, size, _ in tables)
    for _, size, path in sorted(tables):
        if total <= limit:
            break
        if path not in keep and _deleted(path):
            total -= size
            freed += size
    return freed


def mark_used(store: Path) -> None:
    """Notes that a table was used now."""
    with contextlib.suppress(OSError):
        os.utime(store)


def _deleted(path: Path) -> bool:
    try:
        path.unlink()
    except OSError:
        return False
    return True


def _without_leftovers(folder: Path) -> int:
    freed = 0
    old = time.time() - _LEFT_BEHIND
    for path in (*folder.glob(".tmp-*"), *folder.glob("*.arrow.lock")):
        with contextlib.suppress(OSError):
            stat = path.stat()
            used = path.suffix == ".lock" and path.with_suffix("").exists()
            if stat.st_mtime < old and not used and _deleted(path):
                freed += stat.st_size
    return freed
