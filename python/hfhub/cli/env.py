"""`hfhub env` and `hfhub version`."""

from __future__ import annotations

import argparse
import platform
from typing import Any

from _crucible import _native
from hfhub import __version__
from hfhub.cli import _parser


def _env(_arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        "hfhub": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "build": _native.build_profile,
        **_native.default_config(),
    }


def _version(arguments: argparse.Namespace) -> Any:
    return {"version": __version__} if arguments.json else __version__


def add_to(parser: argparse.ArgumentParser, name: str) -> None:
    """Adds the arguments of `env` or `version`."""
    _parser.examples(parser, _env if name == "env" else _version, f"hfhub {name}", f"hfhub {name} --json")
