"""Parquet as pyarrow writes it: every codec, encoding, page version and page size gives pyarrow's rows."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from _crucible._native import ParquetFile, Source, Table

CODECS = ["none", "snappy", "gzip", "brotli", "lz4", "zstd"]
ROWS = 3000


@pytest.fixture(scope="module")
def table() -> pa.Table:
    rng = random.Random(5)
    words = ["".join(rng.choices("abcdefghijé漢", k=rng.randint(0, 30))) for _ in range(400)]

    def gaps(make: Any) -> list[Any]:
        return [None if rng.random() < 0.1 else make() for _ in range(ROWS)]

    return pa.table(
        {
            "i32": pa.array(gaps(lambda: rng.randint(-(2**31), 2**31 - 1)), pa.int32()),
            "i64": pa.array(gaps(lambda: rng.randint(-(2**63), 2**63 - 1)), pa.int64()),
            "rising": pa.array(range(ROWS), pa.int64()),
            "f32": pa.array(gaps(lambda: float(rng.randint(-100, 100))), pa.float32()),
            "f64": pa.array(gaps(rng.random), pa.float64()),
            "flag": pa.array(gaps(lambda: rng.random() < 0.5), pa.bool_()),
            "text": pa.array(gaps(lambda: rng.choice(words))),
            "bytes": pa.array(gaps(lambda: rng.randbytes(rng.randint(0, 40))), pa.binary()),
            "fixed": pa.array(gaps(lambda: rng.randbytes(12)), pa.binary(12)),
            "price": pa.array(gaps(lambda: Decimal(rng.randint(-(10**9), 10**9)) / 100), pa.decimal128(12, 2)),
            "lists": pa.array(gaps(lambda: rng.choices(range(50), k=rng.randint(0, 6))), pa.list_(pa.int16())),
            "turns": pa.array(
                gaps(lambda: [{"role": "user", "content": rng.choice(words)} for _ in range(rng.randint(0, 3))])
            ),
        }
    )


def check(path: Path, expected: pa.Table) -> None:
    read = Table.read([str(path)], "parquet")
    assert pa.table(read).to_pylist() == expected.to_pylist()
    assert read.rows(0, 5) == expected.slice(0, 5).to_pylist()


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("pages", ["1.0", "2.0"])
@pytest.mark.parametrize("page_bytes", [256, 20_000, 1 << 20])
def test_codecs(table: pa.Table, tmp_path: Path, codec: str, pages: str, page_bytes: int) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(
        table, path, compression=codec, data_page_version=pages, data_page_size=page_bytes, row_group_size=1300
    )
    check(path, table)


ENCODINGS = {
    "PLAIN": ["i32", "i64", "f64", "flag", "text", "bytes", "fixed", "price"],
    "RLE": ["flag"],
    "DELTA_BINARY_PACKED": ["i32", "i64", "rising"],
    "DELTA_LENGTH_BYTE_ARRAY": ["text", "bytes"],
    "DELTA_BYTE_ARRAY": ["text", "bytes", "fixed"],
    "BYTE_STREAM_SPLIT": ["i32", "i64", "f32", "f64", "fixed"],
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("pages", ["1.0", "2.0"])
def test_encodings(table: pa.Table, tmp_path: Path, encoding: str, pages: str) -> None:
    chosen = table.select(ENCODINGS[encoding])
    path = tmp_path / "t.parquet"
    encodings = dict.fromkeys(chosen.column_names, encoding)
    pq.write_table(chosen, path, use_dictionary=False, column_encoding=encodings, data_page_version=pages)
    found = {
        e
        for g in range(pq.ParquetFile(path).num_row_groups)
        for c in range(chosen.num_columns)
        for e in pq.ParquetFile(path).metadata.row_group(g).column(c).encodings
    }
    assert encoding in found
    check(path, chosen)


def test_pages_past_the_window(tmp_path: Path) -> None:
    """Values larger than what is read of a file at a time, and headers that come at its end."""
    rng = random.Random(9)
    values = [rng.randbytes(rng.choice([10, 70_000, 300_000])) for _ in range(60)]
    expected = pa.table({"a": pa.array(values, pa.binary()), "b": pa.array(range(60))})
    for page_bytes in (100, 100_000, 250_000):
        path = tmp_path / f"{page_bytes}.parquet"
        pq.write_table(expected, path, use_dictionary=False, compression="none", data_page_size=page_bytes)
        check(path, expected)
        file = ParquetFile(Source.local(str(path)))
        assert pa.table(file.read_row_group(0)).to_pylist() == expected.to_pylist()
