"""`to_parquet`: the options of `datasets` and of pyarrow's writer, as native ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _crucible._native import Counter
from _crucible._optional import require
from crucible_datasets.errors import UnsupportedError
from crucible_datasets.features import require_storage_embed
from crucible_datasets.io._output import Output, by_path
from crucible_datasets.utils import progress

if TYPE_CHECKING:
    from _crucible._native import Table
    from crucible_datasets.features import Features

_LABEL = "Creating parquet from Arrow format"
_ROW_GROUP = 100 * 10**6
_CHUNKS = {"min_chunk_size": 256 * 1024, "max_chunk_size": 1024 * 1024, "norm_level": 0}
_NAMES = {
    "compression_level": "level",
    "use_dictionary": "dictionary",
    "write_statistics": "statistics",
    "write_page_index": "page_index",
    "write_batch_size": "write_batch_rows",
    "data_page_size": "page_bytes",
    "dictionary_pagesize_limit": "dictionary_bytes",
    "max_rows_per_page": "page_rows",
}
_FLAGS = ("use_dictionary", "write_statistics", "write_page_index")


def write_parquet(
    table: Table,
    features: Features,
    target: Output,
    batch_size: int | None = None,
    storage_options: Mapping[str, Any] | None = None,
    **options: Any,
) -> int:
    """Writes rows as Parquet.

    Args:
        table: the rows, with the features in their metadata.
        features: features of its columns.
        target: a path, an address that fsspec knows, or an open binary file.
        batch_size: rows of a row group; those of about 100 MB when absent.
        storage_options: options of the file system of an address.
        **options: of `pyarrow.parquet.ParquetWriter`.

    Returns:
        Bytes of the rows as Arrow data.

    Raises:
        UnsupportedError: an option that is not known here, or another value of one than a number or bool.
        ImportError: brotli, which pyarrow has to write, and it is not installed.
        SchemaError: an unknown compression, or a level that it does not have.
        OSError: the file cannot be written.
    """
    options.pop("path_or_buf", None)
    if str(options.get("compression")).lower() == "brotli":
        return _by_pyarrow(table, target, batch_size, storage_options, options)
    row_bytes = max(1, table.nbytes // max(1, table.total_rows))
    spec: dict[str, Any] = {
        "compression": str(options.pop("compression", None) or "snappy").lower(),
        "row_group_rows": batch_size or max(1, _ROW_GROUP // row_bytes),
        "plain": [name for name, feature in features.items() if require_storage_embed(feature)],
        # Where the Hub and pyarrow look for it; the Arrow schema in the footer has it too.
        "metadata": [["huggingface", json.dumps({"info": {"features": json.loads(table.features)}})]],
    }
    version = options.pop("data_page_version", "1.0")
    if version not in ("1.0", "2.0"):
        msg = f"data_page_version must be '1.0' or '2.0', got {version!r}"
        raise UnsupportedError(msg)
    spec["page_version"] = int(version[0])
    if options.pop("version", "2.6") != "2.6":
        msg = "version: only files of format 2.6 are written"
        raise UnsupportedError(msg)
    chunks = options.pop("use_content_defined_chunking", True)
    if chunks is not False:
        chunks = _CHUNKS if chunks is True else {**_CHUNKS, **chunks}
        spec["content_chunks"] = [chunks["min_chunk_size"], chunks["max_chunk_size"], chunks["norm_level"]]
        spec["metadata"].append(["content_defined_chunking", json.dumps(chunks)])
    for name, value in options.items():
        if name not in _NAMES:
            msg = (
                f"to_parquet has no option {name!r}; known: {', '.join(['compression', 'data_page_version', *_NAMES])}"
            )
            raise UnsupportedError(msg)
        wanted = bool if name in _FLAGS else int
        if value is not None and type(value) is not wanted:
            msg = f"{name} must be {wanted.__name__}, got {value!r}"
            raise UnsupportedError(msg)
        if value is not None:
            spec[_NAMES[name]] = value
    written = 0

    def write(path: Path) -> None:
        nonlocal written
        group = spec["row_group_rows"]
        counter = Counter(group)
        with progress(_LABEL, -(-table.num_rows // group), "ba") as meter:
            meter.live = counter
            written = table.write_parquet(path, json.dumps(spec), counter)

    by_path(write, target, storage_options)
    return written


def _by_pyarrow(
    table: Table,
    target: Output,
    batch_size: int | None,
    storage_options: Mapping[str, Any] | None,
    options: dict[str, Any],
) -> int:
    """Brotli is read but not written here: its encoder would be a twentieth of the wheel."""
    pa = require("pyarrow", extra="arrow", why="to_parquet(compression='brotli')")
    pq = require("pyarrow.parquet", extra="arrow", why="to_parquet(compression='brotli')")
    rows = pa.table(table)
    size = batch_size or max(1, _ROW_GROUP // max(1, table.nbytes // max(1, table.total_rows)))
    options.setdefault("use_content_defined_chunking", True)
    options.setdefault("write_page_index", True)

    def write(path: Path) -> None:
        with (
            progress(_LABEL, -(-rows.num_rows // size), "ba") as meter,
            pq.ParquetWriter(path, rows.schema, **options) as out,
        ):
            for start in range(0, rows.num_rows, size):
                out.write_table(rows.slice(start, size), row_group_size=size)
                meter.reached(meter.done + 1)

    by_path(write, target, storage_options)
    return int(rows.nbytes)
