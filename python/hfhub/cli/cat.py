"""`hfhub cat`."""

from __future__ import annotations

import argparse
import re
import sys

from hfhub.cli import _parser
from hfhub.cli._target import UsageError, target
from hfhub.fs import download_stream

_RANGE = re.compile(r"(\d+)-(\d*)")


def _run(arguments: argparse.Namespace) -> None:
    place = target(arguments.repo_id, arguments.repo_type, arguments.revision)
    path = arguments.path or place.path
    if not path or (arguments.path and place.path):
        msg = "name one file: hfhub cat REPO_ID FILE, or hfhub cat hf://…/FILE"
        raise UsageError(msg)
    if arguments.json:
        msg = "cat writes bytes; --json has no meaning"
        raise UsageError(msg)
    start, end = 0, None
    if arguments.range:
        match = _RANGE.fullmatch(arguments.range)
        if match is None or (match[2] and int(match[2]) < int(match[1])):
            msg = f"--range {arguments.range} must be FIRST-LAST or FIRST-, counted from 0, both included"
            raise UsageError(msg)
        start, end = int(match[1]), int(match[2]) + 1 if match[2] else None
    chunks = download_stream(
        place.repo_id,
        path,
        start=start,
        end=end,
        repo_type=place.kind,
        revision=place.revision,
        token=arguments.token,
    )
    for chunk in chunks:
        sys.stdout.buffer.write(chunk)


def add_to(parser: argparse.ArgumentParser, _name: str) -> None:
    """Adds the arguments of `cat`."""
    _parser.repo(parser)
    parser.add_argument("path", nargs="?", metavar="FILE")
    parser.add_argument("--range", metavar="FIRST-LAST", help="bytes from 0, both included; LAST may be left out")
    _parser.examples(
        parser,
        _run,
        "hfhub cat openai/gsm8k README.md",
        "hfhub cat hf://datasets/openai/gsm8k/README.md --range 0-99",
        "hfhub cat org/data big.jsonl.gz | zcat | head",
    )
