"""`prune`: what is not needed any more, by reference, by age and by size. What a running process holds stays."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from hfhub.cache import _locks, _shared, _streams
from hfhub.cache._delete import plan_files, plan_revisions
from hfhub.cache._journal import is_alive, journal_of, orphans
from hfhub.cache._scan import scan_cache_dir, scan_repo
from hfhub.cache._text import parse_duration, parse_size
from hfhub.cache._types import CachedRepoInfo, CachedRevisionInfo, HFCacheInfo
from hfhub.errors import CorruptedCacheException

Age = float | str | timedelta


@dataclass(frozen=True)
class PruneReport:
    """What was removed, or would be.

    Attributes:
        freed: bytes.
        revisions: removed snapshots, as `type/namespace/name@commit`.
        blobs: blobs removed to get below `max_size`.
        incomplete: removed leftovers of interrupted downloads.
        shared: removed payloads of the shared store that no repository used.
        streams: removed segments of what streams kept.
        busy: repositories and leftovers left alone because a running process holds their locks.
        size_on_disk: bytes of the blobs that stay.
        dry_run: whether nothing was really removed.
    """

    freed: int
    revisions: list[str]
    blobs: list[Path]
    incomplete: list[Path]
    shared: list[Path]
    streams: list[Path]
    busy: list[str]
    size_on_disk: int
    dry_run: bool


@dataclass
class _Plan:
    """What to remove, by repository."""

    revisions: dict[CachedRepoInfo, set[CachedRevisionInfo]] = field(default_factory=dict)
    blobs: dict[CachedRepoInfo, set[Path]] = field(default_factory=dict)
    incomplete: dict[Path, int] = field(default_factory=dict)
    shared: dict[Path, int] = field(default_factory=dict)
    busy: set[str] = field(default_factory=set)


@dataclass
class _Unit:
    """Bytes that lie on disk once: a blob, or a payload of the shared store with all the blobs that link to it."""

    size: int
    used: float = 0.0
    blobs: set[tuple[CachedRepoInfo, Path]] = field(default_factory=set)


def last_used(repo: CachedRepoInfo, revision: CachedRevisionInfo) -> float:
    """When a snapshot was last read or written, as far as the file system tells."""
    moments = [max(file.blob_last_accessed, file.blob_last_modified) for file in revision.files]
    return max(moments, default=revision.last_modified if repo.revisions else 0.0)


def _older(info: HFCacheInfo, moment: float) -> Iterator[tuple[CachedRepoInfo, CachedRevisionInfo]]:
    for repo in info.repos:
        for revision in repo.revisions:
            if last_used(repo, revision) < moment:
                yield repo, revision


def _units(info: HFCacheInfo, plan: _Plan, cache: Path) -> list[_Unit]:
    """What stays after the plan, the longest unused first."""
    units: dict[Path, _Unit] = {}
    shared = _shared.is_store(_shared.store_dir(cache))
    for repo in info.repos:
        for revision in repo.revisions - plan.revisions.get(repo, set()):
            for file in revision.files:
                payload = _shared.payload_of(file.blob_path, cache) if shared else None
                unit = units.setdefault(payload or file.blob_path, _Unit(file.size_on_disk))
                unit.used = max(unit.used, file.blob_last_accessed, file.blob_last_modified)
                unit.blobs.add((repo, file.blob_path))
    return sorted(units.values(), key=lambda unit: unit.used)


def _evict(info: HFCacheInfo, plan: _Plan, cache: Path, max_size: int) -> None:
    """Adds the longest unused blobs to the plan until the rest fits."""
    left = info.size_on_disk - sum(plan.shared.values())
    left -= plan_revisions(plan.revisions, (), cache).expected_freed_size
    for unit in _units(info, plan, cache):
        if left <= max_size:
            break
        in_use = {repo.cache_id for repo, blob in unit.blobs if _locks.is_held(_locks.lock_path(blob))}
        if in_use:
            plan.busy |= in_use
            continue
        left -= unit.size
        for repo, blob in unit.blobs:
            plan.blobs.setdefault(repo, set()).add(blob)
    for repo, blobs in plan.blobs.items():
        for revision in repo.revisions:
            # A snapshot of which nothing stays goes whole, with its refs: an empty one would look complete.
            if revision.files and all(file.blob_path in blobs for file in revision.files):
                plan.revisions.setdefault(repo, set()).add(revision)


def _plan(
    info: HFCacheInfo,
    cache: Path,
    *,
    unreferenced: bool,
    incomplete: bool,
    before: float | None,
    max_size: int | None,
) -> _Plan:
    plan = _Plan()
    chosen: set[tuple[CachedRepoInfo, CachedRevisionInfo]] = set()
    if unreferenced:
        chosen |= {(repo, revision) for repo in info.repos for revision in repo.revisions if not revision.refs}
        plan.shared = _shared.unreferenced(cache)
    if before is not None:
        chosen |= set(_older(info, before))
    working = {repo: _locks.busy(repo.repo_path) for repo, _ in chosen}
    plan.busy |= {repo.cache_id for repo, at_work in working.items() if at_work}
    for repo, revision in chosen:
        if not working[repo]:
            plan.revisions.setdefault(repo, set()).add(revision)
    if incomplete:
        for file in info.incomplete_files:
            if _locks.is_held(_locks.lock_path(file.file_path)) or is_alive(journal_of(file.file_path)):
                plan.busy.add(str(file.file_path))
            else:
                plan.incomplete[file.file_path] = file.size_on_disk
    if max_size is not None:
        _evict(info, plan, cache, max_size)
    return plan


def _fresh(repo: CachedRepoInfo) -> CachedRepoInfo | None:
    """A repository as it is now; None if it is gone or not in order."""
    try:
        return scan_repo(repo.repo_path)
    except (CorruptedCacheException, OSError):
        return None


def _remove_incomplete(path: Path, done: _Plan) -> None:
    with _locks.held([_locks.lock_path(path)]) as free:
        if not free or is_alive(journal_of(path)):
            done.busy.add(str(path))
            return
        try:
            done.incomplete[path] = path.stat().st_size
            path.unlink()
            journal_of(path).unlink(missing_ok=True)
        except OSError:
            done.incomplete.pop(path, None)


def _remove_from(repo: CachedRepoInfo, plan: _Plan, done: _Plan, cache: Path) -> None:
    """Carries out the plan for one repository, on what it is when the locks are held."""
    commits = {revision.commit_hash: revision.refs for revision in plan.revisions.get(repo, ())}
    blobs = plan.blobs.get(repo, set())
    touched = blobs | {f.blob_path for r in plan.revisions.get(repo, ()) for f in r.files}
    with _locks.held(_locks.lock_path(blob) for blob in touched if blob.parent.name == "blobs") as free:
        now = _fresh(repo) if free else None
        if now is None:
            if not free:
                done.busy.add(repo.cache_id)
            return
        # One that became referenced meanwhile, or got a file, is in use.
        leaving = {
            revision
            for revision in now.revisions
            if commits.get(revision.commit_hash) == revision.refs and {f.blob_path for f in revision.files} <= touched
        }
        if leaving:
            done.revisions[repo] = leaving
            plan_revisions({now: leaving}, (), cache).execute()
        files = {f for r in now.revisions - leaving for f in r.files if f.blob_path in blobs}
        if files:
            plan_files(files, set(), cache).execute()
        if blobs:
            done.blobs[repo] = {blob for blob in blobs if not os.path.lexists(blob)}


def _carry_out(plan: _Plan, cache: Path) -> _Plan:
    done = _Plan(busy=set(plan.busy))
    for path in plan.incomplete:
        _remove_incomplete(path, done)
    if plan.incomplete:
        for journal in orphans(cache):
            journal.unlink(missing_ok=True)
    for repo in {**plan.revisions, **plan.blobs}:
        _remove_from(repo, plan, done, cache)
    for payload in plan.shared:
        size = _shared.sweep(payload, cache)
        if size:
            done.shared[payload] = size
    return done


def prune(
    cache_dir: str | os.PathLike[str] | None = None,
    *,
    unreferenced: bool = True,
    incomplete: bool = True,
    older_than: Age | None = None,
    max_size: int | str | None = None,
    streams: bool = False,
    dry_run: bool = False,
) -> PruneReport:
    """Removes from a cache what is not needed any more.

    What a running process downloads is left alone: its locks are tried first and held while files are removed. Files
    that are only being read are not protected; on Unix their readers keep what they opened.

    Args:
        cache_dir: the cache; `HF_HUB_CACHE` when absent.
        unreferenced: remove snapshots that no branch or tag points to, and payloads of the shared store that no
            repository uses.
        incomplete: remove what interrupted downloads left. It could have been resumed.
        older_than: remove snapshots, also referenced ones, not read or written for so long: seconds, a `timedelta`, or
            text such as `30d`. Access times are as exact as the mount options (`noatime`, `relatime`) allow.
        max_size: remove the longest unused blobs until the blobs that stay have at most so many bytes: a number, or
            text such as `10GB`. A snapshot that loses all its files goes with its refs.
        streams: remove what streams keep (`load_dataset(..., streaming=True, cache=True)`) of files that they did not
            read whole. Streams that read it now ask the hub again.
        dry_run: only say what would go.

    Returns:
        What went.

    Raises:
        CacheNotFound: no such folder.
        ValueError: an age or size that is none.
    """
    info = scan_cache_dir(cache_dir)
    cache = info.cache_dir
    assert cache is not None
    before = None
    if older_than is not None:
        seconds = older_than.total_seconds() if isinstance(older_than, timedelta) else parse_duration(older_than)
        before = time.time() - seconds
    limit = None if max_size is None else parse_size(max_size)
    plan = _plan(info, cache, unreferenced=unreferenced, incomplete=incomplete, before=before, max_size=limit)
    if dry_run:
        done = plan
        kept = {b for r in info.repos for v in r.revisions - plan.revisions.get(r, set()) for b in _blobs(v)}
        evicted = {blob for blobs in plan.blobs.values() for blob in blobs}
        freed = _freed_of(info, plan, kept - evicted, cache)
        size = info.size_on_disk - (freed - sum(plan.incomplete.values()))
    else:
        done = _carry_out(plan, cache)
        after = scan_cache_dir(cache)
        size = after.size_on_disk
        freed = max(0, info.size_on_disk - size) + sum(done.incomplete.values())
    kept_by_streams = _streams.segments(cache) if streams else {}
    gone = kept_by_streams if dry_run else _streams.remove(kept_by_streams)
    return PruneReport(
        freed=freed + sum(gone.values()),
        revisions=sorted(f"{repo.cache_id}@{r.commit_hash}" for repo, found in done.revisions.items() for r in found),
        blobs=sorted(blob for blobs in done.blobs.values() for blob in blobs),
        incomplete=sorted(done.incomplete),
        shared=sorted(done.shared),
        streams=sorted(gone),
        busy=sorted(done.busy),
        size_on_disk=size,
        dry_run=dry_run,
    )


def _blobs(revision: CachedRevisionInfo) -> set[Path]:
    return {file.blob_path for file in revision.files}


def _freed_of(info: HFCacheInfo, plan: _Plan, kept: set[Path], cache: Path) -> int:
    """Bytes that a plan frees: each blob and payload that nothing kept uses, once."""
    physical: dict[Path, int] = {}
    used: set[Path] = set()
    for repo in info.repos:
        for revision in repo.revisions:
            for file in revision.files:
                place = _shared.payload_of(file.blob_path, cache) or file.blob_path
                physical[place] = file.size_on_disk
                if file.blob_path in kept:
                    used.add(place)
    blobs = sum(size for place, size in physical.items() if place not in used)
    return blobs + sum(plan.incomplete.values()) + sum(plan.shared.values())
