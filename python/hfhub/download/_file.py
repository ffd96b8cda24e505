"""`hf_hub_download`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, overload

from hfhub._client import kind
from hfhub.download._arguments import downloader, folder, planned, takes_removed_arguments
from hfhub.download._revision import pinned
from hfhub.progress import file_bar

if TYPE_CHECKING:
    from hfhub.download._plan import DryRunFileInfo


@overload
def hf_hub_download(
    repo_id: str,
    filename: str,
    *,
    subfolder: str | None = ...,
    repo_type: str | None = ...,
    revision: str | None = ...,
    library_name: str | None = ...,
    library_version: str | None = ...,
    cache_dir: str | os.PathLike[str] | None = ...,
    local_dir: str | os.PathLike[str] | None = ...,
    user_agent: Mapping[str, Any] | str | None = ...,
    force_download: bool = ...,
    etag_timeout: float = ...,
    token: str | bool | None = ...,
    local_files_only: bool = ...,
    headers: Mapping[str, str] | None = ...,
    endpoint: str | None = ...,
    tqdm_class: Any = ...,
    dry_run: Literal[False] = ...,
) -> str: ...


@overload
def hf_hub_download(
    repo_id: str,
    filename: str,
    *,
    subfolder: str | None = ...,
    repo_type: str | None = ...,
    revision: str | None = ...,
    library_name: str | None = ...,
    library_version: str | None = ...,
    cache_dir: str | os.PathLike[str] | None = ...,
    local_dir: str | os.PathLike[str] | None = ...,
    user_agent: Mapping[str, Any] | str | None = ...,
    force_download: bool = ...,
    etag_timeout: float = ...,
    token: str | bool | None = ...,
    local_files_only: bool = ...,
    headers: Mapping[str, str] | None = ...,
    endpoint: str | None = ...,
    tqdm_class: Any = ...,
    dry_run: Literal[True],
) -> DryRunFileInfo: ...


@takes_removed_arguments
def hf_hub_download(
    repo_id: str,
    filename: str,
    *,
    subfolder: str | None = None,
    repo_type: str | None = None,
    revision: str | None = None,
    library_name: str | None = None,
    library_version: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    local_dir: str | os.PathLike[str] | None = None,
    user_agent: Mapping[str, Any] | str | None = None,
    force_download: bool = False,
    etag_timeout: float = 10,
    token: str | bool | None = None,
    local_files_only: bool = False,
    headers: Mapping[str, str] | None = None,
    endpoint: str | None = None,
    tqdm_class: Any = None,
    dry_run: bool = False,
) -> str | DryRunFileInfo:
    """Brings one file into the cache, or into a folder.

    A file at a full commit that is cached costs no request; on a branch one, and the bytes only if they are new. Size
    and hash are checked before the file gets its name. Without a network a cached file is returned, with a
    `StaleCacheWarning`.

    Args:
        repo_id: `namespace/name`.
        filename: path in the repository.
        subfolder: folder put before `filename`.
        repo_type: "model" (when absent), "dataset" or "space".
        revision: branch, tag or commit; `main` when absent.
        library_name: name of the calling library, for the user agent.
        library_version: its version.
        cache_dir: the cache; `HF_HUB_CACHE` when absent.
        local_dir: a folder to put the file into, in place of the cache; what was brought is noted under its
            `.cache/huggingface/`.
        user_agent: more for the user agent.
        force_download: fetch again what is there.
        etag_timeout: seconds to wait for an answer about the file; `HF_HUB_ETAG_TIMEOUT` wins.
        token: a token, True for the stored one, False for none.
        local_files_only: make no request.
        headers: more headers, sent to the endpoint only.
        endpoint: address of the hub.
        tqdm_class: class of the progress bar.
        dry_run: say what would be done, and do nothing.

    Returns:
        Path of the file; with `dry_run` a `DryRunFileInfo`.

    Raises:
        RepositoryNotFoundError, GatedRepoError, RevisionNotFoundError, RemoteEntryNotFoundError: what is missing.
        LocalEntryNotFoundError: not cached, and the hub cannot be asked (the cause is chained).
        ForceDownloadError: `force_download`, and the hub cannot be asked.
        IntegrityError: wrong bytes twice.
        DiskFullError: no space left.
        LockTimeoutError: another process has been downloading the same file for too long.
        HFValidationError: an argument that cannot be right (a `ValueError`).
    """
    path = f"{subfolder}/{filename}" if subfolder else filename
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
        plan = native.plan_file(
            kind(repo_type),
            repo_id,
            path,
            asked,
            force=force_download,
            local_files_only=local_files_only,
            local_dir=target,
        )
        return planned(*plan)
    with file_bar(path, tqdm_class) as progress:
        return native.download_file(
            kind(repo_type),
            repo_id,
            path,
            asked,
            force=force_download,
            local_files_only=local_files_only,
            local_dir=target,
            progress=progress,
        )
