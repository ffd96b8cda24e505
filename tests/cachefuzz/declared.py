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


def _had_local_call(todo: Sequence) -> bool:
    return any(o.client == "hfhub" and o.options.get("local") for o in todo.operations)


def _a_folder(ours: Entry, theirs: Entry, todo: Sequence) -> bool:
    return theirs is not None and theirs["kind"] == "folder" and _had_local_call(todo)


def _bookkeeping(ours: Entry, theirs: Entry, todo: Sequence) -> bool:
    """An empty lock, the ignore file, the cache tag: nothing that was downloaded."""
    known = ("b''", "b'*'", "b'Signature: 8a477f597d28d172789f06886806bc55")
    return theirs is not None and theirs.get("content", "").startswith(known) and _had_local_call(todo)


def _own_folder(ours: Entry, theirs: Entry, todo: Sequence) -> bool:
    return _empty_folder(ours, theirs, todo) and _had_local_call(todo)


def _made_by_another(ours: Entry, theirs: Entry, todo: Sequence) -> bool:
    return {e["mode"] for e in (ours, theirs) if e} == {"644", "664"} or todo.umask != 0o022


def _empty_folder(ours: Entry, theirs: Entry, todo: Sequence) -> bool:
    return ours == {"kind": "folder", "mode": f"{0o777 & ~todo.umask:o}"}


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


for _path, _if_so in (("local", _a_folder), ("local/*", _a_folder), ("local/.cache/huggingface/*", _bookkeeping)):
    DECLARED_FILES.append(
        DeclaredFile(
            _path,
            "absent",
            "a download into a local folder that fails leaves nothing; the official client leaves folders, a lock and "
            "its bookkeeping",
            _if_so,
        )
    )
DECLARED_FILES += [
    DeclaredFile(
        path,
        "extra",
        "the lock of a question about a snapshot into a local folder lies in that folder, which stays when the hub "
        "does not know the revision",
        _own_folder,
    )
    for path in ("local", "local/.cache", "local/.cache/huggingface", "local/.cache/huggingface/trees")
]
DECLARED_FILES += [
    DeclaredFile(
        "local/*.lock",
        "mode",
        "as before: the lock was made by the client that came first, and the older one makes it with another mode",
        _made_by_another,
    ),
    DeclaredFile(
        "cache/.locks*",
        "extra",
        "questions to the hub have locks too, so that processes that ask the same ask once; their folder stays",
        _empty_folder,
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
        "snapshot",
        "offline, a local folder that holds nothing but the bookkeeping of a failed download is no snapshot",
        lambda options, ours, theirs: (
            bool(options.get("local") and options.get("local_files_only"))
            and (ours, theirs) == ({"error": "not in the cache"}, {"value": "local"})
        ),
    ),
]
