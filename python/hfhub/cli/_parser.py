"""Parsers with the options that all commands share."""

from __future__ import annotations

import argparse
from typing import Any

from hfhub.cli._target import KINDS


def parser(name: str, text: str) -> argparse.ArgumentParser:
    """The parser of a command."""
    made = argparse.ArgumentParser(
        prog=f"hfhub {name}",
        description=text[0].upper() + text[1:] + ".",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return common(made)


def common(made: argparse.ArgumentParser, default: object = False) -> argparse.ArgumentParser:
    """Adds the options that all commands share. A sub-command's default is none: it would undo what was said before."""
    made.add_argument("--json", action="store_true", default=default, help="print JSON, for scripts")
    made.add_argument("--debug", action="store_true", default=default, help="show tracebacks (HF_DEBUG=1)")
    return made


def group(made: argparse.ArgumentParser, name: str) -> Any:
    """Sub-commands of a command; `add(parser, words)` makes one."""
    return made.add_subparsers(dest="action", required=True, metavar="ACTION", title=f"actions of {name}")


def action(commands: Any, name: str, run: Any, text: str, examples: str) -> argparse.ArgumentParser:
    """A sub-command."""
    made: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    common(made, argparse.SUPPRESS)
    made.set_defaults(run=run)
    return made


def examples(made: argparse.ArgumentParser, run: Any, *lines: str) -> None:
    """Sets what a command runs and the examples of its help."""
    made.epilog = "examples:\n" + "\n".join(f"  {line}" for line in lines)
    made.set_defaults(run=run)


def repo(made: argparse.ArgumentParser, *, positional: str = "repo_id") -> None:
    """A repository with type, revision and token."""
    made.add_argument(
        positional,
        metavar="REPO_ID",
        help="namespace/name, datasets/namespace/name (or models/, spaces/), or hf://…",
    )
    made.add_argument(
        "--type", "--repo-type", dest="repo_type", choices=KINDS, help="default: dataset, if REPO_ID does not say"
    )
    made.add_argument("--revision", help="branch, tag or commit (default: main)")
    token(made)


def token(made: argparse.ArgumentParser) -> None:
    """The token."""
    made.add_argument("--token", help="default: HF_TOKEN or the stored token")


def cache_dir(made: argparse.ArgumentParser) -> None:
    """The cache."""
    made.add_argument("--cache-dir", help="default: HF_HUB_CACHE, or ~/.cache/huggingface/hub")


def confirm(made: argparse.ArgumentParser) -> None:
    """What asks before it deletes."""
    made.add_argument("-y", "--yes", action="store_true", help="do not ask")
    made.add_argument("--dry-run", action="store_true", help="only say what would be done")
