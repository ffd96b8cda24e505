"""The official client's shared blob store: `<cache>/blobs/<aa>/<xet hash>`, used by repositories through links.

Beside a payload lie `<hash>.lock` and `<hash>.refs`, a list of the links to it. A line counts only while that link is
there. A payload is removed only if its list is readable and no line counts: doubt keeps bytes.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hfhub.cache._locks import open_lock, wait_for

_HASH = re.compile(r"[0-9a-f]{64}")
_REPO = re.compile(r"(?:models|datasets|spaces|kernels)--.+", re.DOTALL)
_MARKER = ".huggingface-shared-blobs"
_LOCK_SECONDS = 10.0


def store_dir(cache_dir: Path) -> Path:
    """Where the store is."""
    return cache_dir / "blobs"


def _mode(path: Path) -> int:
    try:
        return path.lstat().st_mode
    except OSError:
        return 0


def is_store(folder: Path) -> bool:
    """Whether a folder is a store of the layout that is known."""
    marker = folder / _MARKER
    if not (stat.S_ISDIR(_mode(folder)) and stat.S_ISREG(_mode(marker))):
        return False
    try:
        return marker.read_text() == "1\n"
    except (OSError, ValueError):
        return False


def _is_repo_blob(path: Path, cache_dir: Path) -> bool:
    """Whether a path is `<cache>/<repo>/blobs/<name>`."""
    try:
        parts = path.relative_to(cache_dir).parts
    except ValueError:
        return False
    return len(parts) == 3 and parts[1] == "blobs" and _REPO.fullmatch(parts[0]) is not None


def _link_into_store(blob: Path, cache_dir: Path) -> Path | None:
    """The payload that a repository's blob names, there or not.

    Raises:
        OSError: it cannot be found out.
    """
    if not _is_repo_blob(blob, cache_dir):
        return None
    try:
        if not stat.S_ISLNK(blob.lstat().st_mode):
            return None
        target = Path(os.path.normpath(blob.parent / blob.readlink()))
    except FileNotFoundError:
        return None
    try:
        parts = target.relative_to(store_dir(cache_dir)).parts
    except ValueError:
        return None
    named = len(parts) == 2 and _HASH.fullmatch(parts[1]) is not None and parts[0] == parts[1][:2]
    return target if named else None


def payload_of(blob: Path, cache_dir: Path) -> Path | None:
    """The payload that a repository's blob links to, if it is there."""
    try:
        target = _link_into_store(blob, cache_dir)
    except OSError:
        return None
    return target if target is not None and stat.S_ISREG(_mode(target)) else None


def payloads(cache_dir: Path) -> set[Path]:
    """All payloads of a cache's store."""
    store = store_dir(cache_dir)
    found: set[Path] = set()
    if not is_store(store):
        return found
    for folder in _entries(store):
        if re.fullmatch(r"[0-9a-f]{2}", folder.name) and folder.is_dir(follow_symlinks=False):
            found.update(
                Path(entry.path)
                for entry in _entries(folder.path)
                if _HASH.fullmatch(entry.name)
                and entry.name.startswith(folder.name)
                and entry.is_file(follow_symlinks=False)
            )
    return found


def _entries(folder: str | Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def _list_of(payload: Path) -> Path:
    return payload.with_name(f"{payload.name}.refs")


def references(payload: Path, cache_dir: Path) -> set[Path] | None:
    """The links to a payload that are there; None if its list is absent or unreadable."""
    listed = _list_of(payload)
    if not stat.S_ISREG(_mode(listed)):
        return None
    found: set[Path] = set()
    try:
        for line in listed.read_text().splitlines():
            relative = Path(line)
            if relative.is_absolute() or ".." in relative.parts:
                continue
            if _link_into_store(cache_dir / relative, cache_dir) == payload:
                found.add(cache_dir / relative)
    except (OSError, ValueError):
        return None
    return found


def unreferenced(cache_dir: Path) -> dict[Path, int]:
    """Payloads that no repository links to, with their bytes."""
    return {
        payload: payload.lstat().st_size for payload in payloads(cache_dir) if references(payload, cache_dir) == set()
    }


def freed(payload: Path, leaving: set[Path], cache_dir: Path) -> int:
    """Bytes that come free when some links are removed."""
    links = references(payload, cache_dir)
    return payload.lstat().st_size if links and links <= leaving else 0


@contextmanager
def locked(payload: Path) -> Iterator[None]:
    """Holds the lock of a payload, shared with the official client.

    Raises:
        OSError: the lock cannot be opened, or not be had in 10 s.
    """
    descriptor = open_lock(payload.with_name(f"{payload.name}.lock"), 0o666)
    try:
        wait_for(descriptor, payload, _LOCK_SECONDS)
        yield
    finally:
        os.close(descriptor)


def sweep(payload: Path, cache_dir: Path) -> int:
    """Removes a payload that nothing links to; otherwise shortens its list to what counts. Returns the bytes freed."""
    if not is_store(store_dir(cache_dir)):
        return 0
    try:
        with locked(payload):
            links = references(payload, cache_dir)
            if links is None:
                return 0
            if links:
                _rewrite(_list_of(payload), links, cache_dir)
                return 0
            if not stat.S_ISREG(_mode(payload)):
                return 0
            size = payload.lstat().st_size
            payload.unlink()
            _list_of(payload).unlink(missing_ok=True)
            return size
    except OSError:
        return 0


def replace(payload: Path, blob: Path, cache_dir: Path) -> None:
    """Gives a payload the bytes of a blob that was fetched anew, and makes the blob a link to it again.

    Raises:
        OSError: it cannot be done; the blob stays a file of its own, which is right too.
    """
    fresh = payload.with_name(f"{payload.name}.{secrets.token_hex(4)}.tmp")
    link = blob.with_name(f".{blob.name}.{secrets.token_hex(4)}.shared")
    with locked(payload):
        if not is_store(store_dir(cache_dir)) or blob.is_symlink():
            return
        try:
            os.link(blob, fresh)
            fresh.chmod(stat.S_IMODE(_mode(payload)) or 0o444)
            fresh.replace(payload)
            link.symlink_to(os.path.relpath(payload, blob.parent))
            link.replace(blob)
        finally:
            fresh.unlink(missing_ok=True)
            link.unlink(missing_ok=True)


def _rewrite(listed: Path, links: set[Path], cache_dir: Path) -> None:
    temporary = listed.with_name(f"{listed.name}.{secrets.token_hex(4)}.tmp")
    text = "".join(f"{link.relative_to(cache_dir).as_posix()}\n" for link in sorted(links))
    try:
        with temporary.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o666)
        temporary.replace(listed)
    finally:
        temporary.unlink(missing_ok=True)
