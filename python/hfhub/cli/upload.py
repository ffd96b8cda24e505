"""`hfhub upload`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from hfhub.api import HfApi
from hfhub.cli import _parser
from hfhub.cli._report import Outcome
from hfhub.cli._target import Target, UsageError, target


def _place_in_repo(arguments: argparse.Namespace, local: Path, place: Target) -> str:
    """Where it goes: a file under its own name, a folder into the root, unless something else is said."""
    given: str | None = arguments.path_in_repo or place.path or None
    if local.is_dir():
        return given or ""
    if given is None:
        return local.name
    return given + local.name if given.endswith("/") else given


def _run(arguments: argparse.Namespace) -> Outcome:
    place = target(arguments.repo_id, arguments.repo_type, arguments.revision)
    local = Path(arguments.local).expanduser()
    if not local.exists():
        msg = f"{local} is not there"
        raise UsageError(msg)
    if arguments.path_in_repo and place.path:
        msg = f"{arguments.repo_id} has the path {place.path}, and {arguments.path_in_repo} is named too"
        raise UsageError(msg)
    patterns = arguments.include or arguments.exclude or arguments.delete
    if patterns and not local.is_dir():
        msg = "--include, --exclude and --delete are for folders"
        raise UsageError(msg)
    api = HfApi(token=arguments.token)
    if not arguments.no_create:
        private = True if arguments.private else None
        api.create_repo(place.repo_id, repo_type=place.kind, private=private, exist_ok=True)
    if place.revision is not None and not place.revision.startswith("refs/pr/") and not arguments.create_pr:
        api.create_branch(place.repo_id, branch=place.revision, repo_type=place.kind, exist_ok=True)
    common: dict[str, Any] = {
        "repo_id": place.repo_id,
        "repo_type": place.kind,
        "revision": place.revision,
        "path_in_repo": _place_in_repo(arguments, local, place),
        "commit_message": arguments.commit_message,
        "commit_description": arguments.commit_description,
        "create_pr": arguments.create_pr,
    }
    if local.is_dir():
        made: Any = api.upload_folder(
            folder_path=local,
            allow_patterns=arguments.include,
            ignore_patterns=arguments.exclude,
            delete_patterns=arguments.delete,
            **common,
        )
    else:
        made = api.upload_file(path_or_fileobj=local, **common)
    facts = {"commit": made.oid, "url": made.commit_url, "pr_url": made.pr_url}
    return Outcome(facts, made.pr_url or made.commit_url)


def add_to(parser: argparse.ArgumentParser, _name: str) -> None:
    """Adds the arguments of `upload`."""
    _parser.repo(parser)
    parser.add_argument("local", nargs="?", default=".", metavar="LOCAL", help="file or folder (default: this folder)")
    parser.add_argument("path_in_repo", nargs="?", metavar="PATH_IN_REPO", help="where it goes (default: the root)")
    parser.add_argument("--private", action="store_true", help="make a new repository private")
    parser.add_argument("--no-create", action="store_true", help="do not make a repository that is not there")
    parser.add_argument("--include", nargs="+", action="extend", metavar="PATTERN", help="only what matches")
    parser.add_argument("--exclude", nargs="+", action="extend", metavar="PATTERN", help="nothing that matches")
    parser.add_argument(
        "--delete", nargs="+", action="extend", metavar="PATTERN", help="files of the repository that go"
    )
    parser.add_argument("--commit-message", metavar="TEXT", help="first line of the commit's message")
    parser.add_argument("--commit-description", metavar="TEXT", help="the rest of it")
    parser.add_argument("--create-pr", action="store_true", help="open a pull request instead")
    _parser.examples(
        parser,
        _run,
        "hfhub upload me/my-data ./data",
        "hfhub upload me/my-data train.parquet data/train.parquet --commit-message 'More rows'",
        "hfhub upload models/me/my-model ./out --exclude 'checkpoint-*' --create-pr",
    )
