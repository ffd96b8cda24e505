"""Options of CSV files: the names and defaults of pandas' `read_csv`, as `datasets` takes them."""

from __future__ import annotations

import csv
import json
from typing import Any

from crucible_datasets.errors import UnsupportedError
from crucible_datasets.load._encoding import encoding_options

_DEFAULTS: dict[str, Any] = {
    "sep": ",", "delimiter": None, "header": "infer", "names": None, "column_names": None, "quotechar": '"', "quoting": 0,
    "escapechar": None, "comment": None, "doublequote": True, "skipinitialspace": False, "skip_blank_lines": True,
    "skiprows": None, "nrows": None, "na_values": None, "keep_default_na": True, "na_filter": True, "true_values": None,
    "false_values": None, "thousands": None, "decimal": ".", "on_bad_lines": "error", "index_col": None, "usecols": None, "dialect": None,
}  # fmt: skip
_IGNORED = {"chunksize", "engine", "memory_map", "mangle_dupe_cols", "float_precision", "date_format"}
"""Taken and without effect: how pandas works, not what it reads. (`date_format` needs `parse_dates`, which `datasets` does not take.)"""
_NOT_READ: dict[str, Any] = {
    "prefix": None, "converters": None, "lineterminator": None, "skipfooter": 0, "verbose": False,
    "error_bad_lines": True, "warn_bad_lines": True,
}  # fmt: skip
"""Options with the one value that is taken."""
_QUOTE_NONE = 3

NAMES = {*_DEFAULTS, *_IGNORED, *_NOT_READ, "encoding", "encoding_errors"}
"""Options that `datasets` has for CSV."""


def csv_options(given: dict[str, Any]) -> dict[str, Any]:
    """The reader's form of CSV options.

    Args:
        given: options by their pandas names; unknown ones were refused before.

    Raises:
        UnsupportedError: an option, or a value of one, that is not read here.
        ValueError: a value that no CSV reader takes.
        LookupError: an unknown encoding.
    """
    for name in sorted(set(_NOT_READ) & set(given)):
        if given[name] != _NOT_READ[name]:
            hint = " Give `features` instead, or convert with `map`." if name == "converters" else ""
            msg = f"The CSV option {name}={given[name]!r} is not read.{hint} Options that are: {sorted(_DEFAULTS)}"
            raise UnsupportedError(msg)
    recoding = encoding_options(given.get("encoding"), given.get("encoding_errors"))
    return {"csv": _native_options({**_DEFAULTS, **_dialect(given.get("dialect")), **given}), **recoding}


def _dialect(dialect: Any) -> dict[str, Any]:
    """What a dialect of the `csv` module says, which options given by name go over."""
    if dialect is None:
        return {}
    found = csv.get_dialect(dialect) if isinstance(dialect, str) else dialect
    return {
        "sep": found.delimiter,
        "quotechar": found.quotechar,
        "escapechar": found.escapechar,
        "doublequote": found.doublequote,
        "skipinitialspace": found.skipinitialspace,
        "quoting": found.quoting,
    }


def _native_options(options: dict[str, Any]) -> str:
    names = options["column_names"] or options["names"]
    header = options["header"]
    if header == "infer":
        header = None if names else 0
    if not (header is None or isinstance(header, int)):
        msg = f"header must be a row number, None or 'infer', got {header!r}"
        raise UnsupportedError(msg)
    skip = options["skiprows"] or 0
    if not isinstance(skip, int):
        msg = f"skiprows must be a number of lines, got {skip!r}"
        raise UnsupportedError(msg)
    bad = options["on_bad_lines"]
    if bad not in ("error", "warn", "skip"):
        msg = f"on_bad_lines must be 'error', 'warn' or 'skip', got {bad!r}"
        raise ValueError(msg)
    quote = None if options["quoting"] == _QUOTE_NONE else _byte("quotechar", options["quotechar"])
    return json.dumps(
        {
            "delimiter": _byte("sep", options["delimiter"] or options["sep"]),
            "quote": quote,
            "escape": _byte("escapechar", options["escapechar"]),
            "comment": _byte("comment", options["comment"]),
            "double_quote": bool(options["doublequote"]),
            "skip_initial_space": bool(options["skipinitialspace"]),
            "skip_blank_lines": bool(options["skip_blank_lines"]),
            "header": header,
            "names": None if names is None else [str(name) for name in names],
            "skip_rows": skip,
            "max_rows": options["nrows"],
            "na_values": _texts("na_values", options["na_values"]),
            "keep_default_na": bool(options["keep_default_na"]),
            "na_filter": bool(options["na_filter"]),
            "true_values": _texts("true_values", options["true_values"]),
            "false_values": _texts("false_values", options["false_values"]),
            "thousands": _byte("thousands", options["thousands"]),
            "decimal": _byte("decimal", options["decimal"]),
            "bad_lines": bad,
            "use_columns": _columns("usecols", options["usecols"]),
            "index": _columns("index_col", _listed(options["index_col"])) or [],
            "no_index": options["index_col"] is False,
        }
    )


def _listed(value: Any) -> Any:
    if value is None or value is False:
        return None
    return [value] if isinstance(value, int | str) else value


def _columns(name: str, value: Any) -> list[int | str] | None:
    """Columns by number or by name.

    Raises:
        UnsupportedError: a function.
        ValueError: neither numbers nor names.
    """
    if value is None:
        return None
    if callable(value):
        msg = f"The CSV option {name} is not read as a function; give names or numbers of columns."
        raise UnsupportedError(msg)
    columns = list(value)
    if name == "usecols" and len({isinstance(column, str) for column in columns}) > 1:
        msg = "'usecols' must either be list-like of all strings or all integers."
        raise ValueError(msg)
    if not all(isinstance(column, str) or hasattr(column, "__index__") for column in columns):
        msg = f"{name} must have names or numbers of columns, got {value!r}"
        raise ValueError(msg)
    return [column if isinstance(column, str) else int(column) for column in columns]


def _byte(name: str, value: Any) -> int | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value.encode()) != 1:
        msg = f"The CSV option {name}={value!r} is not read: it must be one ASCII character."
        raise UnsupportedError(msg)
    return ord(value)


def _texts(name: str, value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, dict):
        msg = f"The CSV option {name} is not read by column; give a list for all of them."
        raise UnsupportedError(msg)
    return [str(item) for item in ([value] if isinstance(value, (str, int, float)) else value)]
