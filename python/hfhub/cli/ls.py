"""`hfhub ls`."""

from __future__ import annotations

import argparse

from hfhub.api import HfApi, RepoFile
from hfhub.cli import _parser
from hfhub.cli._report import Column, Table, size
from hfhub.cli._target import UsageError, target


def _run(arguments: argparse.Namespace) -> Table:
    place = target(arguments.repo_id, arguments.repo_type, arguments.revision)
    if place.path and arguments.path:
        msg = "the path is given twice"
        raise UsageError(msg)
    entries = HfApi(token=arguments.token).list_repo_tree(
        place.repo_id,
        (arguments.path or place.path).strip("/") or None,
        recursive=arguments.recursive,
        repo_type=place.kind,
        revision=place.revision,
    )
    rows = [
        {
            "path": entry.path,
            "type": "file" if isinstance(entry, RepoFile) else "folder",
            "size": entry.size if isinstance(entry, RepoFile) else None,
            "sha256": entry.lfs.sha256 if isinstance(entry, RepoFile) and entry.lfs else None,
            "blob_id": entry.blob_id if isinstance(entry, RepoFile) else None,
        }
        for entry in entries
    ]
    if arguments.long:
        columns = [Column("size", "SIZE", size, right=True), Column("sha256", "SHA256"), Column("path", "PATH")]
    else:
        columns = [Column("size", "SIZE", size, right=True), Column("path", "PATH")]
    total = sum(row["size"] or 0 for row in rows if isinstance(row["size"], int))
    files = sum(row["type"] == "file" for row in rows)
    return Table(columns, rows, f"{files} files, {len(rows) - files} folders, {size(total)}")


def add_to(parser: argparse.ArgumentParser, _name: str) -> None:
    """Adds the arguments of `ls`."""
    _parser.repo(parser)
    parser.add_argument("path", nargs="?", metavar="PATH", help="a folder; default: the root")
    parser.add_argument("-r", "-R", "--recursive", action="store_true", help="folders in folders too")
    parser.add_argument("-l", "--long", action="store_true", help="with sha256")
    _parser.examples(
        parser,
        _run,
        "hfhub ls openai/gsm8k",
        "hfhub ls openai/gsm8k main -r --json",
        "hfhub ls hf://datasets/openai/gsm8k@refs/convert/parquet",
    )
