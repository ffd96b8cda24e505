"""`snapshot_download`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, overload

from hfhub._client import kind
from hfhub.download._arguments import downloader, folder, listed, planned, takes_removed_arguments
from hfhub.download._revision import pinned
from hfhub.progress import snapshot_bars

if TYPE_CHECKING:
    from hfhub.download._plan import DryRunFileInfo

Patterns = list[str] | str | None


@overload
def snapshot_download(
    repo_id: str,
    *,
    repo_type: str | None = ...,
    revision: str | None = ...,
    cache_dir: str | os.PathLike[str] | None = ...,
    local_dir: str | os.PathLike[str] | None = ...,
    library_name: str | None = ...,
    library_version: str | None = ...,
    user_agent: Mapping[str, Any] | str | None = ...,
    etag_timeout: float = ...,
    force_download: bool = ...,
    token: str | bool | None = ...,
    local_files_only: bool = ...,
    allow_patterns: Patterns = ...,
    ignore_patterns: Patterns = ...,
    max_workers: int = ...,
    tqdm_class: Any = ...,
    headers: Mapping[str, str] | None = ...,
    endpoint: str | None = ...,
    dry_run: Literal[False] = ...,
) -> str: ...


@overload
def snapshot_download(
    repo_id: str,
    *,
    repo_type: str | None = ...,
    revision: str | None = ...,
    cache_dir: str | os.PathLike[str] | None = ...,
    local_dir: str | os.PathLike[str] | None = ...,
    library_name: str | None = ...,
    library_version: str | None = ...,
    user_agent: Mapping[str, Any] | str | None = ...,
    etag_timeout: float = ...,
    force_download: bool = ...,
    token: str | bool | None = ...,
    local_files_only: bool = ...,
    allow_patterns: Patterns = ...,
    ignore_patterns: Patterns = ...,
    max_workers: int = ...,
    tqdm_class: Any = ...,
    headers: Mapping[str, str] | None = ...,
    endpoint: str | None = ...,
    dry_run: Literal[True],
) -> list[DryRunFileInfo]: ...


@takes_removed_arguments
def snapshot_download(
    repo_id: str,
    *,
    repo_type: str | None = None,
    revision: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    local_dir: str | os.PathLike[str] | None = None,
    library_name: str | None = None,
    library_version: str | None = None,
    user_agent: Mapping[str, Any] | str | None = None,
    etag_timeout: float = 10,
    force_download: bool = False,
    token: str | bool | None = None,
    local_files_only: bool = False,
    allow_patterns: Patterns = None,
    ignore_patterns: Patterns = None,
    max_workers: int = 8,
    tqdm_class: Any = None,
    headers: Mapping[str, str] | None = None,
    endpoint: str | None = None,
    dry_run: bool = False,
) -> str | list[DryRunFileInfo]:
    """Brings all files of a revision into the cache or a folder, or those that pass the patterns.

    Costs one request for the commit, the listing (a page per 1,000 files), and one per missing file; one when a branch
    is cached, none when a full commit is. Files of the same content are fetched once.

    Args:
        repo_id: `namespace/name`.
        repo_type: "model" (when absent), "dataset" or "space".
        revision: branch, tag or commit; `main` when absent.
        cache_dir: the cache; `HF_HUB_CACHE` when absent.
        local_dir: a folder to put the files into, in place of the cache.
        library_name: name of the calling library, for the user agent.
        library_version: its version.
        user_agent: more for the user agent.
        etag_timeout: seconds to wait for an answer about a file; `HF_HUB_ETAG_TIMEOUT` wins.
        force_download: fetch again what is there.
        token: a token, True for the stored one, False for none.
        local_files_only: make no request.
        allow_patterns: only files that match one of these (`fnmatch`; `*` matches `/` too).
        ignore_patterns: no files that match one of these.
        max_workers: files fetched at a time; six of at most 1 MiB count as one.
        tqdm_class: class of the progress bars.
        headers: more headers, sent to the endpoint only.
        endpoint: address of the hub.
        dry_run: say what would be done, and do nothing.

    Returns:
        The snapshot's folder, or `local_dir`; with `dry_run` a `DryRunFileInfo` for each file.

    Raises:
        IncompleteSnapshotError: the hub cannot be asked, and files are missing.
        DryRunError: `dry_run`, and the hub cannot be asked.
        Else as `hf_hub_download`.
    """
    native = downloader(
        endpoint=endpoint,
        token=token,
        cache_dir=cache_dir,
        library_name=library_name,
        library_version=library_version,
        user_agent=user_agent,
        headers=headers,
        etag_timeout=etag_timeout,
    )
    target = None if local_dir is None else folder(local_dir)
    asked = pinned(revision, repo_id, repo_type)
    if dry_run:
        plans = native.plan_snapshot(
            kind(repo_type),
            repo_id,
            asked,
            allow_patterns=listed(allow_patterns),
            ignore_patterns=listed(ignore_patterns),
            force=force_download,
            local_files_only=local_files_only,
            local_dir=target,
        )
        return [planned(*plan) for plan in plans]
    with snapshot_bars(tqdm_class) as progress:
        return native.download_snapshot(
            kind(repo_type),
            repo_id,
            asked,
            allow_patterns=listed(allow_patterns),
            ignore_patterns=listed(ignore_patterns),
            max_workers=max(1, max_workers),
            force=force_download,
            local_files_only=local_files_only,
            local_dir=target,
            progress=progress,
        )
