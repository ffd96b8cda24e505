"""`hfhub download` and `hfhub snapshot`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hfhub.cli import _parser
from hfhub.cli._report import Column, Table, size
from hfhub.cli._target import Target, UsageError, target
from hfhub.download import hf_hub_download, snapshot_download
from hfhub.errors import RemoteEntryNotFoundError

_MAGIC = str.maketrans({"[": "[[]", "*": "[*]", "?": "[?]"})
_NO_BARS = "HF_HUB_DISABLE_PROGRESS_BARS"


@contextmanager
def _quiet(quiet: bool) -> Iterator[None]:
    before = os.environ.get(_NO_BARS)
    if quiet:
        os.environ[_NO_BARS] = "1"
    try:
        yield
    finally:
        if quiet:
            os.environ.pop(_NO_BARS, None)
            if before is not None:
                os.environ[_NO_BARS] = before


def _options(arguments: argparse.Namespace, place: Target) -> dict[str, Any]:
    options = {
        "repo_type": place.kind,
        "revision": place.revision,
        "token": arguments.token,
        "cache_dir": arguments.cache_dir,
        "force_download": arguments.force_download,
        "local_files_only": arguments.offline,
    }
    if arguments.local_dir:
        options["local_dir"] = arguments.local_dir
    if arguments.dry_run:
        options["dry_run"] = True
    return options


def _planned(found: Any) -> Table:
    files = found if isinstance(found, list) else [found]
    rows = [
        {
            "file": file.filename,
            "size": file.file_size,
            "will_download": file.will_download,
            "is_cached": file.is_cached,
            "path": str(file.local_path),
            "commit": file.commit_hash,
        }
        for file in files
    ]
    total = sum(row["size"] or 0 for row in rows if row["will_download"])
    count = sum(row["will_download"] for row in rows)
    columns = [
        Column("file", "FILE"),
        Column("size", "SIZE", size, right=True),
        Column("will_download", "", lambda will: "to download" if will else "cached"),
    ]
    return Table(columns, rows, f"{count} of {len(rows)} files, {size(total)} to download")


def _snapshot(arguments: argparse.Namespace, place: Target, files: list[str]) -> Any:
    exact = [file for file in files if not file.endswith("/")]
    allow = [file.translate(_MAGIC) + ("*" if file.endswith("/") else "") for file in files] + (arguments.include or [])
    found: Any = snapshot_download(
        place.repo_id,
        allow_patterns=allow or None,
        ignore_patterns=arguments.exclude,
        max_workers=arguments.max_workers,
        **_options(arguments, place),
    )
    names = {file.filename for file in found} if isinstance(found, list) else None
    for file in exact:
        there = file in names if names is not None else (Path(found) / file).exists()
        if not there:
            error = RemoteEntryNotFoundError(f"{file} of {place.kind} {place.repo_id}: no such file")
            error.repo_id, error.path = place.repo_id, file
            raise error
    return found


def _run(arguments: argparse.Namespace) -> Any:
    place = target(arguments.repo_id, arguments.repo_type, arguments.revision)
    files = ([place.path] if place.path else []) + list(getattr(arguments, "files", []))
    patterns = arguments.include or arguments.exclude
    if files and patterns:
        msg = "name files, or give --include and --exclude: not both"
        raise UsageError(msg)
    if arguments.max_workers < 1:
        msg = "--max-workers must be 1 or more"
        raise UsageError(msg)
    with _quiet(arguments.quiet):
        if len(files) == 1 and not files[0].endswith("/"):
            found: Any = hf_hub_download(place.repo_id, files[0], **_options(arguments, place))
        else:
            found = _snapshot(arguments, place, files)
    if arguments.dry_run:
        return _planned(found)
    return {"path": found} if arguments.json else found


def add_to(parser: argparse.ArgumentParser, name: str) -> None:
    """Adds the arguments of `download` or `snapshot`."""
    _parser.repo(parser)
    if name == "download":
        parser.add_argument("files", nargs="*", metavar="FILE", help="paths; with / at the end a folder; default: all")
    parser.add_argument("--include", nargs="+", action="extend", metavar="PATTERN", help="only what matches")
    parser.add_argument("--exclude", nargs="+", action="extend", metavar="PATTERN", help="nothing that matches")
    _parser.cache_dir(parser)
    parser.add_argument("--local-dir", help="put the files here, in place of the cache")
    parser.add_argument("--force-download", "--force", action="store_true", help="fetch again what is there")
    parser.add_argument("--offline", action="store_true", help="make no request")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be fetched")
    parser.add_argument("--max-workers", type=int, default=8, metavar="N", help="files at a time (default: 8)")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress bars")
    lines = {
        "download": (
            "hfhub download openai/gsm8k README.md",
            "hfhub download openai/gsm8k main/ --local-dir ./gsm8k",
            "hfhub download models/openai-community/gpt2 config.json model.safetensors",
            "hfhub download hf://datasets/openai/gsm8k@main/README.md",
            "hfhub download openai/gsm8k --include '*.parquet' --dry-run",
        ),
        "snapshot": ("hfhub snapshot openai/gsm8k", "hfhub snapshot gpt2 --type model --exclude '*.bin' '*.h5'"),
    }
    _parser.examples(parser, _run, *lines[name])
