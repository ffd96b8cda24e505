"""The command line: `python -m hfhub COMMAND`.

Exit codes: 0 good, 1 failed, 2 misuse, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from _crucible.errors import CrucibleError
from hfhub.cli import commands


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hfhub", description="Client and mirror of the Hugging Face Hub.")
    commands.add_to(parser.add_subparsers(dest="command", required=True, metavar="COMMAND"))
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: words after the program's name; `sys.argv` when absent.

    Returns:
        The exit code.
    """
    parsed = _parser().parse_args(arguments)
    try:
        result = parsed.run(parsed)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0
    except (CrucibleError, OSError, ValueError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        for note in getattr(error, "__notes__", []):
            print(f"  {note}", file=sys.stderr)
        return 1
    if parsed.json:
        print(json.dumps(result, indent=1, default=str))
    elif isinstance(result, list):
        for line in result:
            print(commands.line(line))
    elif isinstance(result, dict):
        for key, value in result.items():
            print(f"{key}: {value}")
    elif result is not None:
        print(result)
    return 0
