"""String columns of more than 2 GiB, by the formats that hold them: `CRUCIBLE_TEST_LARGE=1` and 8 GB of disk each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq
import pytest

import crucible_datasets as datasets
from _crucible._native import Table
from _crucible.errors import LimitError

pytestmark = pytest.mark.skipif("CRUCIBLE_TEST_LARGE" not in os.environ, reason="2 GiB each: set CRUCIBLE_TEST_LARGE=1")

LENGTH = 1 << 16
ROWS = (2 << 30) // LENGTH + 1000
"""More text than 32-bit offsets reach."""


def text(row: int) -> str:
    return f"{row:08d}" + "é" + "x" * (LENGTH - 10)


def texts() -> Iterator[str]:
    return map(text, range(ROWS))


def pieces() -> Iterator[pa.Table]:
    for start in range(0, ROWS, 4096):
        stop = min(ROWS, start + 4096)
        yield pa.table({"text": [text(row) for row in range(start, stop)]})


def lines(path: Path, before: str, after: str, first: str = "") -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(first)
        file.writelines(before + line + after for line in texts())


def write(kind: str, path: Path) -> str:
    schema = pa.schema({"text": pa.string()})
    match kind:
        case "json":
            lines(path, '{"text": "', '"}\n')
        case "csv":
            lines(path, "", "\n", "text\n")
        case "text":
            lines(path, "", "\n")
        case "parquet":
            with pq.ParquetWriter(path, schema, use_dictionary=False, compression="zstd") as writer:
                for piece in pieces():
                    writer.write_table(piece)
        case "one row group":
            with pq.ParquetWriter(path, pa.schema({"text": pa.large_string()}), compression="zstd") as writer:
                whole = pa.concat_tables(pieces()).cast(pa.schema({"text": pa.large_string()}))
                writer.write_table(whole.combine_chunks(), row_group_size=ROWS)
        case "one batch":
            whole = pa.concat_tables(pieces()).cast(pa.schema({"text": pa.large_string()})).combine_chunks()
            with ipc.new_file(path, whole.schema) as writer:
                writer.write_table(whole)
        case "stream":
            with ipc.new_stream(path, schema) as writer:
                for piece in pieces():
                    writer.write_table(piece)
        case _:
            with ipc.new_file(path, schema) as writer:
                for piece in pieces():
                    writer.write_table(piece)
    return str(path)


KINDS = {
    "json": "json",
    "csv": "csv",
    "text": "text",
    "parquet": "parquet",
    "one row group": "parquet",
    "file": "arrow",
    "stream": "arrow",
    "one batch": "arrow",
}


@pytest.mark.parametrize("kind", KINDS)
def test_more_text_than_offsets_reach(kind: str, tmp_path: Path) -> None:
    path = write(kind, tmp_path / "a")
    try:
        data = datasets.load_dataset(KINDS[kind], data_files=path, split="train", cache_dir=str(tmp_path / "cache"))
        assert len(data) == ROWS
        for row in (0, 1, ROWS // 2, ROWS - 1001, ROWS - 2, ROWS - 1):
            assert data[row]["text"] == text(row)
        picked = data.select([ROWS - 1, 0, ROWS // 2])
        assert picked["text"][:] == [text(ROWS - 1), text(0), text(ROWS // 2)]
        streamed = datasets.load_dataset(KINDS[kind], data_files=path, split="train", streaming=True)
        assert next(iter(streamed.skip(ROWS // 2)))["text"] == text(ROWS // 2)
    finally:
        for file in (tmp_path / "a", *(tmp_path / "cache").rglob("*.arrow")):
            file.unlink(missing_ok=True)


@pytest.mark.parametrize(("kind", "before", "after"), [("json", b'{"text": "', b'"}\n'), ("text", b"", b"\n")])
def test_one_value_of_two_gibibytes(kind: str, before: bytes, after: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a"
    with path.open("wb") as file:
        file.write(before + b"short" + after + before)
        for _ in range(2 << 10):
            file.write(b"x" * (1 << 20))
        file.write(after)
    with pytest.raises(LimitError, match="2 GiB") as caught:
        Table.read([str(path)], kind)
    path.unlink()
    assert str(path) in str(caught.value)
