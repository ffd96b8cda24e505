"""pandas, polars, pyarrow and duckdb read `hf://` through HfFileSystem."""

from __future__ import annotations

import gzip
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest

from hfhub import HfFileSystem, HubServer, install_fsspec

pytestmark = pytest.mark.usefixtures("hf_env")

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
pd = pytest.importorskip("pandas")

URL = "hf://datasets/org/small/tables/"
COLUMNS = ["a", "b", "c", "d", "e", "f", "g", "h"]


@pytest.fixture
def table(hub_root: Path) -> Any:
    """A Parquet file of about 20 MB in 4 row groups, and a CSV file."""
    folder = hub_root / "datasets" / "org" / "small" / "tables"
    folder.mkdir()
    rng = np.random.default_rng(3)
    rows = 300_000
    made = pa.table({name: pa.array(rng.standard_normal(rows)) for name in COLUMNS})
    pq.write_table(made, folder / "t.parquet", row_group_size=rows // 4, compression="none", use_dictionary=False)
    (folder / "t.csv").write_text("x,y\n1,a\n2,b\n")
    assert (folder / "t.parquet").stat().st_size > 19_000_000
    return made


@pytest.fixture
def fs(hub: HubServer, table: Any) -> Iterator[HfFileSystem]:
    """What `fsspec.filesystem("hf")` gives, while it is registered."""
    registry = importlib.import_module("fsspec.registry")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry._registry, "hf", HfFileSystem)  # taken back afterwards
        install_fsspec()
        HfFileSystem.clear_instance_cache()
        yield HfFileSystem()
        HfFileSystem.clear_instance_cache()


def test_pandas(fs: HfFileSystem, table: Any) -> None:
    pd.testing.assert_frame_equal(pd.read_parquet(f"{URL}t.parquet"), table.to_pandas())
    assert pd.read_csv(f"{URL}t.csv").to_dict("list") == {"x": [1, 2], "y": ["a", "b"]}
    with_options = pd.read_csv(f"{URL}t.csv", storage_options={"token": False})
    assert list(with_options["y"]) == ["a", "b"]


def test_polars(fs: HfFileSystem, table: Any) -> None:
    pl = pytest.importorskip("polars")
    with fs.open(f"{URL}t.parquet") as file:
        assert pl.read_parquet(file, columns=["a", "h"]).to_arrow().equals(table.select(["a", "h"]))
    with fs.open(f"{URL}t.parquet") as file:
        assert pl.scan_parquet(file).select(pl.len()).collect().item() == table.num_rows
    with fs.open(f"{URL}t.csv") as file:
        assert pl.read_csv(file).to_dict(as_series=False) == {"x": [1, 2], "y": ["a", "b"]}


def test_pyarrow(fs: HfFileSystem, table: Any) -> None:
    arrow_fs = importlib.import_module("pyarrow.fs")
    dataset = importlib.import_module("pyarrow.dataset")
    wrapped = arrow_fs.PyFileSystem(arrow_fs.FSSpecHandler(fs))
    at = URL.removeprefix("hf://")
    assert pq.read_table(f"{at}t.parquet", filesystem=wrapped).equals(table)
    found = dataset.dataset(at, filesystem=wrapped, exclude_invalid_files=True)
    assert found.count_rows(filter=dataset.field("a") > 0) == int((table["a"].to_numpy() > 0).sum())
    assert pq.read_table(f"{at}t.parquet", filesystem=fs, columns=["c"]).equals(table.select(["c"]))


def test_duckdb(fs: HfFileSystem, table: Any) -> None:
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect() as connection:
        connection.execute("SET autoinstall_known_extensions=false; SET autoload_known_extensions=false")
        connection.register_filesystem(fs)
        total = connection.execute(f"SELECT count(*), sum(b) FROM read_parquet('{URL}t.parquet')").fetchone()
        assert total is not None
        assert total[0] == table.num_rows
        assert total[1] == pytest.approx(table["b"].to_numpy().sum())
        assert connection.execute(f"SELECT * FROM read_csv('{URL}*.csv')").fetchall() == [(1, "a"), (2, "b")]


# fsspec's block cache leaves its own file to the garbage collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_fsspec_around_it(fs: HfFileSystem, hub_root: Path, tmp_path: Path) -> None:
    at = "datasets/org/small/tables/t.csv"
    text = b"x,y\n1,a\n2,b\n"
    for protocol in ("filecache", "simplecache", "blockcache"):
        cached = fsspec.filesystem(protocol, target_protocol="hf", cache_storage=str(tmp_path / protocol))
        assert cached.cat(at) == text
        for _ in range(2):
            with cached.open(at) as file:
                assert file.read() == text
    folder = fsspec.filesystem("dir", path="datasets/org/small/tables", fs=fs)
    assert folder.cat_file("t.csv", 0, 3) == b"x,y"
    assert sorted(fs.get_mapper("datasets/org/small/tables")) == ["t.csv", "t.parquet"]
    tables = hub_root / "datasets" / "org" / "small" / "tables"
    (tables / "t.csv.gz").write_bytes(gzip.compress(text))
    fs.invalidate_cache()
    assert list(pd.read_csv(f"{URL}t.csv.gz")["y"]) == ["a", "b"]
    with fsspec.open(f"{URL}t.csv.gz", "rt", compression="infer") as lines:
        assert lines.read().encode() == text
    assert (fs.head(at, 3), fs.tail(at, 4), fs.du(at)) == (b"x,y", b"2,b\n", len(text))


class Counted:
    """A reader that adds up what it was asked for."""

    def __init__(self, reader: Any) -> None:
        self.reader, self.bytes = reader, 0

    def read(self, start: int, end: int) -> bytes:
        self.bytes += end - start
        data: bytes = self.reader.read(start, end)
        return data

    def read_ranges(self, ranges: list[tuple[int, int]]) -> list[bytes]:
        self.bytes += sum(end - start for start, end in ranges)
        found: list[bytes] = self.reader.read_ranges(ranges)
        return found


@pytest.mark.parametrize("pre_buffer", [True, False])
def test_three_columns_cost_their_bytes_and_one_resolve(
    fs: HfFileSystem, hub: HubServer, table: Any, pre_buffer: bool
) -> None:
    file = fs.open(f"{URL}t.parquet")
    meta = pq.read_metadata(fs.open(f"{URL}t.parquet"))
    wanted = ["b", "d", "g"]
    chunks = [meta.row_group(g).column(COLUMNS.index(name)) for g in range(meta.num_row_groups) for name in wanted]
    needed = sum(chunk.total_compressed_size for chunk in chunks) + (64 << 10)
    counted = Counted(file._reader)
    file._reader = counted
    read = pq.read_table(file, columns=wanted, pre_buffer=pre_buffer)
    assert read.equals(table.select(wanted))
    assert counted.bytes <= 1.2 * needed
    assert len([path for _, path, _ in hub.requests() if "/resolve/" in path]) == 1
