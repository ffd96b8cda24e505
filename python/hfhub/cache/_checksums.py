"""`verify_repo_checksums`: local files of one revision against the hub's listing of it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from _crucible._native import hash_files
from hfhub.api import HfApi, RepoFile
from hfhub.cache._scan import cache_folder, files_below
from hfhub.cache._verify import listed_hash, listing_of
from hfhub.errors import HFValidationError, HubConnectionError, OfflineModeIsEnabled

_COMMIT = re.compile(r"[0-9a-f]{40}")
_NOT_OF_A_REPOSITORY = ("/.git/", "/.cache/huggingface/")


class Mismatch(TypedDict):
    """A file that is not what the hub has: its hash there and here, "sha256" or "git-sha1"."""

    path: str
    expected: str
    actual: str
    algorithm: str


@dataclass(frozen=True)
class FolderVerification:
    """What a comparison with the hub found.

    Attributes:
        revision: what the files were compared with: a commit in a cache, else the revision asked for.
        checked_count: number of files that are on both sides.
        mismatches: those whose contents differ.
        missing_paths: files that only the hub has.
        extra_paths: files that only the folder has.
        verified_path: the folder.
    """

    revision: str
    checked_count: int
    mismatches: list[Mismatch]
    missing_paths: list[str]
    extra_paths: list[str]
    verified_path: Path


def _invalid(message: str, repo_id: str, revision: str | None) -> HFValidationError:
    error = HFValidationError(message)
    error.repo_id, error.revision = repo_id, revision
    return error


def _cached_commit(repo: Path, repo_id: str, revision: str | None) -> str:
    if revision is not None and _COMMIT.fullmatch(revision):
        return revision
    ref = repo / "refs" / (revision or "main")
    if ref.is_file():
        return ref.read_text(encoding="utf-8").strip()
    if revision is not None:
        raise _invalid(f"the cache does not know the commit of {revision!r} of {repo_id} ({ref})", repo_id, revision)
    snapshots = repo / "snapshots"
    found = [path.name for path in snapshots.iterdir() if path.is_dir()] if snapshots.is_dir() else []
    if len(found) != 1:
        raise _invalid(f"{len(found)} revisions of {repo_id} are cached and none is main: give one", repo_id, None)
    return found[0]


def _place(
    repo_id: str,
    repo_type: str,
    revision: str | None,
    local_dir: str | os.PathLike[str] | None,
    cache_dir: str | os.PathLike[str] | None,
) -> tuple[Path, str, Path | None]:
    """The folder to check, the revision to compare with, and the folder of the repository in a cache."""
    if local_dir is not None and cache_dir is not None:
        raise _invalid("give local_dir or cache_dir, not both", repo_id, revision)
    if local_dir is not None:
        folder = Path(local_dir).expanduser().resolve()
        if not folder.is_dir():
            raise _invalid(f"there is no folder {folder}", repo_id, revision)
        return folder, revision or "main", None
    repo = cache_folder(cache_dir) / f"{repo_type}s--{repo_id.replace('/', '--')}"
    if not repo.is_dir():
        message = f"the {repo_type} {repo_id} is not in the cache ({repo}): download it, or give local_dir"
        raise _invalid(message, repo_id, revision)
    commit = _cached_commit(repo, repo_id, revision)
    folder = repo / "snapshots" / commit
    if not folder.is_dir():
        raise _invalid(f"no files of {repo_id} at {commit} are cached ({folder})", repo_id, revision)
    return folder, commit, repo


def _promised(api: HfApi, repo_id: str, repo_type: str, revision: str, repo: Path | None) -> dict[str, str]:
    """Hashes by path: of the live listing, or without a network of the cached one, which is of the same commit."""
    try:
        entries = api.list_repo_tree(repo_id, recursive=True, revision=revision, repo_type=repo_type)
        files = [entry for entry in entries if isinstance(entry, RepoFile)]
        return {file.path: (file.lfs.sha256 if file.lfs is not None else file.blob_id).lower() for file in files}
    except (HubConnectionError, OfflineModeIsEnabled):
        cached = {} if repo is None else listing_of(repo, revision)
        found = {path: listed_hash(cached, path) for path in cached}
        if not found or None in found.values():
            raise
        return {path: name for path, name in found.items() if name is not None}


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    for entry in files_below(folder):
        path = Path(entry.path).relative_to(folder).as_posix()
        if entry.is_file() and not any(part in f"/{path}/" for part in _NOT_OF_A_REPOSITORY):
            yield path, entry.path


def _compare(folder: Path, revision: str, promised: dict[str, str]) -> FolderVerification:
    local = dict(_files(folder))
    both = sorted(promised.keys() & local.keys())
    results = hash_files([(local[path], promised[path]) for path in both])
    mismatches = [
        Mismatch(
            path=path,
            expected=promised[path],
            actual=actual if actual is not None else failure or "",
            algorithm="sha256" if len(promised[path]) == 64 else "git-sha1",
        )
        for path, (_, actual, failure) in zip(both, results, strict=True)
        if actual != promised[path]
    ]
    missing, extra = sorted(promised.keys() - local.keys()), sorted(local.keys() - promised.keys())
    return FolderVerification(revision, len(both), mismatches, missing, extra, folder)


def verify_repo_checksums(
    repo_id: str,
    *,
    repo_type: str | None = None,
    revision: str | None = None,
    local_dir: str | os.PathLike[str] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    token: str | bool | None = None,
    endpoint: str | None = None,
    repair: bool = False,
) -> FolderVerification:
    """Compares the files of one revision, in the cache or a folder, with the hub's listing of it.

    Unlike `verify_cache` it names also files that are missing and files that the hub does not have. Without a network
    the cached listing of the commit is taken, if there is one.

    Args:
        repo_id: `namespace/name`.
        repo_type: "model" (when absent), "dataset" or "space".
        revision: branch, tag or commit; when absent `main`, or in a cache without it the only one that is cached.
        local_dir: check this folder of downloaded files in place of a cache.
        cache_dir: the cache; `HF_HUB_CACHE` when absent.
        token: a token, True for the stored one, False for none.
        endpoint: address of the hub.
        repair: fetch the files anew whose contents differ, pinned to the commit that was compared, and compare again.
            Files that are missing are not fetched, files that the hub does not have are left alone.

    Returns:
        What differs, after a repair what still does.

    Raises:
        HFValidationError: nothing of it is there, or it is not clear which revision is meant (a `ValueError`).
        RepositoryNotFoundError, RevisionNotFoundError: the hub does not have it.
        HubError: the hub cannot be asked and no listing is cached, or a repair failed.
    """
    kind = repo_type or "model"
    folder, named, repo = _place(repo_id, kind, revision, local_dir, cache_dir)
    api = HfApi(endpoint=endpoint, token=token)
    commit = named
    if repair and repo is None and not _COMMIT.fullmatch(named):
        commit = api.resolve_revision(repo_id, repo_type=kind, revision=named).resolved
    promised = _promised(api, repo_id, kind, commit, repo)
    found = _compare(folder, named, promised)
    if not (repair and found.mismatches):
        return found
    place: dict[str, Any] = {"cache_dir": cache_dir} if repo is not None else {"local_dir": folder}
    for file in found.mismatches:
        api.hf_hub_download(repo_id, file["path"], repo_type=kind, revision=commit, force_download=True, **place)
    return _compare(folder, named, promised)
