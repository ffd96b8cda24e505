"""`hfhub extract`."""

from __future__ import annotations

import argparse

from hfhub.cache import extract
from hfhub.cache._text import parse_size
from hfhub.cli import _parser
from hfhub.cli._report import Outcome
from hfhub.cli._target import UsageError


def _run(arguments: argparse.Namespace) -> Outcome:
    try:
        most = None if arguments.max_size is None else parse_size(arguments.max_size)
    except ValueError as error:
        raise UsageError(str(error)) from error
    path = extract(
        arguments.archive,
        arguments.output_dir,
        token=arguments.token,
        force=arguments.force,
        max_bytes=most,
        max_ratio=arguments.max_ratio,
        max_entries=arguments.max_entries,
    )
    return Outcome({"path": path}, path)


def add_to(parser: argparse.ArgumentParser, _name: str) -> None:
    """Adds the arguments of `extract`."""
    parser.add_argument("archive", metavar="ARCHIVE", help="a file, or hf://…: zip, tar, tar.gz, tar.xz, tar.zst, gz…")
    parser.add_argument("output_dir", nargs="?", metavar="FOLDER", help="default: unpacked once, under HF_HOME")
    parser.add_argument("--force", action="store_true", help="unpack again")
    parser.add_argument("--max-size", metavar="SIZE", help="most bytes of all files (default: 1TiB)")
    parser.add_argument("--max-ratio", type=int, metavar="N", help="most bytes per byte of archive (default: 250)")
    parser.add_argument("--max-entries", type=int, metavar="N", help="most files (default: 10 million)")
    _parser.token(parser)
    _parser.examples(
        parser, _run, "hfhub extract data.tar.gz ./data", "hfhub extract hf://datasets/org/data/images.zip"
    )
