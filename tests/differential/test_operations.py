"""Sorting, splitting, putting together, columns, formats and folders, against the official library."""

from __future__ import annotations

import datetime as dt
import math
import pickle
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import datasets as theirs
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import crucible_datasets as ours
from oracle_pair import assert_same, both, equal, pair

LABELS = {"l": {"names": ["neg", "pos", "neutral"], "_type": "ClassLabel"}, "t": {"dtype": "string", "_type": "Value"}}


def library(dataset: Any) -> Any:
    return ours if isinstance(dataset, ours.Dataset | ours.DatasetDict) else theirs


def rows(n: int) -> list[dict[str, Any]]:
    return [{"i": k, "f": k / 4, "s": f"t{k % 3}", "l": [k] * (k % 3), "o": {"p": k, "q": f"q{k}"}} for k in range(n)]


# ------------------------------------------------------------------------------------------------------------ sort

SORTABLE: dict[str, list[Any]] = {
    "ints": [3, None, 1, 2, None, 1],
    "small": [3, -1, 1, 2, 0, 1],
    "floats": [1.5, float("nan"), None, -0.0, 0.0, float("-inf")],
    "text": ["b", "", None, "é", "B", "a"],
    "bools": [True, None, False, True, False, None],
    "dates": [dt.date(2020, 1, k) for k in (3, 1, 2, 2, 9, 1)],
    "times": [dt.datetime(2020, 1, k) for k in (3, 1, 2, 2, 9, 1)],
    "decimals": [Decimal("1.5"), None, Decimal("-2.25"), Decimal(10), Decimal(0), Decimal("1.5")],
    "bytes": [b"b", b"", None, b"\xff", b"a", b"b"],
    "nulls": [None] * 6,
    "lists": [[1], [0], [], [2], [3], [1]],
    "structs": [{"a": k % 3, "b": f"x{-k}"} for k in range(6)],
}


@pytest.mark.parametrize("name", SORTABLE)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("place", ["at_end", "at_start"])
def test_sort(name: str, reverse: bool, place: str) -> None:
    a, b = pair({name: SORTABLE[name], "row": list(range(6))})
    both(a, b, lambda ds: ds.sort(name, reverse=reverse, null_placement=place))
    both(a, b, lambda ds: ds.select([5, 3, 1, 4]).sort(name, reverse=reverse, null_placement=place))


@pytest.mark.parametrize("arguments", [
    (["s", "i"],), (["s", "i"], [True, False]), (["s", "i"], [False, True]), (["s", "f"], True), (["s"], [True, False]),
    ("zz",), ([],), (["i", "i"],), ("i", False, "last"), ("i", False, "first"), ("i", False, "nowhere"), (("s", "i"),),
])  # fmt: skip
def test_sort_arguments(arguments: tuple[Any, ...]) -> None:
    a, b = pair(rows(9))
    both(a, b, lambda ds: ds.sort(*arguments))
    both(a, b, lambda ds: ds.shuffle(seed=1).sort(*arguments))


def test_sort_random() -> None:
    draw = np.random.default_rng(7)
    a, b = pair(
        {"x": draw.integers(0, 50, 500).tolist(), "y": draw.random(500).round(1).tolist(), "row": list(range(500))}
    )
    for keys in ("x", "y", ["x", "y"], ["y", "x"]):
        for reverse in (False, True):
            both(a, b, lambda ds, k=keys, r=reverse: ds.sort(k, r)["row"][:])


def test_sort_copies_nothing() -> None:
    a, _ = pair(rows(9))
    assert a.sort("s").nbytes == a.nbytes
    assert a.sort("i")._table.is_range


# ----------------------------------------------------------------------------------------------- train_test_split

SIZES: list[dict[str, Any]] = [
    {}, {"test_size": 0.2}, {"train_size": 0.33}, {"test_size": 7}, {"train_size": 7}, {"test_size": 0.001},
    {"test_size": 0.1, "train_size": 0.1}, {"test_size": 10, "train_size": 5}, {"test_size": 0.7, "train_size": 0.7},
    {"test_size": 0}, {"test_size": 1.0}, {"test_size": 100}, {"test_size": True}, {"test_size": np.float64(0.3)},
    {"test_size": np.int64(20)}, {"test_size": -0.2}, {"test_size": 60, "train_size": 60}, {"train_size": 0.001},
    {"test_size": "x"},
]  # fmt: skip


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("shuffle", [True, False])
def test_split_sizes(sizes: dict[str, Any], shuffle: bool) -> None:
    a, b = pair({"i": list(range(100))})
    both(a, b, lambda ds: ds.train_test_split(shuffle=shuffle, seed=42, **sizes))


@pytest.mark.parametrize("seed", [0, 1, 42, 12345])
@pytest.mark.parametrize("size", [3, 10, 101])
def test_split_seeds(seed: int, size: int) -> None:
    a, b = pair({"i": list(range(size))})
    both(a, b, lambda ds: ds.train_test_split(seed=seed))
    both(a, b, lambda ds: ds.shuffle(seed=3).train_test_split(generator=np.random.default_rng(seed)))

    def by_global_state(ds: Any) -> Any:
        np.random.seed(seed)
        return ds.train_test_split()

    both(a, b, by_global_state)


@pytest.mark.parametrize("seed", [0, 42, 7])
@pytest.mark.parametrize(
    "sizes", [{"test_size": 0.2}, {"test_size": 0.13}, {"test_size": 9, "train_size": 20}, {"test_size": 2}]
)
@pytest.mark.parametrize("counts", [(50, 30, 20), (10, 80, 10), (3, 2, 4), (98, 1, 1)])
def test_split_stratified(seed: int, sizes: dict[str, Any], counts: tuple[int, ...]) -> None:
    labels = [k for k, n in enumerate(counts) for _ in range(n)]
    a, b = pair({"l": labels, "t": [str(i) for i in range(len(labels))]}, LABELS)
    both(a, b, lambda ds: ds.train_test_split(stratify_by_column="l", seed=seed, **sizes))
    both(a, b, lambda ds: ds.shuffle(seed=5).train_test_split(stratify_by_column="l", seed=seed, **sizes))


def test_split_wrong_columns() -> None:
    a, b = pair({"l": [0, 1] * 5, "t": ["x"] * 10}, LABELS)
    for column in ("t", "zz"):
        both(a, b, lambda ds, column=column: ds.train_test_split(stratify_by_column=column))
    both(a, b, lambda ds: ds.train_test_split(stratify_by_column="l", shuffle=False))
    both(*pair({"i": []}), lambda ds: ds.train_test_split())


# -------------------------------------------------------------------------------------- concatenate and interleave


def parts(ds: Any) -> Any:
    return library(ds).Dataset.from_list


JOINS: dict[str, Callable[[Any], list[Any]]] = {
    "same": lambda make: [make(rows(3)), make(rows(2))],
    "one": lambda make: [make(rows(3))],
    "empty list": lambda make: [],
    "with empty": lambda make: [make(rows(3)), make(rows(2)).select([]), make(rows(1))],
    "other order": lambda make: [make([{"a": 1, "b": "x"}]), make([{"b": "y", "a": 2}])],
    "missing": lambda make: [make([{"a": 1, "b": "x"}]), make([{"b": "y"}])],
    "new": lambda make: [make([{"a": 1}]), make([{"b": "y", "a": 3}])],
    "disjoint": lambda make: [make([{"a": 1}]), make([{"b": 1}])],
    "other type": lambda make: [make([{"a": 1}]), make([{"a": "x"}])],
    "int and float": lambda make: [make([{"a": 1}]), make([{"a": 1.5}])],
    "null": lambda make: [make([{"a": None}]), make([{"a": 1}])],
    "null after": lambda make: [make([{"a": 1}]), make([{"a": None}])],
    "null list": lambda make: [make([{"a": []}]), make([{"a": [1]}])],
    "struct fields": lambda make: [make([{"a": {"x": 1, "y": None}}]), make([{"a": {"x": 1, "y": "s"}}])],
    "selected": lambda make: [make(rows(5)).select([4, 0, 2]), make(rows(4)), make(rows(6)).shuffle(seed=1)],
    "slices": lambda make: [make(rows(5)).select(range(1, 4)), make(rows(4)).select(range(2, 4))],
    "self twice": lambda make: [(ds := make(rows(4)).shuffle(seed=2)), ds],
    "not a dataset": lambda make: [make(rows(2)), 5],
}  # fmt: skip


@pytest.mark.parametrize("name", JOINS)
def test_concatenate(name: str) -> None:
    a, b = pair(rows(1))
    both(a, b, lambda ds: library(ds).concatenate_datasets(JOINS[name](library(ds).Dataset.from_list)))


SIDES: dict[str, Callable[[Any], list[Any]]] = {
    "two": lambda make: [make([{"a": 1}, {"a": 2}]), make([{"b": "x"}, {"b": "y"}])],
    "selected": lambda make: [make([{"a": k} for k in range(5)]).select([3, 1]), make([{"b": k} for k in range(2)])],
    "both selected": lambda make: [make([{"a": k} for k in range(5)]).shuffle(seed=1), make([{"b": k} for k in range(5)]).sort("b", reverse=True)],
    "lengths": lambda make: [make([{"a": 1}]), make([{"b": 1}, {"b": 2}])],
    "double": lambda make: [make([{"a": 1}]), make([{"a": 1}])],
}  # fmt: skip


@pytest.mark.parametrize("name", SIDES)
def test_side_by_side(name: str) -> None:
    a, b = pair(rows(1))
    both(a, b, lambda ds: library(ds).concatenate_datasets(SIDES[name](library(ds).Dataset.from_list), axis=1))


def test_concatenate_keeps() -> None:
    a, b = pair(rows(9))
    both(a, b, lambda ds: library(ds).concatenate_datasets([ds.with_format("numpy"), ds.with_format("numpy")]))
    both(a, b, lambda ds: library(ds).concatenate_datasets([ds.with_format("numpy"), ds]))
    joined = ours.concatenate_datasets([a, a], split="x", info=ours.DatasetInfo(description="d"))
    assert (joined.split, joined.info.description) == ("x", "d")
    shuffled = a.shuffle(seed=1)
    assert ours.concatenate_datasets([shuffled, shuffled]).nbytes == a.nbytes


STRATEGIES = ["first_exhausted", "all_exhausted", "all_exhausted_without_replacement", "nonsense"]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    "chances", [None, [0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [1.0, 0.0, 0.0], [0.5, 0.5], [0.5, 0.6, 0.2]]
)
@pytest.mark.parametrize("lengths", [(3, 4, 5), (1, 1, 1), (40, 7, 300)])
def test_interleave(strategy: str, chances: list[float] | None, lengths: tuple[int, ...]) -> None:
    if strategy.endswith("replacement") and chances and 0.0 in chances:
        pytest.skip("the official library never ends there")
    a, b = pair(rows(1))
    starts = (0, 1000, 2000)

    def work(ds: Any) -> Any:
        make = library(ds).Dataset.from_dict
        sources = [make({"i": list(range(s, s + n))}) for s, n in zip(starts, lengths, strict=True)]
        return library(ds).interleave_datasets(sources, probabilities=chances, seed=42, stopping_strategy=strategy)

    both(a, b, work)


@pytest.mark.parametrize("strategy", STRATEGIES[:3])
@pytest.mark.parametrize("chances", [None, [0.5, 0.5]])
def test_interleave_with_empty(strategy: str, chances: list[float] | None) -> None:
    if strategy.endswith("replacement") and chances:
        pytest.skip("checked below")
    a, b = pair(rows(1))

    def work(ds: Any) -> Any:
        make = library(ds).Dataset.from_dict
        sources = [make({"i": [1, 2, 3]}), make({"i": [5]}).select([])]
        return library(ds).interleave_datasets(sources, probabilities=chances, seed=1, stopping_strategy=strategy)

    both(a, b, work)


def test_interleave_never_ending() -> None:
    one = ours.Dataset.from_dict({"i": [1]})
    with pytest.raises(ValueError, match="never exhausted"):
        ours.interleave_datasets([one, one], [1.0, 0.0], seed=0, stopping_strategy="all_exhausted_without_replacement")
    with pytest.raises(ValueError, match="split"):
        ours.interleave_datasets([ours.DatasetDict({"train": one})])  # type: ignore[list-item]


def test_interleave_long() -> None:
    a, b = pair(rows(1))

    def work(ds: Any) -> Any:
        make = library(ds).Dataset.from_dict
        sources = [make({"i": list(range(1000 * s, 1000 * s + 1000))}) for s in range(3)]
        arguments = {"probabilities": [0.5, 0.3, 0.2], "seed": 42}
        return [
            library(ds).interleave_datasets(sources, stopping_strategy=s, **arguments)["i"][:] for s in STRATEGIES[:3]
        ]

    both(a, b, work)


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


# --------------------------------------------------------------------------------------------------------- formats


@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow", "numpy", None])
@pytest.mark.parametrize("columns", [None, ["f", "i"], "s"])
def test_formats(kind: str | None, columns: Any) -> None:
    a, b = (ds.with_format(kind, columns) for ds in pair(rows(6)))
    for key in (0, -1, slice(1, 4), [3, 0]):
        assert_shown(a[key], b[key])
    assert_shown(next(iter(a)), next(iter(b)))
    assert_shown(list(a.iter(4))[1], list(b.iter(4))[1])
    if kind in {"pandas", "polars", "arrow"}:
        assert_shown(a["i"], b["i"])
        with pytest.raises(KeyError):
            a["zz"]
    assert a.format == b.format


def assert_shown(x: Any, y: Any) -> None:
    assert type(x) is type(y)
    if isinstance(y, pd.DataFrame):
        pd.testing.assert_frame_equal(x, y)
    elif isinstance(y, pd.Series):
        pd.testing.assert_series_equal(x, y)
    elif isinstance(y, pl.DataFrame | pl.Series):
        assert x.equals(y)
        assert getattr(x, "schema", None) == getattr(y, "schema", None)
    elif isinstance(y, pa.Table):
        assert x.to_pylist() == y.to_pylist()
        assert x.schema.types == y.schema.types
    elif isinstance(y, pa.ChunkedArray):
        assert x.to_pylist() == y.to_pylist()
    else:
        assert equal(x, y), f"{x} {y}"


@pytest.mark.parametrize("kind", ["nonsense", "tf", "jax", "torch"])
def test_formats_that_are_not_there(kind: str) -> None:
    both(*pair(rows(2)), lambda ds: ds.with_format(kind))


def test_output_all_columns() -> None:
    a, b = pair(rows(6))
    both(a, b, lambda ds: ds.with_format("numpy", ["i", "f"], output_all_columns=True)[2])
    both(a, b, lambda ds: ds.with_format("numpy", ["f"], output_all_columns=True)[1:3])
    both(a, b, lambda ds: ds.with_format(None, ["f"], output_all_columns=True)[1:3])
    both(a, b, lambda ds: ds.with_format("pandas", ["f"], output_all_columns=True)[1:3])


def test_transforms() -> None:
    a, b = pair(rows(6))

    def double(batch: dict[str, Any]) -> dict[str, Any]:
        return {"x": [v * 2 for v in batch["i"]], "n": [len(batch["i"])] * len(batch["i"])}

    for key in (0, slice(1, 4), [4, 2]):
        both(a, b, lambda ds, key=key: ds.with_transform(double)[key])
        both(a, b, lambda ds, key=key: ds.with_transform(double, columns=["i"])[key])
        both(a, b, lambda ds, key=key: ds.with_transform(double, ["i"], output_all_columns=True)[key])
    both(a, b, lambda ds: list(ds.with_transform(double)))
    both(a, b, lambda ds: list(ds.with_transform(double).iter(4)))
    both(a, b, lambda ds: ds.with_transform(double).__getitems__([2, 3]))
    both(a, b, lambda ds: ds.with_transform(lambda batch: 5)[0])
    both(a, b, lambda ds: ds.with_transform(double)["x"])
    both(a, b, lambda ds: ds.with_transform(double).shuffle(seed=1)[0])

    def in_place(ds: Any) -> Any:
        ds = ds.select(range(4))
        ds.set_transform(double)
        first = ds[0]
        ds.reset_format()
        return [first, ds[0]]

    both(a, b, in_place)


def test_formatted_as() -> None:
    def work(ds: Any) -> Any:
        with ds.formatted_as("numpy", ["i"], dtype="int8"):
            inside = ds[1:3]
        return [inside, ds[1:3]["i"]]

    both(*pair(rows(6)), work)


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_map_of_frames(kind: str) -> None:
    a, b = pair([{"i": k, "s": f"t{k}"} for k in range(7)])

    def function(frame: Any) -> Any:
        return frame.assign(x=frame["i"] * 2) if kind == "pandas" else frame.with_columns(x=pl.col("i") * 2)

    both(
        a.with_format(kind),
        b.with_format(kind),
        lambda ds: ds.map(function, batched=True, batch_size=3).with_format(None),
    )
    both(a.with_format(kind), b.with_format(kind), lambda ds: ds.map(function).with_format(None))


# ------------------------------------------------------------------------------------------------------------ disk


@pytest.mark.parametrize("change", ["none", "select", "format", "split"])
@pytest.mark.parametrize("shards", [None, 1, 3])
def test_disk_both_ways(tmp_path: Path, change: str, shards: int | None) -> None:
    changes: dict[str, Callable[[Any], Any]] = {
        "none": lambda ds: ds,
        "select": lambda ds: ds.shuffle(seed=3),
        "format": lambda ds: ds.with_format("numpy", ["i"], dtype="float32"),
        "split": lambda ds: ds.train_test_split(seed=1)["test"],
    }
    a, b = (changes[change](ds) for ds in pair([{**row, "d": dt.date(2020, 1, 1)} for row in rows(9)]))
    a.save_to_disk(tmp_path / "ours", num_shards=shards)
    b.save_to_disk(str(tmp_path / "theirs"), num_shards=shards)
    assert_same(ours.load_from_disk(tmp_path / "ours"), b)
    assert_same(ours.load_from_disk(tmp_path / "theirs", keep_in_memory=True), b)
    read_back = theirs.load_from_disk(str(tmp_path / "ours"))
    assert_same(a, read_back)
    assert sorted(p.name for p in (tmp_path / "ours").iterdir()) == sorted(
        p.name for p in (tmp_path / "theirs").iterdir()
    )


def test_disk_labels_and_images(tmp_path: Path) -> None:
    picture = tmp_path / "red.png"
    picture.write_bytes(ours_png())
    features = ours.Features({"l": ours.ClassLabel(names=["a", "b"]), "i": ours.Image()})
    ds = ours.Dataset.from_dict(
        {"l": [0, 1, None], "i": [str(picture), None, {"bytes": ours_png(), "path": "x.png"}]}, features
    )
    ds.save_to_disk(tmp_path / "d")
    picture.unlink()
    back = theirs.load_from_disk(str(tmp_path / "d"))
    assert back.features["l"].names == ["a", "b"]
    stored = back.cast_column("i", theirs.Image(decode=False))[0]["i"]
    assert stored == {"bytes": ours_png(), "path": "red.png"}
    assert ours.load_from_disk(tmp_path / "d")[0]["i"].size == (2, 1)


def ours_png() -> bytes:
    from _crucible._native import encode_png

    return encode_png(bytes([255, 0, 0] * 2), 2, 1, "RGB")


def test_disk_dict(tmp_path: Path) -> None:
    a, b = pair(rows(9))
    a.train_test_split(seed=1).save_to_disk(tmp_path / "ours", num_shards={"train": 2, "test": 1})
    b.train_test_split(seed=1).save_to_disk(str(tmp_path / "theirs"))
    assert_same(ours.load_from_disk(tmp_path / "theirs"), theirs.load_from_disk(str(tmp_path / "ours")))
    with pytest.raises(FileNotFoundError, match="DatasetDict"):
        ours.Dataset.load_from_disk(tmp_path / "ours")
    with pytest.raises(FileNotFoundError):
        ours.DatasetDict.load_from_disk(tmp_path / "ours" / "train")
    with pytest.raises(FileNotFoundError):
        ours.load_from_disk(tmp_path / "nothing")
    (tmp_path / "ours" / "dataset_dict.json").write_text('{"splits": ["../theirs"]}')
    with pytest.raises(ValueError, match="Split name"):
        ours.load_from_disk(tmp_path / "ours")


def test_disk_errors(tmp_path: Path) -> None:
    a, b = pair(rows(3))
    for number, arguments in enumerate(
        [{"num_shards": 2, "max_shard_size": "1MB"}, {"num_shards": 9}, {"max_shard_size": "x"}]
    ):
        both(
            a, b, lambda ds, n=number, k=arguments: ds.save_to_disk(str(tmp_path / library(ds).__name__ / str(n)), **k)
        )
    a.save_to_disk(tmp_path / "small", max_shard_size=100)
    assert len(list((tmp_path / "small").glob("data-*.arrow"))) == 3
    assert_same(ours.load_from_disk(tmp_path / "small"), b)


# ------------------------------------------------------------------------------------------------------------ misc


def test_dicts(tmp_path: Path) -> None:
    a, b = (ds.train_test_split(seed=1) for ds in pair(rows(9)))
    works: list[Callable[[Any], Any]] = [
        lambda dd: dd.sort("s", reverse=True),
        lambda dd: dd.flatten(),
        lambda dd: dd.unique("s"),
        lambda dd: dd.class_encode_column("s"),
        lambda dd: dd.cast_column("i", library(dd).Value("int8")),
        lambda dd: dd.with_format("numpy", ["i"])["test"][0],
        lambda dd: dd.with_transform(lambda batch: {"x": batch["i"]})["test"][0],
        lambda dd: dd.flatten_indices(),
        repr,
        lambda dd: dd.num_rows,
        lambda dd: dd.shape,
        lambda dd: dd.cache_files,
        lambda dd: dd.select_columns("i"),
    ]
    for work in works:
        both(a, b, work)


def test_results_pickle() -> None:
    a, b = pair(rows(9))
    both(a, b, lambda ds: pickle.loads(pickle.dumps(ds.shuffle(seed=1).add_column("x", list(range(9))).sort("s"))))
    assert math.isclose(sum(a.sort("f")["f"]), 9.0)
