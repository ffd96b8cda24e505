"""`map` against the official library: values, types, features, order, exceptions."""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
import pickle
import warnings
from collections import UserDict
from pathlib import Path
from typing import Any

import datasets as theirs
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import crucible_datasets as ours
from oracle_pair import ROWS, assert_same, both, pair


@pytest.fixture(scope="module")
def datasets() -> tuple[Any, Any]:
    return pair(ROWS)


def put(row: Any, **values: Any) -> Any:
    for name, value in values.items():
        row[name] = value
    return row


def popped(row: Any, *names: str) -> Any:
    for name in names:
        row.pop(name)
    return row


def changed_inside(row: Any) -> Any:
    row["m"].append({"role": "bot", "content": "hi"})
    return row


def changed_inside_only(row: Any) -> dict[str, Any]:
    row["l"].append(7)
    return {"z": 1}


def deleted(row: Any) -> Any:
    del row["f"]
    return row


ROW_FUNCTIONS: dict[str, Any] = {
    "new int": lambda r: {"x": r["i"] + 1},
    "new float": lambda r: {"x": r["i"] / 2},
    "new text": lambda r: {"x": r["s"].upper()},
    "new bool": lambda r: {"x": r["i"] > 3},
    "new bytes": lambda r: {"x": r["s"].encode()},
    "new list": lambda r: {"x": [r["i"]] * (r["i"] % 3)},
    "new struct": lambda r: {"x": {"a": r["i"], "b": [r["s"]]}},
    "new none": lambda r: {"x": None},
    "some none": lambda r: {"x": None if r["i"] % 2 else r["i"]},
    "date": lambda r: {"x": dt.date(2020, 1, 1 + r["i"])},
    "datetime": lambda r: {"x": dt.datetime(2020, 1, 1, r["i"])},
    "two new": lambda r: {"y": 1, "x": r["l"]},
    "overwrite": lambda r: {"i": r["i"] * 2},
    "overwrite later column": lambda r: {"o": r["i"], "x": 0},
    "overwrite by float without fraction": lambda r: {"i": float(r["i"])},
    "overwrite by float": lambda r: {"i": r["i"] + 0.5},
    "overwrite by digits": lambda r: {"i": str(r["i"])},
    "overwrite by text": lambda r: {"i": r["s"]},
    "overwrite text by int": lambda r: {"s": r["i"]},
    "overwrite float by int": lambda r: {"f": r["i"]},
    "overwrite by none": lambda r: {"i": None},
    "overwrite by bool": lambda r: {"i": r["i"] > 2},
    "overwrite list": lambda r: {"l": [*r["l"], 5]},
    "overwrite list by text list": lambda r: {"l": ["a"]},
    "overwrite struct": lambda r: {"o": {"p": 1}},
    "same row": lambda r: r,
    "empty": lambda r: {},
    "spread": lambda r: {**r, "x": 1},
    "or": lambda r: r | {"x": 1},
    "or reversed": lambda r: {"x": 1, "i": 5} | dict(r),
    "put": lambda r: put(r, x=r["i"]),
    "put over": lambda r: put(r, i=r["s"]),
    "put and return new": lambda r: (put(r, i=77), {"x": 1})[1],
    "pop": lambda r: popped(r, "s"),
    "pop two": lambda r: popped(r, "i", "m"),
    "del": deleted,
    "changed inside": changed_inside,
    "changed inside only": changed_inside_only,
    "read nested only": lambda r: {"x": len(r["m"])},
    "get": lambda r: {"x": r.get("i"), "y": r.get("zz", 3)},
    "setdefault": lambda r: {"x": r.setdefault("i", 9), "y": r.setdefault("new", 4)},
    "update": lambda r: (r.update({"x": 3}, y=4), r)[1],
    "keys": lambda r: {"x": list(r.keys()), "y": len(r), "z": "i" in r},
    "items": lambda r: dict(r.items()),
    "values": lambda r: {"x": [str(v) for v in r.values()]},
    "userdict": lambda r: UserDict({"x": r["i"]}),
    "none": lambda r: None,
    "list": lambda r: [1],
    "text": lambda r: "a",
    "number": lambda r: 5,
    "missing key": lambda r: r["zz"],
    "raises": lambda r: 1 / 0,
    "numpy scalar": lambda r: {"x": np.int64(r["i"])},
    "arrow": lambda r: pa.table({"x": [r["i"]]}),
    "arrow two rows": lambda r: pa.table({"x": [1, 2]}),
    "pandas": lambda r: pd.DataFrame({"x": [r["i"]]}),
    "polars": lambda r: pl.DataFrame({"x": [r["i"]]}),
    "arrow same column": lambda r: pa.table({"s": [r["s"]], "i": [r["i"]]}),
    "input_ids": lambda r: {"input_ids": list(range(r["i"])), "attention_mask": [1] * r["i"]},
    "mixed": lambda r: {"x": r["i"] if r["i"] % 2 else r["s"]},
    "int and float": lambda r: {"x": r["i"] if r["i"] % 2 else 0.5},
    "first row has less": lambda r: {"x": 1} if r["i"] == 0 else {"x": 1, "y": 2},
    "first row has more": lambda r: {"x": 1, "y": 2} if r["i"] == 0 else {"x": 1},
    "first row overwrites": lambda r: {"i": 5} if r["i"] == 0 else {},
    "later row overwrites": lambda r: {"i": 5} if r["i"] == 4 else {},
    "later row puts": lambda r: put(r, i=55) if r["i"] == 4 else r,
    "later row pops": lambda r: popped(r, "s") if r["i"] == 4 else r,
    "first row pops": lambda r: popped(r, "s") if r["i"] == 0 else r,
}


@pytest.mark.parametrize("name", ROW_FUNCTIONS)
def test_rows(datasets: tuple[Any, Any], name: str) -> None:
    a, b = datasets
    both(a, b, lambda ds: ds.map(ROW_FUNCTIONS[name]))


@pytest.mark.parametrize(
    "name", ["new int", "overwrite", "same row", "pop", "put over", "changed inside only", "spread"]
)
@pytest.mark.parametrize("removed", ["i", ["s", "l"], ["i", "f", "s", "n", "l", "m", "o"], "zz", []])
def test_remove_columns(datasets: tuple[Any, Any], name: str, removed: Any) -> None:
    a, b = datasets
    both(a, b, lambda ds: ds.map(ROW_FUNCTIONS[name], remove_columns=removed))


@pytest.mark.parametrize("name", ["new int", "overwrite", "same row", "put over", "changed inside only", "overwrite by digits", "new list"])  # fmt: skip
@pytest.mark.parametrize("block", [1, 3, 4, None])
def test_blocks(datasets: tuple[Any, Any], name: str, block: int | None) -> None:
    a, b = datasets
    both(a, b, lambda ds: ds.map(ROW_FUNCTIONS[name], writer_batch_size=block))


LATER: dict[str, Any] = {
    "int then float": lambda r: {"x": r["i"] if r["i"] < 3 else r["i"] + 0.5},
    "int then whole float": lambda r: {"x": r["i"] if r["i"] < 3 else 2.0},
    "int then text": lambda r: {"x": r["i"] if r["i"] < 3 else "a"},
    "int then digits": lambda r: {"x": r["i"] if r["i"] < 3 else "7"},
    "text then int": lambda r: {"x": r["s"] if r["i"] < 3 else 7},
    "none then int": lambda r: {"x": None if r["i"] < 3 else 7},
    "int then none": lambda r: {"x": 1 if r["i"] < 3 else None},
    "empty list then int": lambda r: {"x": [] if r["i"] < 3 else [1]},
    "list then empty": lambda r: {"x": [1] if r["i"] < 3 else []},
    "struct then other": lambda r: {"x": {"a": 1} if r["i"] < 3 else {"b": 1}},
    "struct then more": lambda r: {"x": {"a": 1} if r["i"] < 3 else {"a": 1, "b": 1}},
    "struct then less": lambda r: {"x": {"a": 1, "b": 1} if r["i"] < 3 else {"a": 1}},
    "scalar then list": lambda r: {"x": 1 if r["i"] < 3 else [1]},
    "column then none": lambda r: {"x": 1} if r["i"] < 3 else {},
    "column then new": lambda r: {"x": 1} if r["i"] < 3 else {"x": 1, "y": 2},
    "overwrite then not": lambda r: {"i": "a"} if r["i"] < 3 else {},
    "not then overwrite": lambda r: {} if r["i"] < 3 else {"i": 9},
    "not then overwrite by text": lambda r: {} if r["i"] < 3 else {"i": "a"},
    "pop then not": lambda r: popped(r, "s") if r["i"] < 3 else r,
    "not then pop": lambda r: r if r["i"] < 3 else popped(r, "s"),
    "bool then int": lambda r: {"x": True if r["i"] < 3 else 5},
}


@pytest.mark.parametrize("name", LATER)
def test_later_blocks(datasets: tuple[Any, Any], name: str) -> None:
    a, b = datasets
    both(a, b, lambda ds: ds.map(LATER[name], writer_batch_size=3))


def test_results_of_some_rows_only(datasets: tuple[Any, Any]) -> None:
    with pytest.raises(ValueError, match="mapping and none"):
        datasets[0].map(lambda r: None if r["i"] < 3 else {"x": 1})
    with pytest.raises(ValueError, match="none results before"):
        datasets[0].map(lambda r: None if r["i"] < 3 else {"x": 1}, writer_batch_size=3)


def test_none_gives_the_same_object(datasets: tuple[Any, Any]) -> None:
    for ds in datasets:
        assert ds.map(lambda r: None) is ds


@pytest.mark.parametrize("order", ["select", "shuffle", "slice", "filter"])
@pytest.mark.parametrize("name", ["new int", "overwrite", "same row", "changed inside", "read nested only", "arrow"])
def test_after_reordering(datasets: tuple[Any, Any], order: str, name: str) -> None:
    a, b = datasets
    reorder = {
        "select": lambda ds: ds.select([5, 2, 2, 9]),
        "shuffle": lambda ds: ds.shuffle(seed=3),
        "slice": lambda ds: ds.select(range(2, 7)),
        "filter": lambda ds: ds.filter(lambda r: r["i"] % 2),
    }[order]
    both(a, b, lambda ds: reorder(ds).map(ROW_FUNCTIONS[name]))


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (lambda r, i: {"x": i}, {"with_indices": True}),
        (lambda r, k: {"x": k}, {"with_rank": True}),
        (lambda r, i, k: {"x": [i, k or 7]}, {"with_indices": True, "with_rank": True}),
        (lambda i: {"x": i}, {"input_columns": "i"}),
        (lambda s, i: {"x": s * i}, {"input_columns": ["s", "i"]}),
        (lambda s, i, k: {"x": k, "s": s}, {"input_columns": ["s", "i"], "with_indices": True}),
        (lambda values: (values.append(1), {"x": 1})[1], {"input_columns": ["l"]}),
        (lambda zz: {"x": 1}, {"input_columns": ["zz"]}),
        (lambda r, add: {"x": r["i"] + add}, {"fn_kwargs": {"add": 3}}),
        (lambda r, i, add: {"x": i + add}, {"fn_kwargs": {"add": 3}, "with_indices": True}),
        (None, {}),
        (None, {"remove_columns": ["i"]}),
        (lambda r: {"x": 1}, {"num_proc": -1}),
        (lambda r: {"x": 1}, {"num_proc": 0}),
        (lambda r: {"x": 1}, {"suffix_template": "_{rank}"}),
        (lambda r: {"x": 1}, {"keep_in_memory": True, "cache_file_name": "a.arrow"}),
        (lambda r: {"x": 1}, {"keep_in_memory": True}),
        (lambda r: {"x": r["i"] if r["i"] % 2 else "a"}, {"on_mixed_types": None}),
        (lambda r: {"i": r["i"]}, {"try_original_type": False}),
    ],
)
def test_arguments(datasets: tuple[Any, Any], function: Any, arguments: dict[str, Any]) -> None:
    a, b = datasets
    both(a, b, lambda ds: ds.map(function, **arguments))


BATCH_FUNCTIONS: dict[str, Any] = {
    "new": lambda b: {"x": [i + 1 for i in b["i"]]},
    "overwrite": lambda b: {"i": [str(i) for i in b["s"]]},
    "numpy": lambda b: {"x": np.array(b["i"], dtype=np.int16)},
    "numpy float": lambda b: {"x": np.array(b["i"], dtype=np.float32)},
    "series": lambda b: {"x": pd.Series(b["i"])},
    "polars series": lambda b: {"x": pl.Series(b["i"])},
    "tuple": lambda b: {"x": tuple(b["i"])},
    "scalar": lambda b: {"x": 1},
    "text": lambda b: {"x": "abc"},
    "same": lambda b: b,
    "empty": lambda b: {},
    "none": lambda b: None,
    "list": lambda b: [1],
    "other length": lambda b: {"x": [1]},
    "unequal": lambda b: {"x": b["i"], "y": [1]},
    "put": lambda b: put(b, x=b["i"]),
    "put over": lambda b: put(b, i=b["s"]),
    "pop": lambda b: popped(b, "s"),
    "spread": lambda b: {**b, "x": b["i"]},
    "dict": dict,
    "changed inside": lambda b: (b["l"][0].append(5), b)[1],
    "changed": lambda b: (b["i"].__setitem__(0, 99), {"x": b["i"]})[1],
    "keys": lambda b: {"x": [list(b)] * len(b["i"])},
    "arrow": lambda b: pa.table({"x": b["i"], "s": b["s"]}),
    "arrow longer": lambda b: pa.table({"x": b["i"] * 2}),
    "pandas": lambda b: pd.DataFrame({"x": b["i"]}),
    "pandas index": lambda b: pd.DataFrame({"x": b["i"]}, index=[f"k{i}" for i in b["i"]]),
    "polars": lambda b: pl.DataFrame({"x": b["i"]}),
    "mixed": lambda b: {"x": [i if i % 2 else "a" for i in b["i"]]},
    "raises": lambda b: 1 / 0,
    "input_ids": lambda b: {"input_ids": [[1, 2]] * len(b["i"])},
}


@pytest.mark.parametrize("name", BATCH_FUNCTIONS)
@pytest.mark.parametrize("size", [1, 4, 1000, None, -1])
def test_batches(datasets: tuple[Any, Any], name: str, size: int | None) -> None:
    a, b = datasets
    both(a, b, lambda ds: ds.map(BATCH_FUNCTIONS[name], batched=True, batch_size=size))


@pytest.mark.parametrize("arguments", [
    {"drop_last_batch": True}, {"remove_columns": ["i"]}, {"with_indices": True}, {"input_columns": ["i"]},
    {"input_columns": ["i"], "with_indices": True}, {"try_original_type": False}, {"with_rank": True},
])  # fmt: skip
def test_batch_arguments(datasets: tuple[Any, Any], arguments: dict[str, Any]) -> None:
    a, b = datasets

    def function(batch: Any, *rest: Any) -> dict[str, Any]:
        values = batch if isinstance(batch, list) else batch["i"]
        return {"x": [v * 2 for v in values], "i": values, "r": [str(rest)] * len(values)}

    both(a, b, lambda ds: ds.map(function, batched=True, batch_size=4, **arguments))


EXPLODE: dict[str, Any] = {
    "explode": lambda b: {"x": [v for i in b["i"] for v in range(i % 3)]},
    "nothing": lambda b: {"x": []},
    "nothing first": lambda b: {"x": [v for v in b["i"] if v > 5]},
    "one": lambda b: {"x": [sum(b["i"])], "t": [" ".join(b["s"])]},
}


@pytest.mark.parametrize("name", EXPLODE)
@pytest.mark.parametrize("size", [2, 5, 100])
def test_other_lengths(datasets: tuple[Any, Any], name: str, size: int) -> None:
    a, b = datasets
    names = a.column_names
    both(a, b, lambda ds: ds.map(EXPLODE[name], batched=True, batch_size=size, remove_columns=names))


LABELS = {
    "label": {"names": ["neg", "pos"], "_type": "ClassLabel"},
    "small": {"dtype": "int8", "_type": "Value"},
    "half": {"dtype": "float32", "_type": "Value"},
    "seq": {"feature": {"dtype": "int16", "_type": "Value"}, "_type": "List"},
}
LABELLED = [{"label": k % 2, "small": k, "half": k / 2, "seq": [k, k]} for k in range(6)]
TYPED: dict[str, Any] = {
    "label kept": lambda r: {"label": 1 - r["label"]},
    "label by name": lambda r: {"label": "pos"},
    "label by wrong name": lambda r: {"label": "zz"},
    "label by text of digits": lambda r: {"label": "1"},
    "label by float": lambda r: {"label": 0.5},
    "label by none": lambda r: {"label": None},
    "small": lambda r: {"small": r["small"] + 1},
    "small overflows": lambda r: {"small": 400},
    "small by float": lambda r: {"small": 1.5},
    "half": lambda r: {"half": r["half"] * 2},
    "half by int": lambda r: {"half": 7},
    "seq": lambda r: {"seq": [1, 2, 3]},
    "seq overflows": lambda r: {"seq": [100000]},
    "same": lambda r: r,
    "spread": lambda r: {**r},
    "sum": lambda r: {"x": r["small"] + r["label"]},
}


@pytest.mark.parametrize("name", TYPED)
@pytest.mark.parametrize("block", [2, 1000])
def test_typed_columns(name: str, block: int) -> None:
    a, b = pair(LABELLED, LABELS)
    both(a, b, lambda ds: ds.map(TYPED[name], writer_batch_size=block))


DECLARED: list[tuple[dict[str, Any], Any]] = [
    ({"i": "int32", "x": "string"}, lambda r: {"x": r["i"]}),
    ({"x": "string", "i": "int32"}, lambda r: {"x": r["i"]}),
    ({"i": "int64", "x": "int8"}, lambda r: {"x": 300}),
    ({"i": "int64", "x": "int8"}, lambda r: {"x": "q"}),
    ({"i": "int64", "x": "int8"}, lambda r: {"x": "7"}),
    ({"i": "int64", "x": "float32"}, lambda r: {"x": 1}),
    ({"i": "int64"}, lambda r: {"x": 1}),
    ({"i": "string", "x": "int8"}, lambda r: {"x": None}),
]


@pytest.mark.parametrize("case", range(len(DECLARED)))
def test_declared_features(case: int) -> None:
    spec, function = DECLARED[case]
    a, b = pair([{"i": k} for k in range(5)])

    def work(ds: Any) -> Any:
        library = ours if isinstance(ds, ours.Dataset) else theirs
        features = library.Features({name: library.Value(dtype) for name, dtype in spec.items()})
        return ds.map(function, features=features, writer_batch_size=2)

    both(a, b, work)


FORMATS = ["numpy", "arrow"]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("columns", [None, ["i", "l"]])
def test_formatted(datasets: tuple[Any, Any], kind: str, columns: list[str] | None) -> None:
    a, b = datasets

    def rows(r: Any) -> Any:
        return {"x": r["i"] * 2} if kind == "numpy" else r.append_column("x", r["i"])

    def batches(batch: Any) -> Any:
        return {"x": batch["i"] * 2} if kind == "numpy" else batch.append_column("x", batch["i"])

    both(a, b, lambda ds: ds.with_format(kind, columns=columns).map(rows))
    both(a, b, lambda ds: ds.with_format(kind, columns=columns).map(batches, batched=True, batch_size=4))
    both(a, b, lambda ds: ds.with_format(kind, columns=columns).map(lambda r: {"y": 1}))


def test_async(datasets: tuple[Any, Any]) -> None:
    a, b = datasets

    async def rows(row: Any) -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"x": row["i"] + 1}

    async def batches(batch: Any) -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"x": [i + 1 for i in batch["i"]]}

    async def keep(row: Any) -> bool:
        await asyncio.sleep(0)
        return bool(row["i"] % 2)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the official library leaves its event loops open
        both(a, b, lambda ds: ds.map(rows))
        both(a, b, lambda ds: ds.map(batches, batched=True, batch_size=3))
        both(a, b, lambda ds: ds.filter(keep))
        gc.collect()


def test_errors_say_the_row(datasets: tuple[Any, Any]) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        datasets[0].map(lambda r: {"x": 1 // (r["i"] - 7)}, writer_batch_size=3)
    assert "row 7" in "\n".join(caught.value.__notes__)
    assert caught.traceback[-1].name == "<lambda>"
    with pytest.raises(ZeroDivisionError) as caught:
        datasets[0].map(lambda b: {"x": [1 // (i - 7) for i in b["i"]]}, batched=True, batch_size=4)
    assert "rows 4 to 7" in "\n".join(caught.value.__notes__)


def test_empty() -> None:
    a, b = pair({"a": [], "b": []})

    def never(_: Any) -> None:
        raise AssertionError

    both(a, b, lambda ds: ds.map(never))
    both(a, b, lambda ds: ds.map(never, remove_columns=["a"]))
    both(a, b, lambda ds: ds.filter(never))
    assert a.map(never) is a


# ---------------------------------------------------------------------------------------------------------- memory


@pytest.mark.parametrize("name", ["new int", "overwrite", "put over", "pop", "same row", "changed inside", "arrow"])
@pytest.mark.parametrize("shuffled", [False, True])
def test_results_above_the_budget(name: str, shuffled: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, datasets: tuple[Any, Any]) -> None:  # fmt: skip
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path))
    monkeypatch.setenv("CRUCIBLE_MEMORY_BUDGET", "200")
    a, b = datasets
    both(a, b, lambda ds: (ds.shuffle(seed=1) if shuffled else ds).map(ROW_FUNCTIONS[name], writer_batch_size=3))
    written = a.map(lambda r: {"t": r["s"] * 50}, writer_batch_size=3)
    files = list(tmp_path.rglob("*.arrow"))
    assert files
    assert_same(pickle.loads(pickle.dumps(written)), b.map(lambda r: {"t": r["s"] * 50}))
    kept = a.map(lambda r: {"t": r["s"] * 50}, writer_batch_size=3, keep_in_memory=True)
    assert_same(kept, written_again(b))
    assert list(tmp_path.rglob("*.arrow")) == files


def written_again(ds: Any) -> Any:
    return ds.map(lambda r: {"t": r["s"] * 50}, keep_in_memory=True)


def test_unchanged_columns_are_shared(datasets: tuple[Any, Any]) -> None:
    a = datasets[0]
    made = a.map(lambda r: {"x": 1})
    before, after = np.asarray(a._table.numeric("i", 0, 11)), np.asarray(made._table.numeric("i", 0, 11))
    assert before.__array_interface__["data"] == after.__array_interface__["data"]
