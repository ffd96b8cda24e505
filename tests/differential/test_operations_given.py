"""What users give: row numbers of any kind, columns of pandas, polars and pyarrow, functions that return their values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets as theirs
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import crucible_datasets as ours
from oracle_pair import both, pair

ROWS = {"a": [1, 2, 3, 4, 5], "t": ["x", "y", "z", None, "w"], "l": [[1], [], [2, 3], None, [4]]}
MASK = [True, False, True, False, True]


@pytest.fixture(autouse=True)
def _quiet() -> None:
    theirs.disable_progress_bars()


def library(dataset: Any) -> Any:
    return ours if isinstance(dataset, ours.Dataset) else theirs


@pytest.mark.parametrize(
    "key",
    [MASK, np.array(MASK), np.array([0, 4], dtype=np.uint8), np.array([2**63], dtype=np.uint64), [10**30], [0, "a"], ["a"], "a",
     [None], [1.5], [2.0], np.array([1.0]), np.array([[0, 1]]), np.array([]), (), pd.Series([1, 2]), [np.int64(4), 0], range(4, -1, -2)],
    ids=repr,
)  # fmt: skip
def test_select_of_numbers(key: Any) -> None:
    a, b = pair(ROWS)
    if isinstance(key, np.ndarray) and key.ndim == 2:  # a ValueError there: the truth of an array
        with pytest.raises(TypeError, match="2 dimensions"):
            a.select(key)
        return
    both(a, b, lambda ds: ds.select(key))
    both(a.shuffle(seed=1), b.shuffle(seed=1), lambda ds: ds.select(key))


@pytest.mark.parametrize("key", [[10**30], [0, "a"], ["a"], ["a", "t"], [None], MASK, np.array([[0, 1]])], ids=repr)
def test_rows_of_numbers(key: Any) -> None:
    a, b = pair(ROWS)
    both(a, b, lambda ds: ds[key])
    both(a, b, lambda ds: ds["a"][key])


WRONG: dict[str, Callable[[Any], Any]] = {
    "repeat a float": lambda ds: ds.repeat(1.0),
    "repeat a bool of numpy": lambda ds: ds.repeat(np.True_),
    "repeat a numpy integer": lambda ds: ds.repeat(np.int64(2)),
    "batch a float": lambda ds: ds.batch(2.5),
    "batch a text": lambda ds: ds.batch("2"),
    "skip below 0": lambda ds: ds.skip(-6),
    "unique of a list": lambda ds: ds.unique(["a"]),
    "classes of a list": lambda ds: ds.class_encode_column(["a"]),
    "rename by a list": lambda ds: ds.rename_columns(["a"]),
    "rename by None": lambda ds: ds.rename_columns(None),
    "concatenate a dict": lambda ds: library(ds).concatenate_datasets({"a": ds}),
    "concatenate a DatasetDict": lambda ds: library(ds).concatenate_datasets(library(ds).DatasetDict({"a": ds})),
    "concatenate a text": lambda ds: library(ds).concatenate_datasets([ds, "a"]),
    "concatenate a stream": lambda ds: library(ds).concatenate_datasets([ds, ds.to_iterable_dataset()]),
    "interleave texts": lambda ds: library(ds).interleave_datasets(["a", "b"]),
    "a generator that is a list": lambda ds: library(ds).Dataset.from_generator([1]),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arguments(name: str) -> None:
    both(*pair(ROWS), WRONG[name])


@pytest.mark.parametrize("work", [lambda ds: ds.select_columns([]), lambda ds: ds.remove_columns(ds.column_names)])
def test_no_columns_are_no_rows(work: Callable[[Any], Any]) -> None:
    both(*pair(ROWS), lambda ds: [len(work(ds)), list(work(ds).shape), repr(work(ds)), work(ds)[:]])


STRUCTS: dict[str, tuple[list[Any], list[Any]]] = {
    "other order": ([{"x": 1, "y": 2}], [{"y": 1, "x": 2}]),
    "more fields": ([{"x": 1}], [{"y": 1, "x": 2}]),
    "fewer fields": ([{"y": 1, "x": 2}], [{"x": 1}]),
    "null fields": ([{"x": None}], [{"x": 1}]),
    "deep": ([{"x": {"p": 1, "q": "a"}}], [{"x": {"q": "b", "p": 2}}]),
    "deep, more fields": ([{"x": {"p": 1}}], [{"x": {"q": "b", "p": 2}}]),
    "lists": ([[{"y": 1, "x": 2}]], [[{"x": 1, "y": 1}]]),
    "lists, more fields": ([[{"y": 1}]], [[{"x": 1, "y": 1}]]),
    "other types": ([{"x": 1}], [{"x": "a"}]),
}


@pytest.mark.parametrize("name", STRUCTS)
def test_structs_put_together(name: str) -> None:
    first, second = STRUCTS[name]
    a, b = pair({"s": first})
    both(a, b, lambda ds: library(ds).concatenate_datasets([ds, library(ds).Dataset.from_dict({"s": second})]))
    both(a, b, lambda ds: library(ds).interleave_datasets([ds, library(ds).Dataset.from_dict({"s": second})]))


def test_features_that_nobody_gives_are_null() -> None:
    def work(ds: Any, **more: Any) -> Any:
        lib = library(ds)
        features = lib.Features({**ds.features, "n": lib.Value("int8"), "zz": lib.List(lib.Value("string"))})
        return ds.map(lambda row: {"n": row["a"]}, features=features, **more)

    a, b = pair(ROWS)
    both(a, b, work)
    both(a, b, lambda ds: work(ds, batched=True))
    assert work(a, writer_batch_size=2)["zz"][:] == [None] * 5  # `datasets` fails


RETURNED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "tuples of several types": lambda row: (1, "a"),
    "tuples in tuples": lambda row: ((1, "a"), (2,)),
    "a tuple of dicts": lambda row: ({"x": 1}, {"x": "a"}),
    "NA": lambda row: pd.NA,
    "NA for some rows": lambda row: pd.NA if row["a"] < 3 else row["a"],
    "a scalar of pyarrow": lambda row: pa.scalar(row["a"], pa.int8()),
    "an array of pyarrow": lambda row: pa.array([row["a"]], pa.int8()),
    "a Series of polars": lambda row: pl.Series([row["a"], 1], dtype=pl.Int8),
    "a Series of texts": lambda row: pl.Series([row["t"] or ""]),
}


@pytest.mark.parametrize("name", RETURNED)
def test_values_of_other_packages_in_rows(name: str) -> None:
    both(*pair(ROWS), lambda ds: ds.map(lambda row: {"n": RETURNED[name](row)}))


@pytest.mark.parametrize("kind", ["arrow", "polars"])
@pytest.mark.parametrize("column", ["a", "t"])
def test_columns_of_one_row_frames(kind: str, column: str) -> None:
    """The function returns what it finds in a table of one row."""
    rows = {"a": [1, 2, 3], "t": ["x", None, "z"]}
    work: Callable[[Any], Any] = lambda ds: ds.with_format(kind).map(lambda row: {"n": row[column]})  # noqa: E731
    both(*pair(rows), lambda ds: work(ds).with_format(None))


def test_types_of_later_blocks() -> None:
    a, b = pair({"a": list(range(6))})
    both(a, b, lambda ds: ds.map(lambda row: {"n": pa.scalar(row["a"], pa.int16())}, writer_batch_size=2))
    both(a, b, lambda ds: ds.map(lambda row: {"n": pl.Series([row["a"]])}, writer_batch_size=2))


SERIES: dict[str, Any] = {
    "int64": pd.Series([1, 2], index=[3, 4]),
    "int8": pd.Series([1, 2], dtype="int8"),
    "float64": pd.Series([1.0, None]),
    "float32": pd.Series([1.0, 2.0], dtype="float32"),
    "bool": pd.Series([True, False]),
    "text": pd.Series(["a", "b"]),
    "objects": pd.Series(["a", None], dtype=object),
    "lists": pd.Series([[1], [2, 3]]),
    "dates": pd.Series(pd.to_datetime(["2020-01-01", "2021-02-03"])),
    "dates of a zone": pd.Series(pd.to_datetime(["2020-01-01"]).tz_localize("Europe/Paris")),
    "categories": pd.Series(["a", "b"], dtype="category"),
    "an index": pd.Index([1, 2], dtype="int8"),
    "polars": pl.Series([1, 2], dtype=pl.Int8),
    "polars lists": pl.Series([[1], [2, 3]]),
    "polars texts": pl.Series(["a", None]),
}


@pytest.mark.parametrize("name", SERIES)
def test_columns_of_frames(name: str) -> None:
    values = SERIES[name]
    a, b = pair({"b": list(range(len(values)))})
    both(a, b, lambda ds: library(ds).Dataset.from_dict({"a": values}))
    both(a, b, lambda ds: ds.map(lambda batch: {"a": values}, batched=True) if name != "an index" else ds)
    if not name.startswith("polars"):
        both(a, b, lambda ds: ds.add_column("a", values))


@pytest.mark.parametrize(
    "values",
    [pd.Series(["a", None]), pd.Series(["a", None], dtype="string"), pd.Series([1, None], dtype="Int64"),
     pd.Series([1.0, None]), pd.Series(pd.to_datetime(["2020-01-01", None])), pa.array([1, None], pa.int8()),
     pd.Series([1, float("nan")], dtype=object)],
    ids=lambda values: str(values.dtype if hasattr(values, "dtype") else values.type),
)  # fmt: skip
def test_missing_values_of_added_columns(values: Any) -> None:
    both(*pair({"b": [0, 1]}), lambda ds: ds.add_column("a", values))


def test_missing_texts_of_a_series_are_null() -> None:
    a, b = pair({"b": [0, 1]})
    both(a, b, lambda ds: ds.map(lambda batch: {"a": pd.Series(["a", None])}, batched=True))
    made = ours.Dataset.from_dict({"a": pd.Series(["a", None]), "n": pd.Series([1, None], dtype="Int64")})
    assert made[:] == {"a": ["a", None], "n": [1, None]}  # `datasets` fails


FILTERS: dict[str, tuple[str, Callable[..., Any], dict[str, Any]]] = {
    "length of a text": ("pandas", lambda row: len(row["t"]) > 1, {}),
    "a number": ("pandas", lambda row: row["a"] > 1, {}),
    "with indices": ("pandas", lambda row, i: row["a"] > 1 and i < 2, {"with_indices": True}),
    "columns": ("pandas", lambda a, t: a > 1 and len(t) > 1, {"input_columns": ["a", "t"]}),
    "columns of arrow": ("arrow", lambda a: a.as_py() > 1, {"input_columns": "a"}),
    "columns of polars": ("polars", lambda t: len(t) > 1, {"input_columns": "t"}),
}


@pytest.mark.parametrize("name", FILTERS)
def test_filter_of_frames_passes_values(name: str) -> None:
    """Not frames of one row, whose length and truth are others."""
    kind, function, more = FILTERS[name]
    a, b = pair({"a": [1, 2, 3], "t": ["x", "yy", "zzz"]})
    both(a.with_format(kind), b.with_format(kind), lambda ds: ds.filter(function, **more))


@pytest.mark.parametrize("kind", ["json", "csv", "text", "parquet"])
def test_files_by_split(kind: str, tmp_path: Path) -> None:
    path = str(tmp_path / f"rows.{kind}")
    if kind == "parquet":
        pa.parquet.write_table(pa.table({"a": [1, 2]}), path)
    else:
        Path(path).write_text('{"a": 1}\n{"a": 2}\n' if kind == "json" else "a\n1\n")
    cache = {ours: str(tmp_path / "ours"), theirs: str(tmp_path / "theirs")}

    def made(lib: Any, paths: Any, where: str = "Dataset", **more: Any) -> Any:
        return getattr(getattr(lib, where), f"from_{kind}")(paths, cache_dir=cache[lib], **more)

    a, b = pair({"a": [1]})
    both(a, b, lambda ds: made(library(ds), {"x": path, "y": [path]}))
    both(a, b, lambda ds: made(library(ds), {"x": path, "y": [path]}, split="y"))
    both(a, b, lambda ds: made(library(ds), path, "DatasetDict"))
