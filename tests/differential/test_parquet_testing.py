"""Parquet files by many writers, and files that broke readers: pyarrow's table, or a typed error that says why."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from _crucible._native import Table
from _crucible.errors import DataError, DecodeError, UnsupportedError
from arrow_equal import contents
from shared_data import SHARED

FOLDER = SHARED / "parquet-testing"
FILES = sorted(path for path in FOLDER.rglob("*") if path.is_file()) if FOLDER.is_dir() else []

# What is refused, and with which words. All that is not here must be read.
REFUSED: dict[str, tuple[type[DataError], str]] = {
    "bad_data/ARROW-GH-41317.parquet": (DecodeError, "broken or unsupported Parquet"),  # columns of other lengths
    "bad_data/ARROW-GH-41321.parquet": (DecodeError, "(RLE bit width 254|out of range).* row group [01]"),
    "bad_data/ARROW-GH-45185.parquet": (DecodeError, "repetition level.* row group 0"),
    "bad_data/ARROW-GH-47662.parquet": (DecodeError, "a page of 364 bytes should have 100 values.* row group 0"),
    "bad_data/ARROW-RS-GH-6229-DICTHEADER.parquet": (DecodeError, "outside the file.* row group 0"),
    "bad_data/ARROW-RS-GH-6229-LEVELS.parquet": (DecodeError, "repetition levels.* row group 0"),
    "bad_data/PARQUET-1481.parquet": (DecodeError, "Unexpected Type -7"),
    # A fork's metadata, with a list where the format has a number; and a dictionary that lies about its length.
    "data/dict-page-offset-zero.parquet": (DecodeError, "Expected list element type of I64"),
    # Checksums that do not fit: pyarrow compares them when it is asked to, and refuses as well then.
    "data/datapage_v1-corrupt-checksum.parquet": (DecodeError, "CRC checksum mismatch.* row group 0"),
    "data/rle-dict-uncompressed-corrupt-checksum.parquet": (DecodeError, "CRC checksum mismatch.* row group 0"),
    "data/nation.dict-malformed.parquet": (DecodeError, "Invalid page header.* row group 0"),
}
ENCRYPTED_FOOTER = (UnsupportedError, "an encrypted Parquet footer is not supported")
ENCRYPTED_COLUMNS = (UnsupportedError, "encrypted Parquet columns are not supported.* row group 0")
NOT_PARQUET = (DecodeError, "not a Parquet file")

# pyarrow does not read these; what is in them was asked of duckdb, which reads them.
BEYOND_PYARROW = {
    "data/incorrect_map_schema.parquet",
    "data/large_string_map.brotli.parquet",
}
# The last value is in the year 290,000 and overflows 64-bit nanoseconds: what it wraps to is nobody's promise.
OVERFLOWING = "data/int96_from_spark.parquet"


def refusal(name: str) -> tuple[type[DataError], str] | None:
    if name in REFUSED:
        return REFUSED[name]
    if name.endswith("plaintext_footer.parquet.encrypted"):
        return ENCRYPTED_COLUMNS
    if name.endswith(".encrypted"):
        return ENCRYPTED_FOOTER
    return None if name.endswith(".parquet") else NOT_PARQUET


def test_every_name_is_a_file() -> None:
    if not FILES:
        pytest.skip("the shared data folder is absent")
    there = {path.relative_to(FOLDER).as_posix() for path in FILES}
    assert {*REFUSED, *BEYOND_PYARROW, OVERFLOWING} <= there
    assert len(there) > 90


@pytest.mark.skipif(not FILES, reason="the shared data folder is absent")
@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(FOLDER).as_posix())
def test_file(path: Path) -> None:
    name = path.relative_to(FOLDER).as_posix()
    if name in BEYOND_PYARROW:
        pytest.skip("compared below, without pyarrow")
    if expected := refusal(name):
        with pytest.raises(expected[0], match=expected[1]) as caught:
            Table.read([str(path)], "parquet")
        assert str(path) in str(caught.value)
        return
    ours = pa.table(Table.read([str(path)], "parquet"))
    theirs = pq.read_table(path)
    assert ours.column_names == theirs.column_names
    if name == OVERFLOWING:
        ours, theirs = ours.slice(0, 5), theirs.slice(0, 5)
    assert contents(ours) == contents(theirs)


@pytest.mark.skipif(not FILES, reason="the shared data folder is absent")
def test_map_with_optional_keys() -> None:
    table = Table.read([str(FOLDER / "data" / "incorrect_map_schema.parquet")], "parquet")
    assert table.rows(0, table.num_rows) == [
        {"my_map": [{"key": "parent", "value": "another"}, {"key": "name", "value": "report"}]}
    ]


@pytest.mark.skipif(not FILES, reason="the shared data folder is absent")
@pytest.mark.skipif("CRUCIBLE_TEST_LARGE" not in os.environ, reason="4 GB of memory: set CRUCIBLE_TEST_LARGE=1")
def test_map_with_strings_of_a_gibibyte() -> None:
    ours = pa.table(Table.read([str(FOLDER / "data" / "large_string_map.brotli.parquet")], "parquet"))
    pairs = [pair for chunk in ours["arr"].chunks for pair in (chunk.flatten(),)]
    assert [n for pair in pairs for n in pc.binary_length(pair.field("key")).to_pylist()] == [1 << 30, 1 << 30]
    assert [v for pair in pairs for v in pair.field("value").to_pylist()] == [1, 1]
    for pair in pairs:
        assert re.fullmatch(rb"a+", memoryview(pair.field("key").buffers()[2])) is not None
