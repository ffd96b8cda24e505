"""The command line: `hfhub COMMAND`, or `python -m hfhub COMMAND`.

Exit codes: 0 good, 1 failed, 2 misuse, 130 interrupted. Results go to stdout (`--json` for scripts), all else to
stderr. Only the module of the asked command is imported.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hfhub import __version__

if TYPE_CHECKING:
    import argparse

#: Command -> module of `hfhub.cli`, and what it does.
COMMANDS = {
    "download": ("download", "bring files into the cache, or into a folder"),
    "snapshot": ("download", "bring all files of a revision into the cache"),
    "upload": ("upload", "upload a file or a folder as a commit"),
    "repos": ("repos", "make, rename and delete repositories, branches and tags"),
    "ls": ("ls", "list files and folders of a repository"),
    "info": ("info", "show what the hub says about a repository"),
    "search": ("search", "search for datasets, models or spaces"),
    "cat": ("cat", "write a file, or a range of it, to stdout"),
    "extract": ("extract", "unpack an archive, safely and once"),
    "cache": ("cache", "list, check, prune and delete what is cached"),
    "auth": ("auth", "log in and out, switch tokens"),
    "env": ("env", "show the settings as the environment gives them"),
    "serve": ("serve", "serve a folder of repositories as a read-only hub"),
    "version": ("env", "print the version"),
}


#: Commands with actions of their own.
GROUPS = {"auth", "cache", "repos"}


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name.ljust(width)}  {text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: hfhub COMMAND [OPTIONS]",
            "",
            "Client, cache and mirror of the Hugging Face Hub.",
            "",
            "commands:",
            *lines,
            "",
            "`hfhub COMMAND --help` has options and examples. All commands take --json and --debug.",
            "exit codes: 0 good, 1 failed, 2 misuse, 130 interrupted",
        ]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: words after the program's name; `sys.argv` when absent.

    Returns:
        The exit code.

    Raises:
        SystemExit: misuse (code 2), or help was asked for (code 0).
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    name = words[0] if words else "--help"
    if name in ("--version", "-V"):
        print(__version__)
        return 0
    if name in ("--help", "-h", "help"):
        print(_help())
        return 0 if words else 2
    if name not in COMMANDS:
        print(f"hfhub: no command {name!r}; there are {', '.join(COMMANDS)}", file=sys.stderr)
        raise SystemExit(2)
    return _run(name, words[1:])


def _run(name: str, words: list[str]) -> int:
    part = importlib.import_module("hfhub.cli._parser")
    module = importlib.import_module(f"hfhub.cli.{COMMANDS[name][0]}")
    parser: argparse.ArgumentParser = part.parser(name, COMMANDS[name][1])
    module.add_to(parser, name)
    # Options may stand between a repository and its files; a group's actions cannot be parsed so.
    parsed = parser.parse_args(words) if name in GROUPS else parser.parse_intermixed_args(words)
    report = importlib.import_module("hfhub.cli._report")
    try:
        result = parsed.run(parsed)
        report.show(result, as_json=parsed.json)
        sys.stdout.flush()
        return int(getattr(result, "code", 0))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader has enough (`| head`). Python would try to flush once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001  # the last resort: one line in place of a traceback
        return int(report.failure(error, debug=parsed.debug))
