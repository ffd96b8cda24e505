"""Archives of strangers, unpacked once and safely: `extract_archive` for a file, `extract` for an address too."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import re
import secrets
import shutil
import time
from pathlib import Path
from typing import Any

from _crucible import _native
from _crucible._settings import hf_home
from hfhub.download import hf_hub_download

_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_STALE_SECONDS = 86_400.0


def _key(archive: Path) -> str:
    """What an archive is: its blob's hash, or place, size and time; and its name, which a single file inside takes."""
    blob = Path(os.path.normpath(archive.parent / archive.readlink())) if archive.is_symlink() else archive
    if blob.parent.name == "blobs" and _HASH.fullmatch(blob.name):
        what = blob.name
    else:
        found = archive.stat()
        what = f"{archive.resolve()}\0{found.st_size}\0{found.st_mtime_ns}"
    return hashlib.sha256(f"{archive.name}\0{what}".encode("utf-8", "surrogateescape")).hexdigest()[:40]


def _sweep(folder: Path) -> None:
    """Removes what killed processes left in their workshops."""
    for path in folder.glob(".extract-*.tmp"):
        try:
            stale = time.time() - path.stat().st_mtime > _STALE_SECONDS
        except OSError:
            continue
        if stale:
            shutil.rmtree(path, ignore_errors=True)


def _hit(note: Path, folder: Path) -> str | None:
    """What was unpacked before."""
    try:
        found = json.loads(note.read_bytes())["path"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    path = os.path.normpath(folder / found)
    return path if os.path.exists(path) else None  # noqa: PTH110  # text in, text out


def extract_archive(
    path: str | os.PathLike[str],
    output_dir: str | os.PathLike[str] | None = None,
    *,
    cache_dir: str | os.PathLike[str] | None = None,
    force: bool = False,
    max_bytes: int | None = None,
    max_ratio: int | None = None,
    max_entries: int | None = None,
    max_depth: int | None = None,
) -> str:
    """Unpacks zip, tar (plain or in gz, xz, zst), or a single gz, xz or zst file. What it is is told by its bytes.

    Unpacked once: the same archive is found again by its hash in the hub's cache, elsewhere by place, size and time.
    All or nothing: a failure, an interruption or a limit leaves no files. Names, links and sizes are not trusted:
    absolute names, `..`, links that lead out, devices and pipes are refused.

    Args:
        path: the archive.
        output_dir: where to unpack; must not exist or be empty. `cache_dir` when absent.
        cache_dir: folder of unpacked archives; `$HF_HOME/hfhub/extracted` when absent.
        force: unpack again what `cache_dir` holds.
        max_bytes: most bytes of all files together (default: 1 TiB).
        max_ratio: most bytes per byte of the archive, once 256 MiB are written (default: 250).
        max_entries: most files, folders and links (default: 10 million).
        max_depth: most folders in folders (default: 64).

    Returns:
        The folder; of a compressed single file the file, named without its suffix.

    Raises:
        ArchiveError: broken, cut short, of an unknown format, or unsafe.
        ArchiveLimitError: over a limit.
        DiskFullError: no space left.
        FileExistsError: `output_dir` is not empty.
        FileNotFoundError: no such archive.
    """
    archive = Path(os.path.abspath(path))  # noqa: PTH100  # links are not followed: their names tell
    archive.stat()
    limits: dict[str, Any] = {
        "max_bytes": max_bytes,
        "max_ratio": max_ratio,
        "max_entries": max_entries,
        "max_depth": max_depth,
    }
    if output_dir is not None:
        target = Path(os.path.abspath(output_dir))  # noqa: PTH100
        if target.is_dir() and not any(target.iterdir()):
            target.rmdir()
        if os.path.lexists(target):
            msg = f"{target} is there already; give an output_dir that does not exist or is empty"
            raise FileExistsError(msg)
        return str(_native.extract_archive(str(archive), archive.name, str(target), **limits)[0])
    folder = Path(cache_dir).expanduser().absolute() if cache_dir is not None else hf_home() / "hfhub" / "extracted"
    key = _key(archive)
    note, target = folder / f"{key}.json", folder / key
    if not force and (found := _hit(note, folder)) is not None:
        return found
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    if target.exists() and (force or not note.exists()):
        note.unlink(missing_ok=True)
        old = folder / f".extract-{secrets.token_hex(4)}.tmp"
        target.rename(old)
        shutil.rmtree(old, ignore_errors=True)
    result, entries, size = _native.extract_archive(str(archive), archive.name, str(target), **limits)
    text = json.dumps(
        {"path": os.path.relpath(result, folder), "archive": str(archive), "entries": entries, "bytes": size}
    )
    temporary = folder / f".extract-{secrets.token_hex(4)}.json.tmp"
    temporary.write_text(text)
    temporary.replace(note)
    return str(result)


def extract(
    path_or_url: str | os.PathLike[str],
    output_dir: str | os.PathLike[str] | None = None,
    *,
    token: str | bool | None = None,
    endpoint: str | None = None,
    **arguments: Any,
) -> str:
    """`extract_archive` of a local file or of `hf://…`, which is brought into the cache first.

    Args:
        path_or_url: a path, or `hf://[datasets/|spaces/]namespace/name[@revision]/path`.
        output_dir: as `extract_archive`.
        token: for `hf://`: a token, True for the stored one, False for none.
        endpoint: for `hf://`: address of the hub.
        **arguments: as `extract_archive`.

    Raises:
        As `extract_archive` and `hf_hub_download`.
    """
    text = os.fspath(path_or_url)
    if not text.startswith("hf://"):
        return extract_archive(text, output_dir, **arguments)
    # Late: it brings the whole of `hfhub.fs`, which the rest of this package does without.
    uri = importlib.import_module("hfhub.fs.uri").parse_hf_uri(text)
    path = hf_hub_download(
        uri.id, uri.path_in_repo, repo_type=uri.type, revision=uri.revision, token=token, endpoint=endpoint
    )
    return extract_archive(path, output_dir, **arguments)
