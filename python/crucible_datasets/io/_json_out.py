"""`to_json`: natively where the bytes are known to be pandas', by pandas elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crucible_datasets.errors import UnsupportedError
from crucible_datasets.features import decoder
from crucible_datasets.io._frames import frame
from crucible_datasets.io._output import Output, inferred_compression, is_path, opened
from crucible_datasets.io._pieces import checked_num_proc, pieces
from crucible_datasets.utils import progress

if TYPE_CHECKING:
    from _crucible._native import Table
    from crucible_datasets.features import Features

_PACKINGS = (None, "infer", "gzip", "bz2", "xz")
_PRECISION = 10


def write_json(
    table: Table,
    features: Features,
    target: Output,
    batch_size: int,
    num_proc: int | None = None,
    storage_options: Mapping[str, Any] | None = None,
    **options: Any,
) -> int:
    """Writes rows as JSON.

    Args:
        table: the rows.
        features: features of its columns.
        target: a path, an address that fsspec knows, or an open binary file.
        batch_size: rows of a batch.
        num_proc: checked; threads do the work.
        storage_options: options of the file system of an address.
        **options: of `pandas.DataFrame.to_json`; `orient` is "records" and `lines` True unless given, `compression` by
            the suffix of a path.

    Returns:
        Number of bytes before compression.

    Raises:
        NotImplementedError: an unknown compression, one for an open file, or more rows than `batch_size` where the
            result is not lines.
        ImportError: columns or options that pandas has to write, and it is not installed.
        ValueError: `num_proc` below 1, or options that exclude each other.
        OSError: the file cannot be written.
    """
    checked_num_proc(num_proc)
    options.pop("path_or_buf", None)
    orient = options.pop("orient", "records")
    lines = options.pop("lines", orient == "records")
    if "index" not in options and orient in ("split", "table"):
        options["index"] = False
    packing = options.pop("compression", "infer" if is_path(target) else None)
    if packing not in _PACKINGS:
        msg = f"`datasets` currently does not support {packing} compression"
        raise UnsupportedError(msg)
    if not lines and batch_size < table.num_rows:
        msg = (
            "Output JSON will not be formatted correctly when lines = False and batch_size < number of rows in the "
            f"dataset: pass batch_size={table.num_rows}, or use to_pandas().to_json()."
        )
        raise UnsupportedError(msg)
    if packing is not None and not is_path(target):
        msg = (
            "The compression parameter is not supported when writing to a buffer, but "
            f"compression={packing} was passed. Please provide a local path instead."
        )
        raise UnsupportedError(msg)
    if packing == "infer":
        packing = inferred_compression(target)
    native = _native(features, batch_size, orient, lines, options)
    written = 0
    batches = -(-table.num_rows // batch_size)
    with (
        opened(target, packing, storage_options) as out,
        progress("Creating json from Arrow format", batches, "ba") as meter,
    ):
        for start, stop in pieces(table, batch_size) if table.num_rows else [(0, 0)] * (not lines):
            reason = "options of pandas, or values that are JSON"
            if native is not None:
                try:
                    written += out.write(table.json_rows(start, stop, native))
                    meter.reached(-(-stop // batch_size))
                    continue
                except UnsupportedError as error:
                    reason = str(error)
            for first in range(start, stop, batch_size) if stop else [0]:
                part = table.slice(first, min(stop, first + batch_size))
                made = frame(part, features, f"to_json ({reason})", json=True)
                text = made.to_json(None, orient=orient, lines=lines, **options)
                written += out.write((text if text.endswith("\n") else text + "\n").encode("utf-8"))
                meter.reached(-(-(first + part.num_rows) // batch_size))
    return written


def _native(features: Features, batch_size: int, orient: Any, lines: Any, options: dict[str, Any]) -> str | None:
    """The native options; None where pandas has to write."""
    left = dict(options)
    precision = left.pop("double_precision", _PRECISION)
    spec = {
        "batch_size": batch_size,
        "lines": lines,
        "force_ascii": left.pop("force_ascii", True),
        "double_precision": precision,
        "date_unit": left.pop("date_unit", "ms"),
    }
    usual: dict[str, tuple[Any, ...]] = {
        "date_format": (None, "epoch"),
        "index": (None, False),
        "indent": (None, 0),
        "mode": ("w",),
        "default_handler": (None,),
    }
    if orient != "records" or any(value not in usual.get(key, ()) for key, value in left.items()):
        return None
    if not isinstance(lines, bool) or not isinstance(spec["force_ascii"], bool) or spec["date_unit"] not in _UNITS:
        return None
    if type(precision) is not int or precision not in range(1, 16):
        return None
    if any(decoder(feature, json_alone=True) is not None for feature in features.values()):
        return None
    return json.dumps(spec)


_UNITS = ("s", "ms", "us", "ns")
