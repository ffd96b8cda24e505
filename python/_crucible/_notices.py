"""Warnings of the hub client, each about the same thing once. Called by the extension."""

from __future__ import annotations

import warnings


class DownloadWarning(UserWarning):
    """Base of what a download or look-up warns of."""


class StaleCacheWarning(DownloadWarning):
    """The hub could not be asked; what is returned may be old."""


class PartialSnapshotWarning(DownloadWarning):
    """A cached snapshot whose listing is not known may lack files."""


class SymlinkWarning(DownloadWarning):
    """The cache is on a file system without symbolic links."""


class NothingMatchedWarning(DownloadWarning):
    """No file passes the patterns of a snapshot."""


class LockWarning(DownloadWarning):
    """A lock of a process that is gone was broken."""


_CLASSES = {
    cls.__name__: cls
    for cls in (StaleCacheWarning, PartialSnapshotWarning, SymlinkWarning, NothingMatchedWarning, LockWarning)
}
_said: set[tuple[str, str]] = set()


def _show(name: str, about: str, text: str) -> None:
    """Warns, unless this kind was said about the same thing before in this process."""
    if (name, about) in _said:
        return
    _said.add((name, about))
    warnings.warn(text, _CLASSES[name], stacklevel=4)
