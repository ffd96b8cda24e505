"""Brotli: pages are unpacked by this library, files are written by pyarrow."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from _crucible._native import Table
from crucible_datasets import Dataset
from crucible_datasets.errors import DecodeError


def test_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "b.parquet"
    ds = Dataset.from_dict({"a": list(range(500)), "text": [f"row {i}" * 9 for i in range(500)]})
    assert ds.to_parquet(path, compression="brotli", batch_size=200) > 0
    file = pq.ParquetFile(path)
    assert file.metadata.row_group(0).column(1).compression == "BROTLI"
    assert file.metadata.num_row_groups == 3
    assert file.read().to_pylist() == ds.to_list()
    again = Dataset.from_parquet(str(path), cache_dir=str(tmp_path / "cache"))
    assert again.features == ds.features
    assert again.to_list() == ds.to_list()


@pytest.mark.parametrize("pages", ["1.0", "2.0"])
def test_broken_bytes(tmp_path: Path, pages: str) -> None:
    """Every flip of a byte in the pages gives an error that names the file, or rows: no abort, no endless loop."""
    path = tmp_path / "b.parquet"
    table = pa.table({"a": pa.array([f"some text {i % 7}" for i in range(3000)])})
    pq.write_table(table, path, compression="brotli", data_page_version=pages, use_dictionary=False)
    honest = path.read_bytes()
    end = pq.ParquetFile(path).metadata.row_group(0).column(0).total_compressed_size
    rng = random.Random(4)
    errors = 0
    for number in range(60):
        broken = bytearray(honest)
        broken[rng.randrange(4, end)] ^= 1 << rng.randrange(8)
        bad = tmp_path / f"{number}.parquet"
        bad.write_bytes(broken)
        try:
            Table.read([str(bad)], "parquet")
        except DecodeError as error:
            errors += 1
            assert bad.name in str(error)
    assert errors > 5
