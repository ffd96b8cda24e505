"""Who is at an incomplete file: the notes that hfhub keeps under `.locks/` while it downloads.

A note (`.locks/<repo folder>/<etag>.hfhub`) is JSON in its first line, with the writer's `pid`, `host` and `boot`; a
line `released` says that the writer left. One that cannot be read, or is of another machine, counts while it is fresh.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hfhub.cache._locks import is_held, lock_path

_SUFFIX = ".hfhub"
_FRESH_SECONDS = 120.0
_RELEASED = b"\nreleased\n"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_MAX_BYTES = 1 << 20


def journal_of(incomplete: Path) -> Path:
    """The note about an incomplete file."""
    return lock_path(incomplete).with_suffix(_SUFFIX)


def _read(path: Path) -> dict[str, Any]:
    """The writer; empty if none is named."""
    with path.open("rb") as file:
        found = json.loads(file.readline(_MAX_BYTES))
    writer = found.get("writer") if isinstance(found, dict) else None
    return writer if isinstance(writer, dict) else {}


def _released(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - len(_RELEASED)))
        return file.read() == _RELEASED


def _started(pid: int) -> str | None:
    """The start of a process in the kernel's words: process ids come again."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


def _boot_id() -> str | None:
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return None


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def is_alive(journal: Path) -> bool:
    """Whether the writer of a note is still at it."""
    try:
        fresh = time.time() - journal.stat().st_mtime < _FRESH_SECONDS
    except OSError:
        return False
    try:
        owner = _read(journal)
    except (OSError, ValueError, RecursionError):
        return fresh
    pid, host, boot, started = (owner.get(name) for name in ("pid", "host", "boot", "started"))
    if _released(journal):
        return False
    if not isinstance(pid, int) or pid <= 0 or host != platform.node():
        return fresh
    if boot and boot != _boot_id():
        return False  # this machine was started anew since
    return _runs(pid) and started in (None, "", _started(pid))


def orphans(cache: Path) -> Iterator[Path]:
    """Notes without a writer."""
    for journal in cache.glob(f".locks/*/*{_SUFFIX}"):
        if not is_held(journal.with_suffix(".lock")) and not is_alive(journal):
            yield journal
