"""Downloads into the cache, with the official names and arguments.

Not built yet: `local_dir`, `dry_run`, `tqdm_class`. They are absent from the signatures.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from _crucible._optional import require
from _crucible._settings import settings
from hfhub._client import client, kind

Patterns = list[str] | str | None


def _listed(patterns: Patterns) -> list[str] | None:
    return [patterns] if isinstance(patterns, str) else patterns


@contextmanager
def _bar(name: str) -> Iterator[Callable[[int, int | None], object] | None]:
    """A tqdm bar where there is a terminal, tqdm, and no wish against it; made when the first byte is expected."""
    if not (sys.stderr.isatty() and settings().progress_bars):
        yield None
        return
    try:
        tqdm = require("tqdm", extra="progress", why="progress bars").tqdm
    except ImportError:
        yield None
        return
    bar = tqdm(desc=name, unit="B", unit_scale=True, delay=0.2)

    def report(done: int, total: int | None) -> None:
        bar.total = total
        bar.update(done - bar.n)

    with bar:
        yield report


def hf_hub_download(
    repo_id: str,
    filename: str,
    *,
    subfolder: str | None = None,
    repo_type: str | None = None,
    revision: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    force_download: bool = False,
    token: str | bool | None = None,
    local_files_only: bool = False,
    endpoint: str | None = None,
) -> str:
    """Brings one file into the cache.

    A file at a full commit that is cached costs no request; on a branch one, and the bytes only if they are new. Size
    and hash are checked before the file gets its name. Without a network a cached file is returned.

    Args:
        repo_id: `namespace/name`.
        filename: path in the repository.
        subfolder: folder put before `filename`.
        repo_type: "model" (when absent), "dataset" or "space".
        revision: branch, tag or commit; `main` when absent.
        cache_dir: the cache; `HF_HUB_CACHE` when absent.
        force_download: fetch again what is cached.
        token: a token, True for the stored one, False for none.
        local_files_only: make no request.
        endpoint: address of the hub.

    Returns:
        Path of the file in the snapshot.

    Raises:
        RepositoryNotFoundError, GatedRepoError, RevisionNotFoundError, RemoteEntryNotFoundError: what is missing.
        LocalEntryNotFoundError: not cached, and the hub cannot be asked (the cause is chained).
        IntegrityError: wrong bytes twice.
        DiskFullError: no space left.
    """
    path = f"{subfolder}/{filename}" if subfolder else filename
    with _bar(path) as progress:
        return client(endpoint, token, cache_dir).download_file(
            kind(repo_type),
            repo_id,
            path,
            revision,
            force=force_download,
            local_files_only=local_files_only,
            progress=progress,
        )


def snapshot_download(
    repo_id: str,
    *,
    repo_type: str | None = None,
    revision: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    force_download: bool = False,
    token: str | bool | None = None,
    local_files_only: bool = False,
    allow_patterns: Patterns = None,
    ignore_patterns: Patterns = None,
    max_workers: int = 8,
    endpoint: str | None = None,
) -> str:
    """Brings all files of a revision into the cache, or those that pass the patterns.

    Costs one request for the commit, the listing, and one per missing file; nothing when a full commit is cached.

    Args:
        repo_id: `namespace/name`.
        repo_type: "model" (when absent), "dataset" or "space".
        revision: branch, tag or commit; `main` when absent.
        cache_dir: the cache; `HF_HUB_CACHE` when absent.
        force_download: fetch again what is cached.
        token: a token, True for the stored one, False for none.
        local_files_only: make no request.
        allow_patterns: only files that match one of these (`fnmatch`).
        ignore_patterns: no files that match one of these.
        max_workers: files fetched at a time.
        endpoint: address of the hub.

    Returns:
        The snapshot's folder.

    Raises:
        As `hf_hub_download`.
    """
    with _bar(repo_id) as progress:
        return client(endpoint, token, cache_dir).download_snapshot(
            kind(repo_type),
            repo_id,
            revision,
            allow_patterns=_listed(allow_patterns),
            ignore_patterns=_listed(ignore_patterns),
            max_workers=max_workers,
            force=force_download,
            local_files_only=local_files_only,
            progress=progress,
        )
