"""Rows, slices and batches in table formats, over tables of several record batches, beside the official library."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import crucible_datasets

KINDS = ["arrow", "pandas", "polars"]
ROWS = 25


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("slices") / "rows.parquet"
    rows = [
        {
            "a": i,
            "t": f"text {i}" * (i % 5),
            "l": [{"r": str(i), "n": j} for j in range(i % 4)],
            "z": None if i % 3 else i,
        }
        for i in range(ROWS)
    ]
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=7)
    return str(path)


@pytest.fixture(params=KINDS)
def pair(request: pytest.FixtureRequest, file: str, tmp_path: Path) -> tuple[Any, Any]:
    ours = crucible_datasets.load_dataset("parquet", data_files=file, split="train", cache_dir=str(tmp_path / "a"))
    theirs = datasets.load_dataset("parquet", data_files=file, split="train", cache_dir=str(tmp_path / "b"))
    return ours.with_format(request.param), theirs.with_format(request.param)


def plain(value: Any) -> Any:
    """A table as rows, with what it says of its columns."""
    if isinstance(value, pa.Table):
        return [
            (field.name, str(field.type).replace("<element:", "<item:")) for field in value.schema
        ], value.to_pylist()
    if hasattr(value, "to_dicts"):
        return value.schema, value.to_dicts()
    return list(value.dtypes), list(value.index), value.astype(object).where(value.notna(), None).to_dict("records")


def same(ours: Any, theirs: Any) -> None:
    assert type(ours) is type(theirs)
    assert str(plain(ours)) == str(plain(theirs))


ORDERS = {
    "all": lambda ds: ds,
    "a range": lambda ds: ds.select(range(3, 20)),
    "shuffled": lambda ds: ds.shuffle(seed=3),
    "a part of shuffled": lambda ds: ds.shuffle(seed=3).select(range(4, 16)),
    "columns": lambda ds: ds.with_format(ds.format["type"], columns=["z", "t"]),
}


@pytest.mark.parametrize("order", ORDERS)
def test_rows_slices_and_batches(pair: tuple[Any, Any], order: str) -> None:
    ours, theirs = (ORDERS[order](ds) for ds in pair)
    rows = len(theirs)
    for index in (0, 6, 7, rows - 1, -1):
        same(ours[index], theirs[index])
    for key in (
        slice(0, 3),
        slice(5, 9),
        slice(0, None),
        slice(7, 14),
        slice(2, 2),
        slice(9, 1, -2),
        [3, 1, rows - 1],
        range(4, 9),
    ):
        same(ours[key], theirs[key])
    for size in (1, 3, 7, 8, 100):
        mine, official = list(ours.iter(size)), list(theirs.iter(size))
        assert len(mine) == len(official)
        for a, b in zip(mine, official, strict=True):
            same(a, b)
    for a, b in zip(ours, theirs, strict=True):
        same(a, b)


def test_another_format_is_not_taken_from_the_last(pair: tuple[Any, Any]) -> None:
    ours, theirs = pair
    same(ours[8], theirs[8])
    for columns in (["a"], ["t", "a"]):
        ours.set_format(ours.format["type"], columns=columns)
        theirs.set_format(theirs.format["type"], columns=columns)
        same(ours[8], theirs[8])
        same(ours[8:10], theirs[8:10])
    ours.set_format("arrow")
    assert isinstance(ours[8], pa.Table)
    ours.reset_format()
    assert ours[8]["a"] == 8


def test_pickles_without_what_is_kept(pair: tuple[Any, Any]) -> None:
    ours, theirs = pair
    before = len(pickle.dumps(ours))
    same(ours[3:5], theirs[3:5])
    assert len(pickle.dumps(ours)) == before
    same(pickle.loads(pickle.dumps(ours))[3:5], theirs[3:5])


def test_slices_share_memory(file: str) -> None:
    dataset = crucible_datasets.load_dataset("parquet", data_files=file, split="train").with_format("arrow")
    addresses = {dataset[start : start + 2].column("a").chunk(0).buffers()[1].address for start in (0, 2, 4)}
    assert len(addresses) == 1


@pytest.mark.parametrize("size", [1, 4, 7, 10])
@pytest.mark.parametrize("orders", ["in order", "shuffled"])
def test_streams(pair: tuple[Any, Any], orders: str, size: int) -> None:
    ours, theirs = (ds if orders == "in order" else ds.shuffle(seed=5) for ds in pair)
    kind = ours.format["type"]
    for a, b in zip(
        ours.with_format(None).to_iterable_dataset(3).with_format(kind).iter(size),
        theirs.with_format(None).to_iterable_dataset(3).with_format(kind).iter(size),
        strict=True,
    ):
        assert str(plain(a)[-1]) == str(plain(b)[-1])


def test_a_stream_goes_on_in_the_middle_of_a_batch(file: str) -> None:
    stream = crucible_datasets.load_dataset("parquet", data_files=file, split="train", streaming=True).with_format(
        "arrow"
    )
    rows = [row.to_pylist()[0] for row in stream]
    assert [row["a"] for row in rows] == list(range(ROWS))
    for done in (1, 6, 7, 8, 20):
        begun = iter(stream)
        for _ in range(done):
            next(begun)
        state = stream.state_dict()
        again = crucible_datasets.load_dataset("parquet", data_files=file, split="train", streaming=True)
        again = again.with_format("arrow")
        again.load_state_dict(state)
        assert [row.to_pylist()[0] for row in again] == rows[done:]


def test_map_by_rows_of_tables(pair: tuple[Any, Any]) -> None:
    kept = [ds.with_format(ds.format["type"], columns=["a", "t"]).select_columns(["a", "t"]) for ds in pair]
    ours, theirs = (ds.map(lambda row: row, load_from_cache_file=False) for ds in kept)
    same(ours[:], theirs[:])


def test_map_by_rows_of_tables_whose_columns_differ(pair: tuple[Any, Any]) -> None:
    ours, theirs = (ds.with_format("arrow") for ds in pair)

    def fewer(row: pa.Table, index: int) -> pa.Table:
        return row if index < 9 else row.drop_columns(["t"])

    with pytest.raises(Exception, match="t"):
        theirs.map(fewer, with_indices=True, load_from_cache_file=False)
    with pytest.raises(crucible_datasets.errors.SchemaError, match="'t'"):
        ours.map(fewer, with_indices=True, load_from_cache_file=False)
    with pytest.raises(ValueError, match="single-row"):
        ours.map(lambda row: pa.concat_tables([row, row]), load_from_cache_file=False)


CALLS = {
    "map": lambda ds: ds.map(lambda table: table),
    "map in batches": lambda ds: ds.map(lambda table: table, batched=True, batch_size=4),
    "filter in batches": lambda ds: ds.filter(lambda table: [True] * len(table), batched=True, batch_size=4),
}


@pytest.mark.parametrize("call", CALLS)
def test_functions_of_streams(pair: tuple[Any, Any], call: str) -> None:
    found = []
    for ds in pair:
        stream = ds.with_format(None).select_columns(["a", "t"]).to_iterable_dataset(2).with_format(ds.format["type"])
        found.append([plain(table)[-1] for table in CALLS[call](stream).iter(5)])
    assert str(found[0]) == str(found[1])
