"""`verify_cache`: hashes again what a cache holds, names what is bad, and fetches exactly that anew."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from _crucible._native import hash_files
from hfhub.cache import _locks, _shared
from hfhub.cache._scan import TYPES, cache_folder, files_below
from hfhub.download import hf_hub_download
from hfhub.errors import HFValidationError, LocalEntryNotFoundError

_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_BATCH_FILES = 256
_BATCH_BYTES = 4 << 30


@dataclass(frozen=True)
class BadFile:
    """A file that is not what its name promises.

    Attributes:
        repo_type: "dataset", "model" or "space"; "" in a plain folder.
        repo_id: `namespace/name`; "" in a plain folder.
        files: where it is used, as `commit/path`; empty for a blob that no snapshot uses.
        path: the blob, or the file itself where there are no links.
        reason: "hash", "missing" or "unreadable".
        expected: the hash it should have: sha256 with 64 digits, git's sha1 with 40.
        actual: the hash it has; what went wrong if it could not be read; "" if it is missing.
    """

    repo_type: str
    repo_id: str
    files: list[str]
    path: Path
    reason: str
    expected: str
    actual: str


@dataclass(frozen=True)
class VerifyReport:
    """What a check found.

    Attributes:
        checked: number of files hashed.
        bytes: their bytes.
        bad: what is not as it should be, after a repair what still is not.
        repaired: what was bad and was fetched anew, or removed because nothing used it.
        unchecked: files whose names promise no hash (from mirrors) and that no cached listing knows.
    """

    checked: int
    bytes: int
    bad: list[BadFile]
    repaired: list[BadFile]
    unchecked: list[Path]

    @property
    def ok(self) -> bool:
        """Whether nothing bad is left."""
        return not self.bad


@dataclass
class _Item:
    """A file to check."""

    repo_type: str
    repo_id: str
    path: Path
    expected: str | None
    uses: list[tuple[str, str]] = field(default_factory=list)

    def bad(self, reason: str, actual: str) -> BadFile:
        uses = sorted(f"{commit}/{path}" for commit, path in self.uses)
        return BadFile(self.repo_type, self.repo_id, uses, self.path, reason, self.expected or "", actual)


def listing_of(repo: Path, commit: str) -> dict[str, Any]:
    """The cached listing of a commit: hashes by path. Unreadable is absent."""
    try:
        found = json.loads((repo / "trees" / f"{commit}.json").read_bytes())
        return dict(found["files"]) if found.get("format_version") == 1 else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def listed_hash(listing: dict[str, Any], path: str) -> str | None:
    entry = listing.get(path)
    name = (entry.get("lfs_sha256") or entry.get("blob_id")) if isinstance(entry, dict) else None
    return name if isinstance(name, str) and _HASH.fullmatch(name) else None


def _items(repo: Path, kind: str, repo_id: str, revision: str | None) -> Iterator[_Item]:
    found: dict[Path, _Item] = {}
    commit_of = repo / "refs" / (revision or "")
    only = commit_of.read_text().strip() if revision and commit_of.is_file() else revision
    snapshots = repo / "snapshots"
    for folder in sorted(snapshots.iterdir()) if snapshots.is_dir() else []:
        if not folder.is_dir() or (only is not None and folder.name != only):
            continue
        listing = listing_of(repo, folder.name)
        for entry in files_below(folder):
            path = Path(entry.path)
            use = path.relative_to(folder).as_posix()
            blob = Path(os.path.normpath(path.parent / path.readlink())) if entry.is_symlink() else path
            item = found.get(blob)
            if item is None:
                named = blob.name if blob.parent == repo / "blobs" and _HASH.fullmatch(blob.name) else None
                item = found[blob] = _Item(kind, repo_id, blob, named or listed_hash(listing, use))
            item.uses.append((folder.name, use))
    if revision is None:
        for entry in files_below(repo / "blobs"):
            blob = Path(entry.path)
            if blob not in found and _HASH.fullmatch(blob.name):
                found[blob] = _Item(kind, repo_id, blob, blob.name)
    yield from found.values()


def _folder_items(folder: Path) -> Iterator[_Item]:
    """The files of a `local_dir`, by the notes that downloads keep there."""
    notes = folder / ".cache" / "huggingface" / "download"
    for entry in files_below(notes):
        if not entry.name.endswith(".metadata"):
            continue
        note = Path(entry.path)
        try:
            commit, etag = note.read_text().splitlines()[:2]
        except (OSError, ValueError):
            continue
        path = note.relative_to(notes).as_posix().removesuffix(".metadata")
        expected = etag if _HASH.fullmatch(etag) else None
        yield _Item("", "", folder / path, expected, [(commit, path)])


def _batches(items: list[_Item]) -> Iterator[list[_Item]]:
    batch: list[_Item] = []
    size = 0
    for item in items:
        batch.append(item)
        size += item.path.stat().st_size if item.path.exists() else 0
        if len(batch) >= _BATCH_FILES or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _check(items: list[_Item]) -> tuple[list[tuple[_Item, BadFile]], int, int]:
    """Hashes files. Returns the bad ones, the number hashed, and their bytes."""
    bad = []
    checked = total = 0
    there = [item for item in items if item.path.exists()]
    bad += [(item, item.bad("missing", "")) for item in items if not item.path.exists()]
    # A payload of the shared store is hashed once, whoever links to it.
    jobs = list({(os.path.realpath(item.path), item.expected or ""): None for item in there})
    results = dict(zip(jobs, hash_files(jobs), strict=True))
    for size, _, _ in results.values():
        checked += size is not None
        total += size or 0
    for item in there:
        _, actual, failure = results[os.path.realpath(item.path), item.expected or ""]
        if actual is None:
            bad.append((item, item.bad("unreadable", failure or "")))
        elif actual != item.expected:
            bad.append((item, item.bad("hash", actual)))
    return bad, checked, total


def _is_good(item: _Item) -> bool:
    return not _check([item])[0]


def _repair(item: _Item, arguments: dict[str, Any], cache: Path) -> bool:
    """Fetches a file anew at its commit, or removes one that nothing uses."""
    if not item.uses:
        with _locks.held([_locks.lock_path(item.path)]) as free:
            if free:
                item.path.unlink(missing_ok=True)
        return free
    if _is_good(item):
        return True  # the payload that it shares was repaired before
    payload = _shared.payload_of(item.path, cache) if _shared.is_store(_shared.store_dir(cache)) else None
    commit, path = item.uses[0]
    hf_hub_download(item.repo_id, path, repo_type=item.repo_type, revision=commit, force_download=True, **arguments)
    if not _is_good(item):
        return False
    if payload is not None:
        _shared.replace(payload, item.path, cache)
    return True


def verify_cache(
    repo_id: str | None = None,
    *,
    repo_type: str | None = None,
    revision: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    local_dir: str | os.PathLike[str] | None = None,
    repair: bool = False,
    token: str | bool | None = None,
    endpoint: str | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> VerifyReport:
    """Hashes cached files again and compares them with what their names promise. No request without `repair`.

    Blobs are named by their hash: sha256 for large files, git's sha1 for small ones. Where there are no links, or the
    names are those of a mirror, the cached listing of the commit (`trees/`) is asked.

    Args:
        repo_id: `namespace/name`; all repositories when absent. To repair a `local_dir` it is needed.
        repo_type: "model" (when absent), "dataset" or "space"; with `repo_id` only.
        revision: branch, tag or commit as cached; all snapshots, and blobs that none uses, when absent.
        cache_dir: the cache; `HF_HUB_CACHE` when absent.
        local_dir: check this folder of downloaded files in place of a cache.
        repair: fetch what is bad anew, pinned to its commit, and nothing else; remove bad blobs that nothing uses.
        token: for the repair: a token, True for the stored one, False for none.
        endpoint: for the repair: address of the hub.
        progress: called with files done and files in all.

    Returns:
        What was checked, what is bad and what was repaired.

    Raises:
        CacheNotFound: no such cache.
        LocalEntryNotFoundError: the repository or revision is not in it.
        HFValidationError: the repair of a `local_dir` without `repo_id`.
        HubError: the repair failed; what was fetched before stays.
    """
    if repair and local_dir is not None and repo_id is None:
        msg = "the notes in a local_dir do not say which repository its files are from: a repair needs repo_id"
        raise HFValidationError(msg)
    cache = None if local_dir is not None else cache_folder(cache_dir)
    items = list(_all_items(cache, local_dir, repo_id, repo_type, revision))
    if repo_id is not None and not items and cache is not None:
        what = f"{repo_type or 'model'} {repo_id}" + (f" at {revision}" if revision else "")
        error = LocalEntryNotFoundError(f"{what} is not in the cache {cache}, so there is nothing to verify")
        error.repo_id, error.revision = repo_id, revision
        raise error
    known = [item for item in items if item.expected is not None]
    unchecked = sorted(item.path for item in items if item.expected is None and item.path.exists())
    lost = [(item, item.bad("missing", "")) for item in items if item.expected is None and not item.path.exists()]
    bad, checked, total = lost, 0, 0
    done = len(items) - len(known)
    for batch in _batches(known):
        found, count, size = _check(batch)
        bad, checked, total, done = bad + found, checked + count, total + size, done + len(batch)
        if progress is not None:
            progress(done, len(items))
    repaired: list[tuple[_Item, BadFile]] = []
    if repair:
        arguments: dict[str, Any] = {"token": token, "endpoint": endpoint}
        arguments |= {"cache_dir": cache} if local_dir is None else {"local_dir": local_dir}
        left: list[tuple[_Item, BadFile]] = []
        for item, file in bad:
            if local_dir is not None:
                item.repo_id, item.repo_type = repo_id or "", repo_type or "model"
            fixed = _repair(item, arguments, cache or Path(os.devnull))
            (repaired if fixed else left).append((item, file))
        bad = left
    return VerifyReport(checked, total, [file for _, file in bad], [file for _, file in repaired], unchecked)


def _all_items(
    cache: Path | None,
    local_dir: str | os.PathLike[str] | None,
    repo_id: str | None,
    repo_type: str | None,
    revision: str | None,
) -> Iterator[_Item]:
    if local_dir is not None:
        yield from _folder_items(Path(local_dir))
        return
    assert cache is not None
    wanted = None if repo_id is None else f"{repo_type or 'model'}s--{repo_id.replace('/', '--')}"
    for repo in sorted(cache.iterdir()):
        prefix, dashes, rest = repo.name.partition("--")
        if dashes and prefix in TYPES and repo.is_dir() and wanted in (None, repo.name):
            yield from _items(repo, TYPES[prefix], repo_id or rest.replace("--", "/"), revision)
