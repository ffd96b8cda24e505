"""Plans of deletion and how they are carried out."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hfhub.cache import _shared
from hfhub.cache._text import size_text

if TYPE_CHECKING:
    from hfhub.cache._types import CachedFileInfo, CachedRepoInfo, CachedRevisionInfo

_log = logging.getLogger("hfhub")


@dataclass(frozen=True)
class DeleteCacheStrategy:
    """What would be deleted; `execute()` does it.

    Attributes:
        expected_freed_size: bytes that come free.
        blobs: blobs that nothing kept links to.
        refs: files of branches and tags whose snapshot goes.
        repos: folders of repositories of which nothing is kept.
        snapshots: folders of snapshots.
        files: single files of snapshots.
        cache_dir: the cache, whose shared store is swept afterwards.
    """

    expected_freed_size: int
    blobs: frozenset[Path]
    refs: frozenset[Path]
    repos: frozenset[Path]
    snapshots: frozenset[Path]
    files: frozenset[Path] = frozenset()
    cache_dir: Path | None = None

    @property
    def expected_freed_size_str(self) -> str:
        """The size for people."""
        return size_text(self.expected_freed_size)

    def execute(self) -> None:
        """Deletes, for good.

        First what points, then what is pointed to, so that an interruption leaves no pointer to nothing. What is gone
        already or may not be deleted is logged and left.

        Raises:
            OSError: a single file cannot be deleted; its blob is then kept too.
        """
        payloads = self._payloads()
        for path in self.files:
            path.unlink(missing_ok=True)
        for paths in (self.repos, self.snapshots, self.refs, self.blobs):
            for path in paths:
                _remove(path)
        if self.cache_dir is not None:
            for payload in payloads:
                _shared.sweep(payload, self.cache_dir)

    def _payloads(self) -> set[Path]:
        """Payloads of the shared store whose links go."""
        cache = self.cache_dir
        if cache is None or not _shared.is_store(_shared.store_dir(cache)):
            return set()
        blobs = set(self.blobs)
        for repo in self.repos:
            try:
                blobs.update((repo / "blobs").iterdir())
            except OSError:
                continue
        return {payload for blob in blobs if (payload := _shared.payload_of(blob, cache)) is not None}


def _remove(path: Path) -> None:
    try:
        if path.is_symlink() or path.is_file():
            path.unlink()
        else:
            shutil.rmtree(path)
    except FileNotFoundError:
        _log.warning("%s was to be deleted and is gone already", path)
    except PermissionError as error:
        _log.warning("%s cannot be deleted: %s", path, error)


def _freed(leaving: Mapping[Path, int], cache_dir: Path | None) -> int:
    """Bytes that come free; a payload of the shared store counts once, and only if all links to it go."""
    if cache_dir is None or not _shared.is_store(_shared.store_dir(cache_dir)):
        return sum(leaving.values())
    total = 0
    payloads = set()
    for blob, size in leaving.items():
        payload = _shared.payload_of(blob, cache_dir)
        if payload is None:
            total += size
        else:
            payloads.add(payload)
    return total + sum(_shared.freed(payload, set(leaving), cache_dir) for payload in payloads)


def plan_revisions(
    chosen: Mapping[CachedRepoInfo, set[CachedRevisionInfo]], wanted: Iterable[str], cache_dir: Path | None
) -> DeleteCacheStrategy:
    """The plan for snapshots.

    Args:
        chosen: snapshots to delete, by repository.
        wanted: commits that were asked for; those not chosen are logged.
        cache_dir: the cache.
    """
    absent = set(wanted) - {revision.commit_hash for revisions in chosen.values() for revision in revisions}
    if absent:
        _log.warning("these revisions are not in the cache and cannot be deleted: %s", ", ".join(sorted(absent)))
    blobs: set[Path] = set()
    refs: set[Path] = set()
    repos: set[Path] = set()
    snapshots: set[Path] = set()
    leaving: dict[Path, int] = {}
    for repo, revisions in chosen.items():
        kept = repo.revisions - revisions
        if not kept:
            repos.add(repo.repo_path)
            leaving.update((file.blob_path, file.size_on_disk) for r in repo.revisions for file in r.files)
            continue
        kept_blobs = {file.blob_path for revision in kept for file in revision.files}
        for revision in revisions:
            snapshots.add(revision.snapshot_path)
            refs.update(repo.repo_path / "refs" / ref for ref in revision.refs)
            for file in revision.files:
                if revision.snapshot_path in file.blob_path.parents:
                    leaving[file.blob_path] = file.size_on_disk  # not a link: goes with the folder
                elif file.blob_path not in kept_blobs:
                    blobs.add(file.blob_path)
                    leaving[file.blob_path] = file.size_on_disk
    return DeleteCacheStrategy(
        expected_freed_size=_freed(leaving, cache_dir),
        blobs=frozenset(blobs),
        refs=frozenset(refs),
        repos=frozenset(repos),
        snapshots=frozenset(snapshots),
        cache_dir=cache_dir,
    )


def plan_files(chosen: set[CachedFileInfo], kept_blobs: set[Path], cache_dir: Path | None) -> DeleteCacheStrategy:
    """The plan for single files.

    Args:
        chosen: files to delete.
        kept_blobs: blobs that other files link to.
        cache_dir: the cache.
    """
    leaving = {file.blob_path: file.size_on_disk for file in chosen if file.blob_path not in kept_blobs}
    paths = frozenset(file.file_path for file in chosen)
    return DeleteCacheStrategy(
        expected_freed_size=_freed(leaving, cache_dir),
        blobs=frozenset(leaving.keys() - paths),
        refs=frozenset(),
        repos=frozenset(),
        snapshots=frozenset(),
        files=paths,
        cache_dir=cache_dir,
    )
