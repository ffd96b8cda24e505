"""Parquet files by many writers, and files that broke readers: pyarrow's rows, or a typed error."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from _crucible._native import Table
from _crucible.errors import DataError

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "parquet-testing"
# Years past 290,000 overflow 64-bit nanoseconds; what they wrap to is nobody's promise.
OVERFLOWING = {"int96_from_spark.parquet"}
FILES = (
    sorted([*(FOLDER / "data").rglob("*.parquet"), *(FOLDER / "bad_data").rglob("*.parquet")])
    if FOLDER.is_dir()
    else []
)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


def entries(value: Any) -> Any:
    """pyarrow's map cells (lists of pairs) as the list of structs that features know."""
    if isinstance(value, list):
        return [
            {"key": v[0], "value": entries(v[1])} if isinstance(v, tuple) and len(v) == 2 else entries(v) for v in value
        ]
    return {k: entries(v) for k, v in value.items()} if isinstance(value, dict) else value


@pytest.mark.skipif(not FILES, reason="the shared data folder is absent")
@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
@pytest.mark.filterwarnings("ignore")
def test_file(path: Path) -> None:
    try:
        table = Table.read([str(path)], "parquet")
        rows = table.rows(0, min(table.num_rows, 2000))
    except DataError:
        return  # a typed error that names the file: allowed by the contract
    try:
        expected = pq.ParquetFile(path).read().slice(0, 2000)
    except (pa.ArrowException, OSError):
        return  # more than pyarrow reads
    assert table.num_rows == pq.ParquetFile(path).metadata.num_rows
    assert path.name in OVERFLOWING or same(rows, entries(expected.to_pylist()))
