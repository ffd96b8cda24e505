"""`scan_cache_dir`: what the cache holds, as the official client counts it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from _crucible._native import default_config
from hfhub.cache import _shared
from hfhub.cache._types import (
    CachedFileInfo,
    CachedIncompleteFileInfo,
    CachedRepoInfo,
    CachedRevisionInfo,
    HFCacheInfo,
)
from hfhub.errors import CacheNotFound, CorruptedCacheException

TYPES = {"datasets": "dataset", "spaces": "space", "models": "model", "kernels": "kernel"}
_SYSTEM_FILES = {".DS_Store", "Thumbs.db", "desktop.ini"}
_ROOT_FILES = {".locks", "CACHEDIR.TAG", *_SYSTEM_FILES}


def cache_folder(cache_dir: str | os.PathLike[str] | None) -> Path:
    """The cache that a call means, resolved.

    Raises:
        CacheNotFound: no such folder.
        ValueError: it is a file.
    """
    folder = Path(default_config()["cache_dir"] if cache_dir is None else cache_dir).expanduser().resolve()
    if folder.is_file():
        msg = f"the cache must be a folder, and {folder} is a file; give cache_dir or set HF_HUB_CACHE"
        raise ValueError(msg)
    if not folder.exists():
        error = CacheNotFound(f"there is no cache at {folder}; give cache_dir or set HF_HUB_CACHE")
        error.cache_dir = folder
        raise error
    return folder


def scan_cache_dir(cache_dir: str | os.PathLike[str] | None = None) -> HFCacheInfo:
    """Looks through a cache, without requests and without changing anything.

    Args:
        cache_dir: the cache; `HF_HUB_CACHE` when absent.

    Returns:
        Repositories, snapshots and files with sizes and times. A repository that is not in order is left out and named
        in `warnings`.

    Raises:
        CacheNotFound: no such folder.
        ValueError: it is a file.
    """
    cache = cache_folder(cache_dir)
    repos: set[CachedRepoInfo] = set()
    warnings: list[CorruptedCacheException] = []
    for path in cache.iterdir():
        if path.name in _ROOT_FILES or (path.name == "blobs" and _shared.is_store(path)):
            continue
        try:
            repos.add(scan_repo(path))
        except CorruptedCacheException as warning:
            warnings.append(warning)
        except OSError as error:  # gone or changed meanwhile, or not readable
            warnings.append(CorruptedCacheException(f"{path} cannot be scanned: {error}"))
    return HFCacheInfo(
        size_on_disk=_physical(repos, cache),
        repos=frozenset(repos),
        incomplete_files=frozenset(_incomplete(cache)),
        warnings=warnings,
        cache_dir=cache,
    )


def _physical(repos: set[CachedRepoInfo], cache: Path) -> int:
    sizes = {file.blob_path: file.size_on_disk for repo in repos for r in repo.revisions for file in r.files}
    if not _shared.is_store(_shared.store_dir(cache)):
        return sum(sizes.values())
    own = sum(size for blob, size in sizes.items() if _shared.payload_of(blob, cache) is None)
    shared = 0
    for payload in _shared.payloads(cache):
        try:
            shared += payload.lstat().st_size
        except OSError:
            continue
    return own + shared


def _incomplete(cache: Path) -> Iterator[CachedIncompleteFileInfo]:
    for path in cache.glob("*/blobs/*.incomplete"):
        try:
            yield CachedIncompleteFileInfo(file_path=path, size_on_disk=path.stat().st_size)
        except OSError:
            continue


def scan_repo(path: Path) -> CachedRepoInfo:
    """What one repository's folder holds.

    Raises:
        CorruptedCacheException: it is not in order.
    """
    if not path.is_dir():
        raise CorruptedCacheException(f"Repo path is not a directory: {path}")
    prefix, dashes, rest = path.name.partition("--")
    if not dashes:
        raise CorruptedCacheException(f"Repo path is not named <type>--<namespace>--<name>: {path}")
    if prefix not in TYPES:
        raise CorruptedCacheException(f"Repo type must be one of {sorted(TYPES)}, found {prefix!r}: {path}")
    snapshots = path / "snapshots"
    if not snapshots.is_dir():
        raise CorruptedCacheException(f"Snapshots dir doesn't exist in cached repo: {snapshots}")
    refs = _refs(path / "refs")
    blobs: dict[Path, os.stat_result] = {}
    revisions = set()
    for folder in snapshots.iterdir():
        if folder.name in _SYSTEM_FILES:
            continue
        if folder.is_file():
            raise CorruptedCacheException(f"Snapshots folder corrupted. Found a file: {folder}")
        revisions.add(_revision(folder, frozenset(refs.pop(folder.name, ())), blobs))
    if refs:
        named = {commit: sorted(names) for commit, names in refs.items()}
        raise CorruptedCacheException(f"Reference(s) refer to missing commit hashes: {named} ({path})")
    stats = blobs.values() or [path.stat()]
    return CachedRepoInfo(
        repo_id=rest.replace("--", "/"),
        repo_type=TYPES[prefix],
        repo_path=path,
        size_on_disk=sum(found.st_size for found in blobs.values()),
        nb_files=len(blobs),
        revisions=frozenset(revisions),
        last_accessed=max(found.st_atime for found in stats),
        last_modified=max(found.st_mtime for found in stats),
    )


def files_below(folder: Path) -> Iterator[os.DirEntry[str]]:
    """What is below a folder and is not a folder; links are not followed into folders."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from files_below(Path(entry.path))
        elif not entry.is_dir():
            yield entry


def _refs(folder: Path) -> dict[str, set[str]]:
    """Branches and tags by commit."""
    found: dict[str, set[str]] = {}
    if folder.is_file():
        raise CorruptedCacheException(f"Refs directory cannot be a file: {folder}")
    for entry in files_below(folder):
        if entry.name in _SYSTEM_FILES:
            continue
        path = Path(entry.path)
        commit = path.read_text(encoding="utf-8", errors="replace")
        found.setdefault(commit, set()).add(path.relative_to(folder).as_posix())
    return found


def _revision(folder: Path, refs: frozenset[str], blobs: dict[Path, os.stat_result]) -> CachedRevisionInfo:
    files = set()
    for entry in files_below(folder):
        path = Path(entry.path)
        # The first link only: a blob may itself link into the shared store, and its link is what a repository owns.
        blob = Path(os.path.normpath(path.parent / path.readlink())) if entry.is_symlink() else path
        found = blobs.get(blob)
        if found is None:
            try:
                found = blobs[blob] = blob.stat()
            except (FileNotFoundError, NotADirectoryError) as error:
                raise CorruptedCacheException(f"Blob missing (broken symlink): {blob}") from error
        files.add(
            CachedFileInfo(
                file_name=entry.name,
                file_path=path,
                blob_path=blob,
                size_on_disk=found.st_size,
                blob_last_accessed=found.st_atime,
                blob_last_modified=found.st_mtime,
            )
        )
    used = {file.blob_path: file for file in files}
    newest = max((file.blob_last_modified for file in files), default=None)
    return CachedRevisionInfo(
        commit_hash=folder.name,
        snapshot_path=folder,
        size_on_disk=sum(file.size_on_disk for file in used.values()),
        files=frozenset(files),
        refs=refs,
        last_modified=folder.stat().st_mtime if newest is None else newest,
    )
