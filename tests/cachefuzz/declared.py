"""What may differ from an all-official run, each with its reason. docs/cache.md says the same to users."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from .sequences import Sequence

Entry = dict[str, str] | None


@dataclass(frozen=True)
class DeclaredFile:
    """A difference of files: for paths that match, in one aspect (extra, absent, mode, content, kind)."""

    path: str
    aspect: str
    reason: str
    if_so: Callable[[Entry, Entry, Sequence], bool]

    def covers(self, name: str, aspect: str, ours: Entry, theirs: Entry, todo: Sequence) -> bool:
        return self.aspect == aspect and fnmatchcase(name, self.path) and self.if_so(ours, theirs, todo)


def _was_private(ours: Entry, theirs: Entry, todo: Sequence) -> bool:
    return theirs is not None and theirs["mode"] == "600"


def _forced_without_links(ours: Entry, theirs: Entry, todo: Sequence) -> bool:
    return not todo.symlinks and any(o.client == "hfhub" and o.options.get("force_download") for o in todo.operations)


def _pruned(ours: Entry, theirs: Entry, todo: Sequence) -> bool:
    lock = {"kind": "file", "mode": "664", "content": "b''"}
    return ours == lock and any(o.client == "hfhub" and o.call == "prune" for o in todo.operations)


DECLARED_FILES = [
    DeclaredFile(
        "*/trees/*.json",
        "mode",
        "the official client leaves listings readable by their owner alone; ours follow the umask, so that the other "
        "users of a shared cache need not list again",
        _was_private,
    ),
    DeclaredFile(
        "cache/*/blobs/*",
        "absent",
        "where links are off, a forced download of a file that is there replaces the file in the snapshot; the "
        "official client leaves the old one and puts the new bytes into a blob that nothing refers to",
        _forced_without_links,
    ),
]


for _aspect in ("extra", "mode"):
    DECLARED_FILES.append(
        DeclaredFile(
            "cache/.locks/*.lock",
            _aspect,
            "prune holds the locks of what it removes, so that a download in another process keeps its files; it makes "
            "a lock file, empty and with the official mode, where there was none or an older client's",
            _pruned,
        )
    )


@dataclass(frozen=True)
class DeclaredResult:
    """A difference of results: for a call, if the test of (options, ours, official) holds."""

    call: str
    reason: str
    if_so: Callable[[dict[str, Any], Any, Any], bool]


DECLARED_RESULTS = [
    DeclaredResult(
        "load",
        "a file that is known to be absent is None, as one that is not known",
        lambda options, ours, theirs: ours == {"value": None} and theirs == {"value": "known to be absent"},
    ),
]
