"""How results and failures are printed."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from _crucible._settings import terminal_settings
from hfhub.cache._text import size_text
from hfhub.cli._target import UsageError
from hfhub.errors import CrucibleError


@dataclass
class Column:
    """A column of a table.

    Attributes:
        key: of the rows' dicts.
        title: at its top.
        text: how a value is written; absent values are empty.
        right: whether numbers stand under each other.
    """

    key: str
    title: str
    text: Callable[[Any], str] = str
    right: bool = False


@dataclass
class Table:
    """Rows for people, and for scripts with all their keys.

    Attributes:
        columns: what people see.
        rows: one dict a row.
        footer: a line below, for people.
        notes: more lines, on stderr, for people.
    """

    columns: list[Column]
    rows: list[dict[str, Any]]
    footer: str = ""
    notes: list[str] = field(default_factory=list)


@dataclass
class Outcome:
    """What a command did.

    Attributes:
        facts: for scripts.
        text: for people.
        code: exit code.
    """

    facts: Any
    text: str
    code: int = 0


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)


def _cell(column: Column, row: dict[str, Any]) -> str:
    value = row.get(column.key)
    text = "" if value is None else column.text(value)
    return "".join(c if c.isprintable() else "�" for c in text)  # names come from strangers: no escape codes


def _print_table(table: Table) -> None:
    cells = [[_cell(column, row) for column in table.columns] for row in table.rows]
    titles = [column.title for column in table.columns]
    widths = [max(map(len, column)) for column in zip(titles, *cells, strict=True)]

    def line(texts: Iterable[str]) -> str:
        parts = (
            text.rjust(width) if column.right else text.ljust(width)
            for text, width, column in zip(texts, widths, table.columns, strict=True)
        )
        return "  ".join(parts).rstrip()

    bold = sys.stdout.isatty() and terminal_settings().color
    if cells:
        print(f"\x1b[1m{line(titles)}\x1b[0m" if bold else line(titles))
    for row in cells:
        print(line(row))
    if table.footer:
        print(table.footer)


def show(result: Any, *, as_json: bool) -> None:
    """Prints a result on stdout.

    Args:
        result: a `Table`, an `Outcome`, a dict, a list, a text, or None for nothing.
        as_json: for scripts.
    """
    if isinstance(result, Outcome):
        result = result.facts if as_json else result.text
    if as_json:
        if result is not None:
            rows = result.rows if isinstance(result, Table) else result
            print(json.dumps(rows, indent=1, default=_plain, ensure_ascii=False))
    elif isinstance(result, Table):
        _print_table(result)
        for note in result.notes:
            print(note, file=sys.stderr)
    elif isinstance(result, dict):
        for key, value in result.items():
            shown = json.dumps(value, default=_plain, ensure_ascii=False) if isinstance(value, dict | list) else value
            print(f"{key}: {shown}")
    elif isinstance(result, list):
        for item in result:
            print(item)
    elif result:
        print(result)


def failure(error: Exception, *, debug: bool) -> int:
    """Prints what went wrong on stderr, and what to do about it.

    Returns:
        The exit code.
    """
    if debug or terminal_settings().debug:
        traceback.print_exception(error)
    elif isinstance(error, CrucibleError | OSError | ValueError | ImportError):
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        for note in getattr(error, "__notes__", []):
            print(f"  hint: {note}", file=sys.stderr)
    else:
        place = Path(traceback.extract_tb(error.__traceback__)[-1].filename).name
        print(f"internal error in {place}: {type(error).__name__}: {error} (--debug shows more)", file=sys.stderr)
    return 2 if isinstance(error, UsageError) else 1


def ask(question: str, *, yes: bool) -> bool:
    """Whether to go on: `--yes`, or the answer on a terminal.

    Raises:
        UsageError: there is no terminal to ask at.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        msg = "there is no terminal to ask at: give --yes to go on, or --dry-run to only look"
        raise UsageError(msg)
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def size(value: float) -> str:
    """A column of sizes."""
    return size_text(value)
