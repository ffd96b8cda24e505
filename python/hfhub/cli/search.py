"""`hfhub search`."""

from __future__ import annotations

import argparse
from typing import Any

from hfhub.api import HfApi
from hfhub.cli import _parser
from hfhub.cli._report import Column, Table
from hfhub.cli._target import KINDS, UsageError

_SORTS = ["created_at", "downloads", "last_modified", "likes", "trending_score"]


def _run(arguments: argparse.Namespace) -> Table:
    if arguments.limit is not None and arguments.limit < 1:
        msg = "--limit must be 1 or more"
        raise UsageError(msg)
    api = HfApi(token=arguments.token)
    search: Any = {"dataset": api.list_datasets, "model": api.list_models, "space": api.list_spaces}[arguments.kind]
    found = search(
        search=arguments.text,
        author=arguments.author,
        filter=arguments.filter,
        sort=arguments.sort,
        limit=arguments.limit,
    )
    rows = [
        {
            "id": info.id,
            "downloads": getattr(info, "downloads", None),
            "likes": getattr(info, "likes", None),
            "last_modified": info.last_modified,
            "private": getattr(info, "private", None),
            "gated": getattr(info, "gated", None),
            "tags": info.tags,
        }
        for info in found
    ]
    columns = [
        Column("id", "ID"),
        Column("downloads", "DOWNLOADS", "{:,}".format, right=True),
        Column("likes", "LIKES", "{:,}".format, right=True),
        Column("last_modified", "MODIFIED", lambda moment: f"{moment:%Y-%m-%d}"),
    ]
    notes = [f"the first {arguments.limit}; --limit shows more"] if len(rows) == arguments.limit else []
    return Table(columns, rows, "" if rows else "nothing found", notes)


def add_to(parser: argparse.ArgumentParser, _name: str) -> None:
    """Adds the arguments of `search`."""
    parser.add_argument("text", nargs="?", metavar="TEXT", help="text in the id")
    parser.add_argument("--type", "--repo-type", dest="kind", choices=KINDS, default="dataset", help="default: dataset")
    parser.add_argument("--author", help="namespace")
    parser.add_argument("--filter", action="append", metavar="TAG", help="a tag it must have; may be repeated")
    parser.add_argument("--sort", choices=_SORTS, help="the largest first")
    parser.add_argument("--limit", type=int, default=20, metavar="N", help="default: 20")
    _parser.token(parser)
    _parser.examples(
        parser,
        _run,
        "hfhub search gsm8k",
        "hfhub search --type model --author openai-community --sort downloads --limit 5",
        "hfhub search --filter task_categories:summarization --filter language:en --json",
    )
