"""Locks that downloads hold, tried from outside: `.locks/<repo folder>/<etag>.lock`, taken with `flock`."""

from __future__ import annotations

import errno
import os
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    def _try(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _try(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


_BUSY = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK}
_NO_LOCKS = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
_POLL = 0.02


def open_lock(path: Path, mode: int) -> int:
    """Opens a lock file, making it; never through a link.

    Raises:
        OSError: it cannot be opened, or is not a file.
    """
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    descriptor = os.open(path, flags, mode)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        msg = f"the lock {path} is not a regular file"
        raise OSError(msg)
    if hasattr(os, "fchmod"):
        with suppress(OSError):  # another user's file: its mode is theirs to set
            os.fchmod(descriptor, mode)
    return descriptor


def _take(descriptor: int) -> bool:
    """Takes a lock without waiting. A file system without locks has none that is held."""
    try:
        _try(descriptor)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return True
        if error.errno in _BUSY:
            return False
        raise
    return True


def wait_for(descriptor: int, what: Path, seconds: float) -> None:
    """Takes a lock, waiting for a while.

    Raises:
        TimeoutError: another process kept it.
    """
    give_up = time.monotonic() + seconds
    while not _take(descriptor):
        if time.monotonic() > give_up:
            msg = f"another process has held the lock of {what} for {seconds:.0f} s"
            raise TimeoutError(msg)
        time.sleep(_POLL)


def lock_path(blob: Path) -> Path:
    """The lock of a repository's blob, complete or not."""
    name = blob.name.removesuffix(".incomplete")
    if name != blob.name and len(name) > 9 and name[-9] == ".":
        name = name[:-9]  # `<etag>.<8 hex>.incomplete`
    repo = blob.parent.parent
    return repo.parent / ".locks" / repo.name / f"{name}.lock"


@contextmanager
def held(locks: Iterable[Path]) -> Iterator[bool]:
    """Holds several locks at once, or none: gives whether they could all be had without waiting.

    Nobody can begin to download what is locked here; who is at it has the lock already.
    """
    descriptors: list[int] = []
    try:
        yield all(_hold(path, descriptors) for path in sorted(set(locks)))
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _hold(path: Path, descriptors: list[int]) -> bool:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptors.append(open_lock(path, 0o664))
        return _take(descriptors[-1])
    except OSError:
        return False  # in doubt it is in use


def is_held(path: Path) -> bool:
    """Whether a process holds a lock; one that cannot be tried counts as held."""
    try:
        descriptor = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0))
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        return not _take(descriptor)
    except OSError:
        return True
    finally:
        os.close(descriptor)


def busy(repo: Path) -> bool:
    """Whether a process holds any lock of a repository: it is being downloaded to."""
    folder = repo.parent / ".locks" / repo.name
    try:
        paths = [Path(entry.path) for entry in os.scandir(folder) if entry.name.endswith(".lock")]
    except OSError:
        return False
    return any(is_held(path) for path in paths)
