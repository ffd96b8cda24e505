"""Options of CSV files: the names and defaults of pandas' `read_csv`, as `datasets` takes them."""

from __future__ import annotations

import json
from typing import Any

from crucible_datasets.errors import UnsupportedError

_DEFAULTS: dict[str, Any] = {
    "sep": ",", "delimiter": None, "header": "infer", "names": None, "column_names": None, "quotechar": '"', "quoting": 0,
    "escapechar": None, "comment": None, "doublequote": True, "skipinitialspace": False, "skip_blank_lines": True,
    "skiprows": None, "nrows": None, "na_values": None, "keep_default_na": True, "na_filter": True, "true_values": None,
    "false_values": None, "thousands": None, "decimal": ".", "on_bad_lines": "error",
}  # fmt: skip
_IGNORED = {
    "chunksize", "engine", "memory_map", "low_memory", "mangle_dupe_cols", "float_precision", "verbose", "error_bad_lines",
    "warn_bad_lines",
}  # fmt: skip
"""Taken and without effect: how pandas works, not what it reads."""
_NOT_READ = {
    "index_col", "usecols", "prefix", "converters", "lineterminator", "encoding", "dialect", "skipfooter",
    "encoding_errors", "date_format", "names_from_header",
}  # fmt: skip
_QUOTE_NONE = 3

NAMES = {*_DEFAULTS, *_IGNORED, *_NOT_READ}
"""Options that `datasets` has for CSV."""


def csv_options(given: dict[str, Any]) -> str:
    """The native form (JSON) of CSV options.

    Args:
        given: options by their pandas names; unknown ones were refused before.

    Raises:
        UnsupportedError: an option, or a value of one, that is not read here.
        ValueError: a value that no CSV reader takes.
    """
    for name in sorted(_NOT_READ & set(given)):
        if given[name] not in (None, "utf-8", "strict", 0):
            msg = f"The CSV option {name}={given[name]!r} is not read. Options that are: {sorted(_DEFAULTS)}"
            raise UnsupportedError(msg)
    options = {**_DEFAULTS, **given}
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
        }
    )


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
