"""The command line: `python -m crucible_datasets COMMAND`.

Exit codes: 0 good, 1 failed, 2 misuse, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from itertools import islice

from crucible_datasets.cli.quickstart import quickstart
from crucible_datasets.compat._run import run
from crucible_datasets.errors import CrucibleError
from crucible_datasets.load import get_dataset_config_names, get_dataset_split_names, load_dataset


def _info(arguments: argparse.Namespace) -> None:
    configs = get_dataset_config_names(arguments.path, arguments.revision)
    chosen = [arguments.name] if arguments.name else configs
    print(
        json.dumps(
            {name: get_dataset_split_names(arguments.path, name, arguments.revision) for name in chosen}, indent=1
        )
    )


def _head(arguments: argparse.Namespace) -> None:
    rows = load_dataset(
        arguments.path, arguments.name, split=arguments.split, revision=arguments.revision, streaming=True
    )
    for row in islice(rows, arguments.rows):
        print(json.dumps(row, default=str, ensure_ascii=False))


def _quickstart(_arguments: argparse.Namespace) -> None:
    quickstart()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m crucible_datasets", description="Datasets for training.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, run: object, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        return command

    add("quickstart", _quickstart, "load sample data from an embedded hub and show it")
    info = add("info", _info, "print configs and their splits as JSON")
    head = add("head", _head, "print the first rows as JSON lines, streamed")
    for command in (info, head):
        command.add_argument("path", help="dataset id or folder")
        command.add_argument("--name", help="config")
        command.add_argument("--revision", help="branch, tag or commit")
    commands.add_parser("run", help="run a Python script in which `import datasets` means crucible_datasets")
    head.add_argument("--split", default="train")
    head.add_argument("-n", "--rows", type=int, default=5)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: words after the program's name; `sys.argv` when absent.

    Returns:
        The exit code.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["run"]:  # what follows is the script's own
        return run(words[1:])
    parsed = _parser().parse_args(words)
    try:
        parsed.run(parsed)
    except KeyboardInterrupt:
        return 130
    except (CrucibleError, OSError, ValueError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        for note in getattr(error, "__notes__", []):
            print(f"  {note}", file=sys.stderr)
        return 1
    return 0
