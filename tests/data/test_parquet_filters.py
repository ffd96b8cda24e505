"""`columns` and `filters` of Parquet: the rows that pyarrow gives for them, in the order and columns of `datasets`."""

from __future__ import annotations

import datetime
import json
import random
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from _crucible._native import Table
from crucible_datasets import Features, Value, load_dataset
from crucible_datasets.errors import DatasetGenerationError

ROWS = 900


@pytest.fixture(scope="module")
def table() -> pa.Table:
    rng = random.Random(11)

    def gaps(values: Any) -> list[Any]:
        return [None if rng.random() < 0.1 else v for v in values]

    first = datetime.date(2020, 1, 1)
    return pa.table(
        {
            "n": pa.array(range(ROWS)),
            "small": pa.array(gaps(rng.randint(-5, 5) for _ in range(ROWS)), pa.int8()),
            "big": pa.array(gaps(rng.choice([0, 1, 2**63, 2**64 - 1]) for _ in range(ROWS)), pa.uint64()),
            "f": pa.array(gaps(rng.choice([0.0, -0.0, 0.5, float("nan"), float("inf"), -3.25]) for _ in range(ROWS))),
            "f32": pa.array(gaps(rng.choice([0.1, 0.5, 2.0]) for _ in range(ROWS)), pa.float32()),
            "word": pa.array(gaps(rng.choice(["", "apple", "berry", "élan", "zebra" * 40]) for _ in range(ROWS))),
            "flag": pa.array(gaps(rng.random() < 0.5 for _ in range(ROWS))),
            "day": pa.array([first + datetime.timedelta(days=i // 10) for i in range(ROWS)]),
            "turns": pa.array([[{"role": "user", "content": str(i)}] * (i % 3) for i in range(ROWS)]),
        }
    )


@pytest.fixture(scope="module")
def folder(table: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filters")
    half = ROWS // 2
    pq.write_table(
        table.slice(0, half), folder / "a.parquet", row_group_size=100, data_page_size=200, write_page_index=True
    )
    pq.write_table(table.slice(half), folder / "b.parquet", row_group_size=170, write_statistics=False)
    return folder


def ours(folder: Path, tmp_path: Path, **options: Any) -> Any:
    files = [str(folder / "a.parquet"), str(folder / "b.parquet")]
    return load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path / "ours"), **options)


def official(folder: Path, tmp_path: Path, **options: Any) -> Any:
    files = [str(folder / "a.parquet"), str(folder / "b.parquet")]
    return datasets.load_dataset(
        "parquet", data_files=files, split="train", cache_dir=str(tmp_path / "official"), **options
    )


FILTERS: dict[str, Any] = {
    "range": [("n", ">=", 130), ("n", "<", 333)],
    "few": [("n", "=", 77)],
    "none": [("n", ">", 10**6)],
    "unequal": [("small", "!=", 2)],
    "or": [[("n", "<", 5)], [("word", "==", "berry"), ("flag", "==", True)], [("small", ">", 4)]],
    "in": [("word", "in", ["apple", "élan", "zebra" * 40])],
    "not in": [("word", "not in", ("apple", ""))],
    "set": [("small", "in", {1, -5})],
    "nan": [("f", "!=", 0.5)],
    "zero": [("f", "==", 0.0)],
    "infinite": [("f", "<", float("inf"))],
    "float and int": [("f", ">=", 0)],
    "int and float": [("small", "<=", 1.5)],
    "float32": [("f32", ">", 0.1)],
    "text order": [("word", ">", "b"), ("word", "<=", "zebra")],
    "boolean": [("flag", "!=", True)],
    "date": [("day", ">=", datetime.date(2020, 3, 1))],
    "null": [("small", "==", None)],
    "null among": [("word", "in", ["apple", None])],
    "expression": (pc.field("n") > 800) | pc.field("word").is_null(),
}


@pytest.mark.parametrize("name", FILTERS)
def test_rows(name: str, folder: Path, tmp_path: Path) -> None:
    chosen = {"filters": FILTERS[name], "columns": ["word", "n", "f"]}
    mine = ours(folder, tmp_path, **chosen)
    try:
        theirs = official(folder, tmp_path, **chosen)
    except ValueError as error:
        assert "corresponds to no data" in str(error)  # datasets makes no split without rows
        assert name in ("none", "null")
        assert mine.num_rows == 0
        return
    assert mine.column_names == theirs.column_names == ["n", "f", "word"]
    assert repr(mine.to_dict()) == repr(theirs.to_dict())  # by their text: NaN


def test_columns_only(folder: Path, tmp_path: Path) -> None:
    for columns in (["turns"], ["word", "n"], None):
        mine, theirs = ours(folder, tmp_path, columns=columns), official(folder, tmp_path, columns=columns)
        assert mine.column_names == theirs.column_names
        assert repr(mine.to_dict()) == repr(theirs.to_dict())


def test_features_of_the_columns(folder: Path, tmp_path: Path) -> None:
    types = Features({"n": Value("int32"), "word": Value("large_string")})
    ds = ours(folder, tmp_path, columns=["n", "word"], features=types, filters=[("n", ">", 895)])
    assert ds.features == types
    assert ds["n"][:] == [896, 897, 898, 899]
    with pytest.raises(ValueError, match="must match"):
        ours(folder, tmp_path, columns=["n", "flag"], features=types)


def test_stored_apart(folder: Path, tmp_path: Path) -> None:
    """Filtered tables have stores of their own."""
    loads = [ours(folder, tmp_path, filters=[("n", "<", n)], keep_in_memory=False).num_rows for n in (10, 20, 10)]
    assert loads == [10, 20, 10]
    assert ours(folder, tmp_path, keep_in_memory=False).num_rows == ROWS


def test_wrong_filters(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Malformed"):
        ours(folder, tmp_path, filters=[])
    with pytest.raises(ValueError, match='"~" is not a valid operator'):
        ours(folder, tmp_path, filters=[("n", "~", 3)])
    with pytest.raises(DatasetGenerationError, match="nope"):
        ours(folder, tmp_path, filters=[("nope", "==", 3)])
    with pytest.raises(DatasetGenerationError, match="nope"):
        ours(folder, tmp_path, columns=["nope"])


def test_streaming_columns(folder: Path) -> None:
    files = str(folder / "a.parquet")
    stream = load_dataset("parquet", data_files=files, split="train", streaming=True, columns=["n", "word"])
    assert next(iter(stream)).keys() == {"n", "word"}


VALUES = st.one_of(
    st.tuples(st.just("n"), st.integers(-10, ROWS + 10)),
    st.tuples(st.just("small"), st.integers(-300, 300)),
    st.tuples(st.just("word"), st.sampled_from(["", "a", "apple", "c", "zebra", "zz"])),
    st.tuples(st.just("f"), st.sampled_from([0.0, 0.5, -4.0, 1e300])),
)
PREDICATE = st.tuples(VALUES, st.sampled_from(["==", "!=", "<", "<=", ">", ">="])).map(
    lambda p: (p[0][0], p[1], p[0][1])
)


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(filters=st.lists(st.lists(PREDICATE, min_size=1, max_size=3), min_size=1, max_size=3))
def test_any_filter(filters: list[list[tuple[str, str, Any]]], table: pa.Table, folder: Path) -> None:
    native = [[{"column": c, "op": op, "values": [kind(v)]} for c, op, v in part] for part in filters]
    paths = [str(folder / "a.parquet"), str(folder / "b.parquet")]
    got = pa.table(Table.read(paths, "parquet", columns=["n"], filter=json.dumps(native)))
    kept = table.filter(pq.filters_to_expression(filters))
    assert got["n"].to_pylist() == kept["n"].to_pylist()


def kind(value: Any) -> dict[str, Any]:
    return (
        {"text": value}
        if isinstance(value, str)
        else {"float": repr(value)}
        if isinstance(value, float)
        else {"int": value}
    )


def test_columns_of_a_file_that_says_its_features(tmp_path: Path) -> None:
    path = str(tmp_path / "a.parquet")
    rows = [{"word": f"w{i}", "n": i, "turns": [{"role": "user"}]} for i in range(10)]
    datasets.Dataset.from_list(rows).to_parquet(path)
    for options in ({"columns": ["n"]}, {"columns": ["n", "turns"], "filters": [("word", ">", "w5")]}):
        mine = load_dataset("parquet", data_files=path, split="train", **options)
        theirs = datasets.load_dataset("parquet", data_files=path, split="train", cache_dir=str(tmp_path), **options)
        assert mine.features.to_dict() == theirs.features.to_dict()
        assert mine.to_list() == theirs.to_list()
