"""Columns and sources of rows, against the official library."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import crucible_datasets as ours
from oracle_pair import both, pair
from small_tables import LABELS, library, rows

# --------------------------------------------------------------------------------------------------------- columns

EDITS: dict[str, Callable[[Any], Any]] = {
    "add list": lambda ds: ds.add_column("x", list(range(len(ds)))),
    "add text": lambda ds: ds.add_column("x", [str(k) for k in range(len(ds))]),
    "add numpy": lambda ds: ds.add_column("x", np.arange(len(ds), dtype=np.int16)),
    "add arrow": lambda ds: ds.add_column("x", pa.array(range(len(ds)))),
    "add column": lambda ds: ds.add_column("x", ds["i"]),
    "add feature": lambda ds: ds.add_column("x", [0, 1] * (len(ds) // 2), feature=library(ds).Value("int8")),
    "add taken": lambda ds: ds.add_column("i", list(range(len(ds)))),
    "add short": lambda ds: ds.add_column("x", [1]),
    "add mixed": lambda ds: ds.add_column("x", [1, "a"] * (len(ds) // 2)),
    "add after select": lambda ds: ds.select([3, 1]).add_column("x", [7, 8]),
    "item": lambda ds: ds.add_item({"i": 100, "f": 1.0, "s": "z", "l": [1], "o": {"p": 1, "q": "w"}}),
    "item partly": lambda ds: ds.add_item({"i": 100}),
    "item new column": lambda ds: ds.add_item({"i": 100, "z": "n"}),
    "item whole float": lambda ds: ds.add_item({"i": 2.0}),
    "item number as text": lambda ds: ds.add_item({"s": 5}),
    "item wrong": lambda ds: ds.add_item({"i": "q"}),
    "item fraction": lambda ds: ds.add_item({"i": 1.5}),
    "item after shuffle": lambda ds: ds.shuffle(seed=1).add_item({"i": 100}),
    "flatten": lambda ds: ds.flatten(),
    "flatten selected": lambda ds: ds.select([3, 1]).flatten(),
    "repeat": lambda ds: ds.repeat(3),
    "repeat shuffled": lambda ds: ds.shuffle(seed=4).repeat(2),
    "repeat none": lambda ds: ds.repeat(0),
    "repeat below": lambda ds: ds.repeat(-1),
    "repeat for ever": lambda ds: ds.repeat(None),
    "batch": lambda ds: ds.batch(3),
    "batch drop": lambda ds: ds.batch(3, drop_last_batch=True),
    "batch large": lambda ds: ds.batch(100),
    "batch shuffled": lambda ds: ds.shuffle(seed=4).batch(4),
    "batch nothing": lambda ds: ds.batch(),
    "batch by column": lambda ds: ds.sort("s").batch(by_column="s"),
    "batch by columns": lambda ds: ds.batch(by_column=["s", "i"]),
    "batch by unsorted": lambda ds: ds.batch(by_column="s"),
    "batch by column processes": lambda ds: ds.batch(by_column="s", num_proc=2),
    "flatten_indices": lambda ds: ds.shuffle(seed=4).flatten_indices(),
    "flatten_indices plain": lambda ds: ds.flatten_indices(),
    "encode text": lambda ds: ds.class_encode_column("s"),
    "encode ints": lambda ds: ds.class_encode_column("i"),
    "encode floats": lambda ds: ds.class_encode_column("f"),
    "encode list": lambda ds: ds.class_encode_column("l"),
    "encode unknown": lambda ds: ds.class_encode_column("zz"),
    "encode shuffled": lambda ds: ds.shuffle(seed=2).class_encode_column("s"),
    "unique": lambda ds: ds.unique("s"),
    "unique ints": lambda ds: ds.unique("i"),
    "unique unknown": lambda ds: ds.unique("zz"),
    "unique list": lambda ds: ds.unique("l"),
    "unique struct": lambda ds: ds.unique("o"),
    "unique some": lambda ds: ds.select([4, 1, 4]).unique("i"),
    "select columns": lambda ds: ds.select_columns(["s", "i"]),
    "remove columns": lambda ds: ds.remove_columns(["s", "i"]),
    "rename": lambda ds: ds.rename_columns({"s": "i2", "i": "s"}),
}  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
def test_edit(name: str) -> None:
    both(*pair(rows(10)), EDITS[name])


@pytest.mark.parametrize("kind", [None, "numpy"])
@pytest.mark.parametrize(
    "name", ["add list", "flatten", "batch", "select columns", "rename", "item", "repeat shuffled"]
)
def test_edit_keeps_the_format(name: str, kind: str | None) -> None:
    a, b = pair(rows(10))
    both(a.with_format(kind, ["i", "s"]), b.with_format(kind, ["i", "s"]), lambda ds: EDITS[name](ds).format)


@pytest.mark.parametrize(
    "values", [[None, "b", "a", None], [True, False, None, True], [3, 20, 100, 3], ["x", "x", "x", "x"]]
)
@pytest.mark.parametrize("nulls", [False, True])
def test_class_encode(values: list[Any], nulls: bool) -> None:
    both(*pair({"c": values}), lambda ds: ds.class_encode_column("c", include_nulls=nulls))


def test_unique_of_nulls_and_nan() -> None:
    both(*pair({"f": [1.0, float("nan"), None, float("nan"), 1.0, None]}), lambda ds: ds.unique("f"))
    assert ours.Dataset.from_dict({"a": [1, 2, 3]}).select([2, 0, 2]).unique("a") == [3, 1]  # the official one errs


@pytest.mark.parametrize("mapping", [
    {"pos": 0, "NEG": 1, "neutral": 2}, {"pos": 0, "neg": 1}, {"a": 0}, {"neutral": 0, "pos": 1, "neg": 2, "more": 3},
])  # fmt: skip
def test_align_labels(mapping: dict[str, int]) -> None:
    a, b = pair({"l": [0, 1, 2, 0, None], "t": ["x"] * 5}, LABELS)
    both(a, b, lambda ds: ds.align_labels_with_mapping(mapping, "l"))
    both(a, b, lambda ds: ds.align_labels_with_mapping(mapping, "zz"))


def test_align_lists_of_labels() -> None:
    ds = ours.Dataset.from_dict(
        {"l": [[0, 1], [], None]}, ours.Features({"l": ours.List(ours.ClassLabel(names=["a", "b"]))})
    )
    moved = ds.align_labels_with_mapping({"B": 0, "a": 1}, "l")
    assert moved["l"][:] == [[1, 0], [], None]
    with pytest.raises(ValueError, match="ClassLabel"):
        ours.Dataset.from_dict({"x": [1]}).align_labels_with_mapping({"a": 0}, "x")
    with pytest.raises(ValueError, match="0 to 1"):
        ds.align_labels_with_mapping({"a": 3, "b": 1}, "l")


def test_flatten_deep() -> None:
    deep = [{"a": {"b": {"c": {"d": k}, "e": [k]}, "f": None}} for k in range(3)] + [{"a": None}]
    for depth in (2, 3, 16):
        both(*pair(deep), lambda ds, depth=depth: ds.flatten(max_depth=depth))


# --------------------------------------------------------------------------------------------------------- sources

FRAMES = [
    pd.DataFrame({"a": [1, 2], "b": ["x", None]}),
    pd.DataFrame({"a": [1.5, 2]}, index=["p", "q"]),
    pd.DataFrame({"a": [1, 2]}, index=pd.Index([5, 6], name="key")),
    pd.DataFrame({"a": pd.Categorical(["x", "y"]), "t": pd.to_datetime(["2020-01-01", None])}),
    pd.DataFrame({"a": [[1], [2, 3]], "d": [{"x": 1}, {"x": None}]}),
]


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("preserve", [None, True, False])
def test_from_pandas(frame: pd.DataFrame, preserve: bool | None) -> None:
    both(*pair(rows(1)), lambda ds: library(ds).Dataset.from_pandas(frame, preserve_index=preserve))


def test_from_polars() -> None:
    frame = pl.DataFrame({"a": [1, 2], "b": ["x", None], "c": [[1], [2, 3]]})
    both(*pair(rows(1)), lambda ds: library(ds).Dataset.from_polars(frame))
    both(*pair(rows(1)), lambda ds: library(ds).Dataset.from_polars(frame.lazy()))


def generator(n: int, extra: bool = False) -> Any:
    for k in range(n):
        yield {"a": k, "s": f"t{k}", **({"x": 1} if extra and k else {})}


def failing() -> Any:
    yield {"a": 1}
    msg = "broken"
    raise OSError(msg)


def test_from_generator(tmp_path: Path) -> None:
    a, b = pair(rows(1))

    def made(ds: Any, function: Any, **arguments: Any) -> Any:
        return library(ds).Dataset.from_generator(function, cache_dir=str(tmp_path), **arguments)

    for n in (1, 5, 2500):
        both(a, b, lambda ds, n=n: made(ds, generator, gen_kwargs={"n": n}))
        both(a, b, lambda ds, n=n: str(made(ds, generator, gen_kwargs={"n": n}).split))
    both(a, b, lambda ds: made(ds, generator, gen_kwargs={"n": 3, "extra": True}))

    def typed(ds: Any) -> Any:
        features = library(ds).Features({"s": library(ds).Value("string"), "a": library(ds).Value("int8")})
        return made(ds, generator, gen_kwargs={"n": 4}, features=features)

    both(a, b, typed)
    with pytest.raises(ours_errors().DatasetGenerationError) as caught:
        made(a, failing)
    assert isinstance(caught.value.__cause__, OSError)
    with pytest.raises(ours_errors().DatasetGenerationError):
        made(a, generator, gen_kwargs={"n": 0})


def ours_errors() -> Any:
    from crucible_datasets import errors

    return errors


def test_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "a.csv").write_text("a,b\n1,x\n2,y\n")
    (tmp_path / "a.jsonl").write_text('{"a": 1, "b": "x"}\n{"a": 2, "b": null}\n')
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}).to_parquet(tmp_path / "a.parquet")
    a, b = pair(rows(1))
    for kind, name in (("csv", "a.csv"), ("json", "a.jsonl"), ("text", "a.txt"), ("parquet", "a.parquet")):

        def work(ds: Any, kind: str = kind, name: str = name) -> Any:
            read = getattr(library(ds).Dataset, f"from_{kind}")
            return read(str(tmp_path / name), cache_dir=str(tmp_path / "cache"))

        both(a, b, work)
    assert ours.Dataset.from_csv(tmp_path / "a.csv").split == "train"


def test_from_stream(tmp_path: Path) -> None:
    table = pa.table({"a": [1, 2, 3], "s": ["x", None, "é"]})
    path = tmp_path / "t.arrow"
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    both(*pair(rows(1)), lambda ds: library(ds).Dataset.from_file(str(path)))
    both(*pair(rows(1)), lambda ds: library(ds).Dataset.from_buffer(pa.py_buffer(path.read_bytes())))
    with pytest.raises(FileNotFoundError):
        ours.Dataset.from_file(tmp_path / "none.arrow")
    (tmp_path / "bad.arrow").write_bytes(path.read_bytes()[:-40] + b"x" * 40)
    with pytest.raises(ValueError, match="Arrow IPC"):
        ours.Dataset.from_file(tmp_path / "bad.arrow")
