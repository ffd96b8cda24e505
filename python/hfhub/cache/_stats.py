"""`cache_stats`: a cache in numbers."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass

from hfhub.cache import _shared
from hfhub.cache._delete import plan_revisions
from hfhub.cache._scan import scan_cache_dir
from hfhub.cache._streams import segments

_LARGEST = 10


@dataclass(frozen=True)
class CacheStats:
    """A cache in numbers. Sizes are bytes.

    Attributes:
        cache_dir: the folder.
        size_on_disk: bytes of all blobs, each counted once.
        repos: number of repositories in order.
        revisions: number of snapshots.
        files: number of files in snapshots.
        by_type: size by repository type; a shared blob counts for each repository.
        largest: the ten largest repositories with their sizes.
        unreferenced_revisions: snapshots that no branch or tag points to.
        unreferenced_size: what `prune(unreferenced=True)` would free of them.
        incomplete_files: leftovers of interrupted or running downloads.
        incomplete_size: their size.
        shared_size: size of the shared store.
        shared_unused_size: size of what no repository links to there.
        streams_size: size of what streams keep (`load_dataset(..., streaming=True, cache=True)`).
        warnings: folders that are not in order.
        disk_free: free bytes of the disk.
    """

    cache_dir: str
    size_on_disk: int
    repos: int
    revisions: int
    files: int
    by_type: dict[str, int]
    largest: list[tuple[str, int]]
    unreferenced_revisions: int
    unreferenced_size: int
    incomplete_files: int
    incomplete_size: int
    shared_size: int
    shared_unused_size: int
    streams_size: int
    warnings: int
    disk_free: int


def cache_stats(cache_dir: str | os.PathLike[str] | None = None) -> CacheStats:
    """Counts what a cache holds, without requests.

    Args:
        cache_dir: the cache; `HF_HUB_CACHE` when absent.

    Raises:
        CacheNotFound: no such folder.
    """
    info = scan_cache_dir(cache_dir)
    cache = info.cache_dir
    assert cache is not None
    by_type: dict[str, int] = {}
    for repo in info.repos:
        by_type[repo.repo_type] = by_type.get(repo.repo_type, 0) + repo.size_on_disk
    loose = {repo: {r for r in repo.revisions if not r.refs} for repo in info.repos}
    loose = {repo: revisions for repo, revisions in loose.items() if revisions}
    largest = sorted(((repo.cache_id, repo.size_on_disk) for repo in info.repos), key=lambda pair: (-pair[1], pair[0]))
    return CacheStats(
        cache_dir=str(cache),
        size_on_disk=info.size_on_disk,
        repos=len(info.repos),
        revisions=sum(len(repo.revisions) for repo in info.repos),
        files=sum(r.nb_files for repo in info.repos for r in repo.revisions),
        by_type=dict(sorted(by_type.items())),
        largest=largest[:_LARGEST],
        unreferenced_revisions=sum(map(len, loose.values())),
        unreferenced_size=plan_revisions(loose, (), cache).expected_freed_size,
        incomplete_files=len(info.incomplete_files),
        incomplete_size=info.incomplete_size_on_disk,
        shared_size=sum(payload.lstat().st_size for payload in _shared.payloads(cache)),
        shared_unused_size=sum(_shared.unreferenced(cache).values()),
        streams_size=sum(segments(cache).values()),
        warnings=len(info.warnings),
        disk_free=shutil.disk_usage(cache).free,
    )
