"""Parquet files that lie: footers and page headers with absurd numbers, cut and changed bytes."""

from __future__ import annotations

import decimal
import io
import os
import random
import struct
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from _crucible._native import Table
from _crucible.errors import DecodeError, LimitError
from badinput import check, compact

ABSURD = [0, -1, 2**31 - 1, -(2**31), 2**40, 2**63 - 1, -(2**63)]
WRITERS = {
    "snappy": {"compression": "snappy"},
    "zstd-v2": {"compression": "zstd", "data_page_version": "2.0"},
    "lz4-plain": {"compression": "lz4", "use_dictionary": False},
    "none-delta": {
        "compression": "none",
        "use_dictionary": False,
        "column_encoding": {"i": "DELTA_BINARY_PACKED", "s": "DELTA_BYTE_ARRAY", "f": "BYTE_STREAM_SPLIT"},
    },
}


T = TypeVar("T")


def sample(options: dict[str, object]) -> bytes:
    rows = range(60)
    table = pa.table(
        {
            "i": pa.array(rows, pa.int64()),
            "n": pa.array([None if i % 3 else i for i in rows], pa.int32()),
            "s": [f"row {i % 7}" for i in rows],
            "l": [[i, i + 1] if i % 4 else None for i in rows],
            "o": [{"a": i, "b": str(i)} for i in rows],
            "f": pa.array([b"abcd" for _ in rows], pa.binary(4)),
            "d": [decimal.Decimal(i) for i in rows],
            "b": [i % 2 == 0 for i in rows],
        }
    )
    if "column_encoding" in options:
        table = table.select(["i", "s", "f"])
    out = io.BytesIO()
    pq.write_table(table, out, row_group_size=30, **options)
    return out.getvalue()


def lying_footers(file: bytes) -> list[tuple[str, bytes]]:
    """The file with an absurd value in place of a number of its footer, once for each or for some of them."""
    places = [(path, value) for path, _ in compact.integers(compact.footer(file)) for value in ABSURD]
    lies = []
    for path, value in some(places):
        metadata = compact.footer(file)
        compact.at(metadata, *path).value = value
        lies.append((f"footer-{'.'.join(map(str, path))}={value}.parquet", compact.with_footer(file, metadata)))
    return lies


def some(places: list[T]) -> list[T]:
    """Some hundred of many; all of them if CRUCIBLE_TEST_LARGE is set."""
    return places if "CRUCIBLE_TEST_LARGE" in os.environ else random.Random(5).sample(places, min(250, len(places)))


def test_the_tool_writes_what_it_read() -> None:
    for options in WRITERS.values():
        file = sample(options)
        assert compact.with_footer(file, compact.footer(file)) == file


@pytest.mark.parametrize("writer", WRITERS)
def test_absurd_numbers_in_footers(writer: str, tmp_path: Path) -> None:
    found = check(lying_footers(sample(WRITERS[writer])), "parquet", tmp_path)
    assert sum(kind == "DecodeError" for kind, _ in found) > 50


@pytest.mark.parametrize("writer", WRITERS)
def test_cut_off(writer: str, tmp_path: Path) -> None:
    file = sample(WRITERS[writer])
    cuts = [(f"cut-{length}.parquet", file[:length]) for length in range(0, len(file), 7)]
    # The same cut, with the end that a Parquet file has.
    cuts += [(f"cut-{length}-end.parquet", file[:length] + file[-8:]) for length in range(0, len(file) - 8, 7)]
    found = check(cuts, "parquet", tmp_path)
    assert not [(kind, text) for kind, text in found if kind != "DecodeError"]


@pytest.mark.parametrize("writer", WRITERS)
def test_changed_bytes(writer: str, tmp_path: Path) -> None:
    file = sample(WRITERS[writer])
    dice = random.Random(writer)
    changed = []
    for index in range(500):
        data = bytearray(file)
        for _ in range(dice.randint(1, 4)):
            data[dice.randrange(len(data))] = dice.choice([0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)])
        changed.append((f"changed-{index}.parquet", bytes(data)))
    found = check(changed, "parquet", tmp_path)
    assert sum(kind == "DecodeError" for kind, _ in found) > 60


def page_starts(file: bytes) -> list[int]:
    """Where the first page header of each column chunk is."""
    starts = []
    for group in compact.at(compact.footer(file), 4).value:
        for chunk in compact.at(group, 1).value:
            column = compact.at(chunk, 3).value
            starts.append(min(column[key].value for key in (9, 11) if key in column and column[key].value > 0))
    return starts


@pytest.mark.parametrize("writer", ["snappy", "zstd-v2", "none"])
def test_dictionaries_of_more_values_than_bytes(writer: str, tmp_path: Path) -> None:
    file = sample(WRITERS.get(writer, {"compression": "none"}))
    lies = []
    for start in page_starts(file)[:6]:
        reader = compact.Reader(file, start)
        header = reader.node(compact.STRUCT)
        if 7 not in header.value:
            continue  # no dictionary
        for value in (-1, 2**24, 2**31 - 1):
            compact.at(header, 7, 1).value = value
            moved = file[:start] + compact.written(header) + file[reader.position :]
            lies.append((f"page-{start}={value}.parquet", moved))
    found = check(lies, "parquet", tmp_path)
    assert len(found) > 6
    assert {kind for kind, _ in found} == {"DecodeError"}


def test_more_children_than_elements(tmp_path: Path) -> None:
    file = sample(WRITERS["snappy"])
    metadata = compact.footer(file)
    compact.at(metadata, 2, 0, 5).value = 2**31 - 1
    (tmp_path / "a.parquet").write_bytes(compact.with_footer(file, metadata))
    with pytest.raises(DecodeError, match=r"2147483647 children in a schema of \d+ elements.*a\.parquet"):
        Table.read([str(tmp_path / "a.parquet")], "parquet")


def deep(levels: int) -> bytes:
    """A file without rows whose only column is a number that many groups down."""
    group = [b"\x35\x00\x18\x01g\x15\x02\x00"] * levels  # REQUIRED, name g, one child
    leaf = b"\x15\x02\x25\x00\x18\x01x\x00"  # INT32 REQUIRED x
    elements = [b"\x48\x01r\x15\x02\x00", *group, leaf]
    schema = bytes([0xFC]) + compact.varint(len(elements)) + b"".join(elements)
    metadata = b"\x15\x02\x19" + schema + b"\x16\x00\x19\x0c\x00"
    return b"PAR1" + metadata + struct.pack("<I", len(metadata)) + b"PAR1"


def test_deep_schema(tmp_path: Path) -> None:
    found = check([(f"deep-{n}.parquet", deep(n)) for n in (20, 100, 250, 300, 5000, 200_000)], "parquet", tmp_path)
    assert [kind for kind, _ in found] == ["read"] * 3 + ["LimitError"] * 3
    assert "max_schema_depth = 256" in found[-1][1]


def test_wide_values(tmp_path: Path) -> None:
    file = sample(WRITERS["snappy"])
    metadata = compact.footer(file)
    widths = [n for n in compact.at(metadata, 2).value if n.value.get(1) and n.value[1].value == 7]
    widths[0].value[2].value = 2**31 - 1
    (tmp_path / "a.parquet").write_bytes(compact.with_footer(file, metadata))
    with pytest.raises(LimitError, match=r"max_fixed_bytes.*a\.parquet"):
        Table.read([str(tmp_path / "a.parquet")], "parquet")


def test_rows_that_only_the_row_groups_know(tmp_path: Path) -> None:
    file = sample(WRITERS["snappy"])
    metadata = compact.footer(file)
    compact.at(metadata, 3).value = 0  # as early writers left it
    (tmp_path / "a.parquet").write_bytes(compact.with_footer(file, metadata))
    table = Table.read([str(tmp_path / "a.parquet")], "parquet")
    assert table.column("i", 0, table.num_rows) == list(range(60))


def test_rows_that_are_not_there(tmp_path: Path) -> None:
    file = sample(WRITERS["snappy"])
    metadata = compact.footer(file)
    compact.at(metadata, 3).value = compact.at(metadata, 4, 1, 3).value = 2**40
    (tmp_path / "a.parquet").write_bytes(compact.with_footer(file, metadata))
    with pytest.raises(DecodeError, match=r"a\.parquet, row group 1"):
        Table.read([str(tmp_path / "a.parquet")], "parquet")


@pytest.mark.parametrize("codec", ["none", "snappy", "zstd", "gzip", "brotli"])
def test_page_checksums_are_compared(tmp_path: Path, codec: str) -> None:
    """Where a writer left checksums: one flipped bit in a page is an error (pyarrow looks only when it is asked to)."""
    table = pa.table({"x": list(range(5000))})
    options = {"compression": codec, "use_dictionary": False, "write_page_checksum": True}
    whole = tmp_path / "whole.parquet"
    pq.write_table(table, whole, **options)
    assert pa.table(Table.read([str(whole)], "parquet"))["x"].to_pylist() == table["x"].to_pylist()
    data = bytearray(whole.read_bytes())
    chunk = pq.ParquetFile(whole).metadata.row_group(0).column(0)
    data[chunk.data_page_offset + chunk.total_compressed_size - 40] ^= 4
    flipped = tmp_path / "flipped.parquet"
    flipped.write_bytes(data)
    with pytest.raises(DecodeError, match=r"CRC.*flipped\.parquet.*row group 0"):
        Table.read([str(flipped)], "parquet")
