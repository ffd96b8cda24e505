"""Arrow IPC, compressed and not: written here and read by pyarrow, polars and `datasets`, and the other way round."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import datasets as official
import polars
import pyarrow as pa
import pyarrow.ipc as ipc
import pytest

import crucible_datasets as ours
from arrow_equal import contents
from crucible_datasets.errors import DatasetGenerationError, DecodeError, LimitError, SchemaError

COMPRESSIONS = ["uncompressed", "lz4", "zstd"]
TABLE = pa.table(
    {
        "n": pa.array([None if i % 5 == 0 else i // 9 for i in range(2000)], pa.int64()),
        "s": [f"text {i % 11}" for i in range(2000)],
        "l": [[1] * (i % 4) for i in range(2000)],
        "st": [{"a": i, "b": None} for i in range(2000)],
        "f": pa.array([[float(i), 0.5] for i in range(2000)], pa.list_(pa.float32(), 2)),
        "d": pa.array(["u", "v"] * 1000).dictionary_encode(),
        "e": pa.array([""] * 2000),
        "z": pa.nulls(2000),
    }
)


def written(form: str, compression: str) -> bytes:
    out = io.BytesIO()
    make = ipc.new_file if form == "file" else ipc.new_stream
    codec = None if compression == "uncompressed" else compression
    with make(out, TABLE.schema, options=ipc.IpcWriteOptions(compression=codec)) as writer:
        writer.write_table(TABLE, max_chunksize=700)
    return out.getvalue()


def load(path: Path) -> Any:
    return ours.load_dataset("arrow", data_files=str(path), split="train")


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("form", ["file", "stream"])
def test_what_pyarrow_wrote(tmp_path: Path, form: str, compression: str) -> None:
    path = tmp_path / "t.arrow"
    path.write_bytes(written(form, compression))
    assert load(path).to_list() == TABLE.to_pylist()
    if form == "stream":
        plain = ours.Dataset.from_buffer(written(form, compression))
        assert plain.remove_columns("d").to_list() == TABLE.drop_columns("d").to_pylist()


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("streams", [False, True])
def test_what_is_written_here(tmp_path: Path, streams: bool, compression: str) -> None:
    features = ours.Features(
        {"label": ours.ClassLabel(names=["no", "yes"]), "x": ours.Array2D((2, 1), "int32"), "t": ours.Value("string")}
    )
    rows = {
        "label": [i % 2 for i in range(3000)],
        "x": [[[i], [1]] for i in range(3000)],
        "t": ["é" * (i % 5) for i in range(3000)],
    }
    mine = ours.Dataset.from_dict(rows, features).select(range(2999, -1, -1))
    path = tmp_path / "new" / "t.arrow"
    write = mine.write_ipc_stream if streams else mine.write_ipc
    write(path, compression=compression)
    assert [p.name for p in path.parent.iterdir()] == ["t.arrow"]
    memory = io.BytesIO()
    write(memory, compression=compression)
    assert memory.getvalue() == path.read_bytes()
    read = (ipc.open_stream if streams else ipc.open_file)(pa.OSFile(str(path))).read_all()
    assert read.to_pylist() == mine.to_list()
    assert (polars.read_ipc_stream if streams else polars.read_ipc)(path)["label"].to_list() == mine["label"][:]
    back = load(path)
    assert back.features == mine.features
    assert back.to_list() == mine.to_list()
    if streams:
        theirs = official.Dataset.from_file(str(path))
        assert theirs.features["label"].names == ["no", "yes"]
        assert theirs.to_list() == mine.to_list()
        assert contents(pa.table(ours.Dataset.from_file(path)._table)) == contents(pa.table(mine._table))


def test_an_unknown_compression(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="snappy"):
        ours.Dataset.from_dict({"a": [1]}).write_ipc(tmp_path / "t.arrow", compression="snappy")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("lie", [-2, 15_999, 16_001, 1 << 33, 1 << 60])
@pytest.mark.parametrize("compression", ["lz4", "zstd"])
@pytest.mark.parametrize("form", ["file", "stream"])
def test_a_length_that_lies(tmp_path: Path, form: str, compression: str, lie: int) -> None:
    plain = pa.table({"n": pa.array([i // 9 for i in range(2000)], pa.int64())})
    out = io.BytesIO()
    make = ipc.new_file if form == "file" else ipc.new_stream
    with make(out, plain.schema, options=ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(plain)
    honest = struct.pack("<q", 16_000)
    assert out.getvalue().count(honest) == 1
    path = tmp_path / "t.arrow"
    path.write_bytes(out.getvalue().replace(honest, struct.pack("<q", lie)))
    with pytest.raises(DatasetGenerationError, match=r"t\.arrow"):
        load(path)
    if form == "stream":
        expected = LimitError if lie == 1 << 60 else DecodeError
        with pytest.raises(expected, match=r"t\.arrow"):
            ours.Dataset.from_file(path)
        with pytest.raises(expected):
            ours.Dataset.from_buffer(path.read_bytes())
