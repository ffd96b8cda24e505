"""The store of decoded tables: one file for all ranks and runs, whole or not there, bounded in size; shared memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from _crucible._native import Table
from crucible_datasets import Dataset, load_dataset
from crucible_datasets.io import clean_store

LOAD = """
import sys
from crucible_datasets import load_dataset
ds = load_dataset("parquet", data_files=sys.argv[1], split="train", cache_dir=sys.argv[2], keep_in_memory=False)
print(ds.num_rows, sum(ds["n"][:]), ds[-1]["text"])
"""
KILLED = """
import resource, signal
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (10 << 20, 10 << 20))
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
"""


def write(path: Path, rows: int, width: int = 20) -> Path:
    texts = [f"{i:0{width}}" for i in range(rows)]
    pq.write_table(pa.table({"n": range(rows), "text": texts}), path, row_group_size=max(1, rows // 4))
    return path


def run(source: Path, cache: Path, code: str = LOAD) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code, str(source), str(cache)], stdout=subprocess.PIPE, text=True)


def load(source: Path, cache: Path, **options: Any) -> Any:
    return load_dataset("parquet", data_files=str(source), split="train", cache_dir=str(cache), **options)


def stores(cache: Path) -> list[Path]:
    return sorted((cache / "crucible").glob("*.arrow"))


def test_ranks_share_one_file(tmp_path: Path) -> None:
    source = write(tmp_path / "t.parquet", 50_000)
    ranks = [run(source, tmp_path / "cache") for _ in range(3)]
    answers = {rank.communicate()[0] for rank in ranks}
    assert answers == {f"50000 {sum(range(50_000))} {49_999:020}\n"}
    assert all(rank.returncode == 0 for rank in ranks)
    assert len(stores(tmp_path / "cache")) == 1
    assert not list((tmp_path / "cache" / "crucible").glob(".tmp-*"))
    inode = stores(tmp_path / "cache")[0].stat().st_ino
    assert load(source, tmp_path / "cache").num_rows == 50_000
    assert stores(tmp_path / "cache")[0].stat().st_ino == inode  # mapped, not written again


def test_killed_while_writing(tmp_path: Path) -> None:
    """The system kills the writer, which cannot clean up, as soon as its file has 10 MB."""
    source = write(tmp_path / "t.parquet", 400_000, 200)
    folder = tmp_path / "cache" / "crucible"
    killed = run(source, tmp_path / "cache", KILLED + LOAD)
    killed.communicate()
    assert killed.returncode == -signal.SIGXFSZ
    assert not stores(tmp_path / "cache")
    left = list(folder.glob(".tmp-*"))
    assert left
    ds = load(source, tmp_path / "cache", keep_in_memory=False)
    assert ds.num_rows == 400_000
    assert ds[399_999] == {"n": 399_999, "text": f"{399_999:0200}"}
    assert len(stores(tmp_path / "cache")) == 1
    clean_store(cache_dir=str(tmp_path / "cache"))
    assert left[0].exists()  # it could be somebody's
    os.utime(left[0], (0, 0))
    clean_store(cache_dir=str(tmp_path / "cache"))
    assert not left[0].exists()
    assert len(stores(tmp_path / "cache")) == 1


@pytest.mark.parametrize("damage", ["empty", "short", "footer", "middle of the metadata"])
def test_damage_is_decoded_again(tmp_path: Path, damage: str) -> None:
    source = write(tmp_path / "t.parquet", 1000)
    expected = load(source, tmp_path / "cache", keep_in_memory=False).to_list()
    (store,) = stores(tmp_path / "cache")
    whole = store.read_bytes()
    broken = {
        "empty": b"",
        "short": whole[: len(whole) // 2],
        "footer": whole[:-40] + b"\xff" * 30 + whole[-10:],
        "middle of the metadata": whole[:300] + b"\xff" * 64 + whole[364:],
    }[damage]
    store.unlink()  # another inode: the old one is mapped by this process
    store.write_bytes(broken)
    assert load(source, tmp_path / "cache", keep_in_memory=False).to_list() == expected
    assert stores(tmp_path / "cache")[0].stat().st_size >= len(whole)


def test_size_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    sources = [write(tmp_path / f"{i}.parquet", 20_000 + i) for i in range(4)]
    for age, source in enumerate(sources[:3]):
        before = set(stores(cache))
        load(source, cache, keep_in_memory=False)
        (made,) = set(stores(cache)) - before
        os.utime(made, (age + 1, age + 1))
    size = stores(cache)[0].stat().st_size
    load(sources[0], cache, keep_in_memory=False)  # used now: the second is the oldest
    kept = {p: p.stat().st_mtime for p in stores(cache)}
    monkeypatch.setenv("CRUCIBLE_STORE_LIMIT", str(int(size * 3.5)))
    newest = load(sources[3], cache, keep_in_memory=False)
    left = stores(cache)
    assert len(left) == 3
    assert [p for p in kept if p not in left] == [min(kept, key=lambda p: kept[p])]
    assert newest[20_002]["n"] == 20_002
    assert clean_store(0, str(cache)) > 2.9 * size
    assert not stores(cache)
    assert newest[0] == {"n": 0, "text": f"{0:020}"}  # still mapped


def test_budget_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write(tmp_path / "t.parquet", 20_000)
    monkeypatch.setenv("CRUCIBLE_MEMORY_BUDGET", str(100 << 20))
    assert load(source, tmp_path / "cache")[5]["n"] == 5
    assert not stores(tmp_path / "cache")
    monkeypatch.setenv("CRUCIBLE_MEMORY_BUDGET", "1000")
    load(source, tmp_path / "cache", keep_in_memory=True)
    assert not stores(tmp_path / "cache")
    load(source, tmp_path / "cache")
    assert len(stores(tmp_path / "cache")) == 1


# ------------------------------------------------------------------------------------------------------ shared memory


def address(array: pa.Array, buffer: int) -> int:
    found: int = array.buffers()[buffer].address
    return found


def test_arrow_both_ways_shares_memory() -> None:
    source = pa.table({"n": pa.array(range(1000), pa.int64()), "text": [f"t{i}" for i in range(1000)]})
    table = Table.from_arrow(source)
    back = pa.table(table)
    assert back.equals(source)
    for column, buffer in (("n", 1), ("text", 1), ("text", 2)):
        assert address(back[column].chunk(0), buffer) == address(source[column].chunk(0), buffer)
    part = pa.table(table.slice(10, 20))
    assert address(part["n"].chunk(0), 1) == address(source["n"].chunk(0), 1) + 80
    assert part.to_pylist() == source.slice(10, 10).to_pylist()


def test_capsules_of_others(tmp_path: Path) -> None:
    rows = [{"n": i, "text": f"é{i}"} for i in range(50)]
    frame = pl.DataFrame(rows)
    pandas = pd.DataFrame(rows)
    relation = duckdb.sql("select * from pandas order by n")
    for made in (frame, pandas, relation, pa.Table.from_pylist(rows).to_batches()[0]):
        table = Table.from_arrow(made)
        assert table.rows(0, 50) == rows, type(made)
    ds = load(write(tmp_path / "t.parquet", 300), tmp_path / "cache", keep_in_memory=False)
    table = ds.with_format(None)._table if hasattr(ds, "_table") else Table.from_arrow(ds)
    assert pl.DataFrame(table)["n"].to_list() == list(range(300))
    assert pd.DataFrame.from_arrow(table)["n"].tolist() == list(range(300))
    assert duckdb.from_arrow(pa.table(table)).sum("n").fetchone() == (sum(range(300)),)


def test_numpy_is_a_view(tmp_path: Path) -> None:
    grid = pa.list_(pa.list_(pa.float32(), 3), 2)
    values = [[[float(i + j + k) for k in range(3)] for j in range(2)] for i in range(100)]
    source = pa.table({"n": pa.array(range(100), pa.int32()), "grid": pa.array(values, grid)})
    table = Table.from_arrow(source)
    numbers = np.asarray(table.numeric("n", 10, 90))
    assert numbers.ctypes.data == address(source["n"].chunk(0), 1) + 40
    assert not numbers.flags.writeable
    cube = np.asarray(table.numeric("grid", 10, 90))
    assert cube.shape == (80, 2, 3)
    assert cube.dtype == np.float32
    leaf = source["grid"].chunk(0).flatten().flatten()
    assert cube.ctypes.data == address(leaf, 1) + 10 * 24
    assert cube.tolist() == values[10:90]
    scattered = np.asarray(table.select([5, 3, 99]).numeric("grid", 0, 3))
    assert scattered.tolist() == [values[5], values[3], values[99]]
    assert scattered.flags.writeable
    holes = Table.from_arrow(pa.table({"grid": pa.array([values[0], None], grid)}))
    assert holes.numeric("grid", 0, 2) is None
    inner = Table.from_arrow(pa.table({"grid": pa.array([[[1.0, None, 2.0]] * 2], grid)}))
    assert inner.numeric("grid", 0, 1) is None
    path = tmp_path / "g.parquet"
    pq.write_table(source, path)
    ds = load(path, tmp_path / "cache", keep_in_memory=False).with_format("numpy")
    assert isinstance(ds, Dataset)
    assert ds[:]["grid"].shape == (100, 2, 3)
    assert ds[:]["grid"].tolist() == values


def test_windows(tmp_path: Path) -> None:
    """160 MB of lines, more than two windows, of which the last one widens a type."""
    path = tmp_path / "t.jsonl"
    with path.open("w") as out:
        out.writelines(f'{{"n": {i}, "text": "{"x" * 500}"}}\n' for i in range(300_000))
        out.write('{"n": 0.5}\n')
    made = load_dataset("json", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    assert made.features["n"].dtype == "float64"
    assert [len(stores(tmp_path / "cache")), made.num_rows] == [1, 300_001]
    assert np.array_equal(np.array(made["n"][:300_000]), np.arange(300_000))
    assert made[0] == {"n": 0.0, "text": "x" * 500}
    assert made[-1] == {"n": 0.5, "text": None}
