"""Parquet pages that announce more than they have, or more than anybody wants: a typed error, in little memory."""

from __future__ import annotations

import base64
import os
import struct
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from _crucible._native import Table
from badinput import Outcome, check
from badinput.handmade import OPTIONAL, REPEATED, delta, file, varint

HUGE = 2**31 - 1
MIB = 1 << 20
DELTAS = ["DELTA_BINARY_PACKED", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"]


def page(encoding: str, body: bytes, values: int = 10, **options: object) -> bytes:
    kind = "INT32" if encoding == "DELTA_BINARY_PACKED" else "BYTE_ARRAY"
    given = {"kind": kind, "rows": values, **options}
    return file(body=body, unpacked=len(body), values=values, encoding=encoding, **given)  # type: ignore[arg-type]


def honest(encoding: str) -> bytes:
    """Ten values: what the tests below spoil."""
    if encoding == "DELTA_BINARY_PACKED":
        return delta([7 * i for i in range(10)])
    if encoding == "DELTA_LENGTH_BYTE_ARRAY":
        return delta(list(range(10))) + b"x" * 45
    return delta([0, *range(1, 10)]) + delta([1] * 10) + b"0123456789"


def outcomes(files: dict[str, bytes], folder: Path, *, gib: int = 2) -> dict[str, Outcome]:
    named = [(f"{name}.parquet", content) for name, content in files.items()]
    return dict(zip(files, check(named, "parquet", folder, gib=gib), strict=True))


@pytest.mark.parametrize("encoding", DELTAS)
@pytest.mark.parametrize("version", [1, 2])
def test_by_hand_is_parquet(encoding: str, version: int, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(page(encoding, honest(encoding), version=version))
    found = pa.table(Table.read([str(path)], "parquet"))["a"]
    assert found.to_pylist() == pq.read_table(path)["a"].to_pylist()
    assert len(found) == 10


@pytest.mark.parametrize("encoding", DELTAS)
def test_more_values_than_the_page(encoding: str, tmp_path: Path) -> None:
    """The crate would reserve memory for them: four bytes each."""
    body = honest(encoding)
    rest = body[3:]  # behind the block size, the parts and the count
    lies = {
        f"{count}": page(encoding, body[:3] + varint(count) + rest[1:] if count != 10 else body)
        for count in (11, 2**20, 2**31 - 1, 2**31, 2**40, 2**62, 2**64 - 1)
    }
    # Huge blocks of deltas without bits: as many values as announced really fit into a few bytes.
    flat = varint(2**34) + varint(1)
    for count in (2**29, 2**31 - 1):
        lies[f"flat {count}"] = page(encoding, flat + varint(count) + b"\x00\x00\x00" * 4, values=count)
    lies["second header"] = page("DELTA_BYTE_ARRAY", delta([0] * 10) + delta([1] * 10, count=2**40) + b"0123456789")
    found = outcomes(lies, tmp_path)
    for name, (kind, text) in found.items():
        assert kind == ("LimitError" if name.startswith("flat") else "DecodeError"), (name, kind, text)
        assert "row group 0" in text, (name, text)
        assert "max_page_values" in text or kind == "DecodeError", text


@pytest.mark.parametrize("encoding", DELTAS)
def test_absurd_headers(encoding: str, tmp_path: Path) -> None:
    tail = b"\x00" * 40
    lies = {
        f"{block} {parts} {count}": page(encoding, varint(block) + varint(parts) + varint(count) + tail)
        for block in (0, 1, 128, 2**31, 2**63)
        for parts in (0, 1, 3, 4, 2**31, 2**63)
        for count in (0, 10, 2**31)
    }
    lies |= {"empty": page(encoding, b""), "unended": page(encoding, b"\xff" * 80)}
    outcomes(lies, tmp_path)


def test_lengths_that_are_not_there(tmp_path: Path) -> None:
    most = [HUGE] * 10
    lies = {
        "lengths": page("DELTA_LENGTH_BYTE_ARRAY", delta(most) + b"x" * 45),
        "negative lengths": page("DELTA_LENGTH_BYTE_ARRAY", delta([-1] * 10) + b"x" * 45),
        "suffixes": page("DELTA_BYTE_ARRAY", delta([0] * 10) + delta(most) + b"x"),
        "negative suffixes": page("DELTA_BYTE_ARRAY", delta([0] * 10) + delta([-5] * 10) + b"x"),
        "fewer suffixes": page("DELTA_BYTE_ARRAY", delta([0] * 10) + delta([1] * 9) + b"x" * 9),
    }
    found = outcomes(lies, tmp_path)
    assert {kind for kind, _ in found.values()} == {"DecodeError"}
    prefixes = page("DELTA_BYTE_ARRAY", delta([0, *[HUGE] * 9]) + delta([1] * 10) + b"0123456789")
    outcomes({"prefixes": prefixes}, tmp_path)  # longer than what there is: all of it, or an error


def test_strings_that_share_a_long_prefix(tmp_path: Path) -> None:
    """A page of a mebibyte whose strings would take a tebibyte."""
    rows = MIB
    body = delta([0, *[MIB] * (rows - 1)]) + delta([MIB, *[0] * (rows - 1)]) + b"x" * MIB
    [(kind, text)] = outcomes({"bomb": page("DELTA_BYTE_ARRAY", body, values=rows)}, tmp_path).values()
    assert kind == "LimitError"
    assert "max_page_bytes" in text
    assert "row group 0" in text
    few = delta([0, *[MIB] * 19]) + delta([MIB, *[0] * 19]) + b"x" * MIB
    path = tmp_path / "a.parquet"
    path.write_bytes(page("DELTA_BYTE_ARRAY", few, values=20))
    table = pa.table(Table.read([str(path)], "parquet"))
    assert table["a"].to_pylist() == [b"x" * MIB] * 20


def run(count: int, value: int = 0) -> bytes:
    """An RLE run: any number of equal values in a few bytes."""
    return varint(count << 1) + bytes([value])


@pytest.mark.parametrize("count", [2**29, HUGE])
def test_runs_of_equal_values(count: int, tmp_path: Path) -> None:
    def levelled(body: bytes, *levels: bytes) -> bytes:
        return b"".join(struct.pack("<I", len(level)) + level for level in levels) + body

    repeated = levelled(b"\x00" + run(count), b"\x02\x00" + run(count - 1, 1), run(count, 1))
    lies = {
        "list": page("RLE_DICTIONARY", repeated, count, kind="INT64", dictionary=bytes(8), rows=1, repetition=REPEATED),
        "nulls": page("PLAIN", levelled(b"", run(count)), count, kind="INT64", repetition=OPTIONAL),
        "dictionary": page("RLE_DICTIONARY", b"\x00" + run(count), count, kind="INT64", dictionary=bytes(8)),
        "booleans": page("RLE", levelled(b"", run(count)), count, kind="BOOLEAN"),
    }
    for kind, text in outcomes(lies, tmp_path).values():
        assert kind == "LimitError", text
        assert "max_page_values" in text


@pytest.mark.parametrize("kind", ["INT32", "INT64", "FLOAT", "DOUBLE", "BYTE_ARRAY", "FIXED"])
def test_more_values_than_bytes(kind: str, tmp_path: Path) -> None:
    width = 16 if kind == "FIXED" else None
    lies = {
        f"{encoding} {version}": page(encoding, bytes(160), 2**27, kind=kind, width=width, version=version)
        for encoding in ("PLAIN", "BYTE_STREAM_SPLIT")
        for version in (1, 2)
    }
    lies["dictionary"] = page(
        "RLE_DICTIONARY", b"\x00" + run(10), kind=kind, width=width, dictionary=bytes(160), dictionary_values=2**27
    )
    for said, text in outcomes(lies, tmp_path).values():
        assert said == "DecodeError", text
        assert "row group 0" in text


def test_levels_that_are_not_there(tmp_path: Path) -> None:
    lies = {
        f"{levels} {length}": page(
            "PLAIN", struct.pack("<I", length) + bytes(80), kind="INT64", repetition=OPTIONAL, levels=levels
        )
        for levels in ("RLE", "BIT_PACKED")
        for length in (85, 2**31, 2**32 - 1)
    }
    found = outcomes(lies, tmp_path)
    assert all(kind == "DecodeError" for name, (kind, _) in found.items() if name.startswith("RLE"))


def test_fixed_lists_of_nulls(tmp_path: Path) -> None:
    """A null list takes its whole length in memory, and nothing in the file."""
    path = tmp_path / "a.parquet"
    wide = pa.table({"l": pa.array([None] * 20, pa.list_(pa.int64(), 1000))})
    pq.write_table(wide, path)
    assert pa.table(Table.read([str(path)], "parquet")).equals(wide)
    for length, rows, limit in ((2**28, 1, "max_fixed_bytes"), (2**22, 2048 * 2, "max_unpacked_bytes")):
        kind = pa.list_(pa.int64(), length)
        schema = pa.schema([pa.field("l", kind)])
        # The same pages with another length in the Arrow schema: pyarrow itself would need the memory.
        plain = pa.table({"l": pa.array([None] * rows, pa.list_(pa.int64()))})
        sink = pa.BufferOutputStream()
        with pq.ParquetWriter(sink, plain.schema, store_schema=False) as writer:
            writer.write_table(plain)
            writer.add_key_value_metadata({"ARROW:schema": encoded(schema)})
        [(said, text)] = outcomes({"lists": sink.getvalue().to_pybytes()}, tmp_path).values()
        assert said == "LimitError", text
        assert limit in text


def encoded(schema: pa.Schema) -> bytes:
    """A schema as Parquet keeps it."""
    return base64.b64encode(schema.serialize().to_pybytes())


def test_runs_of_a_long_string(tmp_path: Path) -> None:
    """A dictionary with a string of a mebibyte, and 134 million times its index."""
    dictionary = struct.pack("<I", MIB) + b"x" * MIB
    runs = page("RLE_DICTIONARY", b"\x00" + run(2**27), 2**27, kind="BYTE_ARRAY", dictionary=dictionary)
    [(kind, text)] = outcomes({"bomb": runs}, tmp_path).values()
    assert kind == "LimitError"
    assert "max_unpacked_bytes" in text
    assert "row group 0" in text


@pytest.mark.skipif("CRUCIBLE_TEST_LARGE" not in os.environ, reason="takes 5 GiB of memory")
def test_more_than_offsets_reach(tmp_path: Path) -> None:
    """2.4 GB of strings in a small row group: more than one batch of 32-bit offsets holds."""
    rows = 2400
    indexes = pa.array([0] * (rows - 1) + [1], pa.int32())
    strings = pa.DictionaryArray.from_arrays(indexes, pa.array(["x" * MIB, "y"]))
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"n": range(rows), "s": strings}), path, store_schema=False)
    table = Table.read([str(path)], "parquet")
    assert table.num_rows == rows
    assert table.column("s", rows - 2, rows) == ["x" * MIB, "y"]
    assert table.column("n", 0, rows) == list(range(rows))
