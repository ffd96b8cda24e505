"""`hfhub info`."""

from __future__ import annotations

import argparse
from typing import Any

from hfhub.api import HfApi
from hfhub.cli import _parser
from hfhub.cli._report import Outcome, size
from hfhub.cli._target import target

_LISTED = ("id", "sha", "lastModified", "createdAt", "private", "gated", "disabled", "downloads", "likes")


def _run(arguments: argparse.Namespace) -> Any:
    place = target(arguments.repo_id, arguments.repo_type, arguments.revision)
    info = HfApi(token=arguments.token).repo_info(
        place.repo_id, repo_type=place.kind, revision=place.revision, files_metadata=arguments.files
    )
    raw = info.raw
    facts = {name: raw[name] for name in _LISTED if raw.get(name) is not None}
    lines = [f"{name}: {value}" for name, value in facts.items()]
    if raw.get("tags"):
        lines.append(f"tags: {', '.join(map(str, raw['tags']))}")
    siblings = info.siblings or []
    if siblings:
        sizes = [sibling.size for sibling in siblings if sibling.size is not None]
        lines.append(f"files: {len(siblings)}" + (f", {size(sum(sizes))}" if sizes else ""))
    if arguments.files:
        lines += [f"  {size(s.size) if s.size is not None else '-':>10}  {s.rfilename}" for s in siblings]
    return Outcome(raw, "\n".join(lines))


def add_to(parser: argparse.ArgumentParser, _name: str) -> None:
    """Adds the arguments of `info`."""
    _parser.repo(parser)
    parser.add_argument("--files", action="store_true", help="with files, sizes and hashes")
    _parser.examples(parser, _run, "hfhub info openai/gsm8k", "hfhub info models/openai-community/gpt2 --files --json")
