"""`to_csv`: natively where the bytes are known to be pandas', by pandas elsewhere."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from crucible_datasets.errors import UnsupportedError
from crucible_datasets.io._frames import frame
from crucible_datasets.io._output import Output, opened
from crucible_datasets.io._pieces import checked_num_proc, pieces
from crucible_datasets.utils import progress

if TYPE_CHECKING:
    from _crucible._native import Table
    from crucible_datasets.features import Features

_FIXED = re.compile(r"%\.(\d{1,2})f")
_IGNORED = {"encoding", "mode", "errors", "storage_options"}
"""Options that change nothing where pandas makes a text of a frame."""
_SAME_FLOAT32 = 1e16


def write_csv(
    table: Table,
    features: Features,
    target: Output,
    batch_size: int,
    num_proc: int | None = None,
    storage_options: Mapping[str, Any] | None = None,
    **options: Any,
) -> int:
    """Writes rows as CSV.

    Args:
        table: the rows.
        features: features of its columns.
        target: a path, an address that fsspec knows, or an open binary file.
        batch_size: rows of a batch. Row numbers begin anew in each, and how times are written is decided in each.
        num_proc: checked; threads do the work.
        storage_options: options of the file system of an address.
        **options: of `pandas.DataFrame.to_csv`; `index` is False unless given.

    Returns:
        Number of bytes.

    Raises:
        ImportError: columns or options that pandas has to write, and it is not installed.
        ValueError: `num_proc` below 1.
        OSError: the file cannot be written.
    """
    checked_num_proc(num_proc)
    options.pop("path_or_buf", None)
    header = options.pop("header", True)
    index = options.pop("index", False)
    native = _native(table.column_names, batch_size, header, index, options)
    written = 0
    batches = -(-table.num_rows // batch_size)
    with (
        opened(target, storage_options=storage_options) as out,
        progress("Creating CSV from Arrow format", batches, "ba") as meter,
    ):
        for start, stop in pieces(table, batch_size) if table.num_rows else [(0, 0)]:
            done = 0
            if native is not None:
                columns, spec = native
                try:
                    written += out.write(table.select_columns(columns).csv_rows(start, stop, spec))
                    meter.reached(-(-stop // batch_size))
                    continue
                except UnsupportedError as error:
                    done, reason = start, str(error)
            else:
                done, reason = start, "options of pandas"
            for first in range(done, stop, batch_size) if stop else [0]:
                part = table.slice(first, min(stop, first + batch_size))
                text = frame(part, features, f"to_csv ({reason})").to_csv(
                    None, header=header if first == 0 else False, index=index, **options
                )
                written += out.write(text.encode("utf-8"))
                meter.reached(-(-(first + part.num_rows) // batch_size))
    return written


def _native(
    names: list[str], batch_size: int, header: Any, index: Any, options: dict[str, Any]
) -> tuple[list[str], str] | None:
    """The columns and the native options; None where pandas has to write."""
    left = {key: value for key, value in options.items() if key not in _IGNORED}
    columns = left.pop("columns", None)
    columns = names if columns is None else columns
    if not isinstance(columns, list) or len(set(map(str, columns))) < len(columns) or not set(columns) <= set(names):
        return None
    if isinstance(header, list):
        if len(header) != len(columns) or not all(isinstance(name, str) for name in header):
            return None
    elif not isinstance(header, bool):
        return None
    decimals = left.pop("float_format", None)
    found = _FIXED.fullmatch(decimals) if isinstance(decimals, str) else None
    if decimals is not None and found is None:
        return None
    label = left.pop("index_label", None)
    end = left.pop("lineterminator", None) or os.linesep
    spec = {
        "batch_size": batch_size,
        "sep": left.pop("sep", ","),
        "na_rep": left.pop("na_rep", ""),
        "header": (header if isinstance(header, list) else columns) if header else None,
        "index": index,
        "index_label": "" if label is None else label,
        "quoting": left.pop("quoting", None) or csv.QUOTE_MINIMAL,
        "quotechar": left.pop("quotechar", '"'),
        "doublequote": left.pop("doublequote", True),
        "escapechar": left.pop("escapechar", None),
        "lineterminator": end,
        "newlines": _newlines(),
        "float_decimals": None if found is None else int(found[1]),
        "float32_limit": _float32_limit(),
    }
    usual = {"compression": (None, "infer"), "date_format": (None,), "decimal": (".",), "chunksize": (None,)}
    if any(value not in usual.get(key, ()) for key, value in left.items()):
        return None
    texts = ("sep", "na_rep", "index_label", "quotechar", "lineterminator")
    if not all(isinstance(spec[key], str) for key in texts) or not all(
        isinstance(spec[key], bool) for key in ("index", "doublequote")
    ):
        return None
    if not isinstance(spec["escapechar"], str | None) or spec["quoting"] not in range(3):
        return None
    return columns, json.dumps(spec)


@cache
def _newlines() -> str:
    """The ends of lines that this Python's `csv` puts in quotes even where lines end otherwise."""
    found = ""
    for char in "\r\n":
        out = io.StringIO()
        csv.writer(out, lineterminator="|").writerow([char, ""])
        found += char if out.getvalue().startswith('"') else ""
    return found


@cache
def _float32_limit() -> float:
    """From where on this numpy writes a float32 with an exponent."""
    return _SAME_FLOAT32 if str(np.float32(1e6)) == "1000000.0" else 1e6
