"""Kept results of `map` and `filter`: used again by later calls and processes, never a wrong one, never half a one."""

from __future__ import annotations

import logging
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import crucible_datasets as cd
from crucible_datasets import Dataset, concatenate_datasets, load_dataset
from crucible_datasets.io import clean_store
from kept_results import ROWS, Calls, load, others, results, write

# ----------------------------------------------------------------------------------------------------- what is kept


MAPS: dict[str, Callable[[Any, Calls], Any]] = {
    "a new column": lambda ds, c: ds.map(lambda r: (c(), {"x": r["n"] + 1})[1]),
    "a changed column": lambda ds, c: ds.map(lambda r: (c(), {"n": r["n"] * 2})[1]),
    "another type": lambda ds, c: ds.map(lambda r: (c(), {"n": str(r["n"])})[1]),
    "nothing new": lambda ds, c: ds.map(lambda r: (c(), {})[1]),
    "columns removed": lambda ds, c: ds.map(lambda r: (c(), {"x": [r["n"]]})[1], remove_columns=["n", "t"]),
    "removed only": lambda ds, c: ds.map(lambda r: (c(), {})[1], remove_columns=["t"]),
    "all removed": lambda ds, c: ds.map(lambda r: (c(), {})[1], remove_columns=["n", "t"]),
    "some rows changed": lambda ds, c: ds.map(
        lambda r: (c(), {"t": r["t"] if r["n"] < 100 else "x"})[1], writer_batch_size=50
    ),
    "batches": lambda ds, c: ds.map(lambda b: (c(), {"x": [n * 2 for n in b["n"]]})[1], batched=True, batch_size=7),
    "more rows": lambda ds, c: ds.map(
        lambda b: (c(), {"n": [*b["n"], *b["n"]]})[1], batched=True, remove_columns=["t"]
    ),
    "no rows": lambda ds, c: ds.map(lambda b: (c(), {"n": []})[1], batched=True, remove_columns=["t"]),
    "last batch dropped": lambda ds, c: ds.map(
        lambda b: (c(), {"x": b["n"]})[1], batched=True, batch_size=70, drop_last_batch=True
    ),
    "tables": lambda ds, c: ds.with_format("arrow").map(lambda t: (c(), t.append_column("x", t["n"]))[1], batched=True),
    "structs": lambda ds, c: ds.map(lambda r: (c(), {"s": {"a": [r["n"]], "b": None}})[1]),
    "declared": lambda ds, c: ds.map(
        lambda r: (c(), {"x": r["n"] % 2})[1],
        remove_columns=["t"],
        features=cd.Features({"n": cd.Value("int32"), "x": cd.ClassLabel(names=["a", "b"])}),
    ),
    "shuffled": lambda ds, c: ds.shuffle(seed=1).map(lambda r: (c(), {"x": r["n"]})[1]),
    "indices": lambda ds, c: ds.select(range(10, 20)).map(lambda r, i: (c(), {"x": i})[1], with_indices=True),
    "filter": lambda ds, c: ds.filter(lambda r: (c(), r["n"] % 3 == 0)[1]),
    "filter batches": lambda ds, c: ds.filter(lambda b: (c(), [n < 5 for n in b["n"]])[1], batched=True),
    "filter nothing": lambda ds, c: ds.filter(lambda r: (c(), False)[1]),
    "filter, shuffled": lambda ds, c: ds.shuffle(seed=2).filter(lambda r: (c(), r["n"] > 9)[1]),
    "two": lambda ds, c: (
        ds.map(lambda r: (c(), {"x": r["n"]})[1])
        .filter(lambda r: (c(), r["x"] > 3)[1])
        .map(lambda r: (c(), {"y": r["x"]})[1])
    ),
}


@pytest.mark.parametrize("what", list(MAPS))
@pytest.mark.parametrize("budget", [None, "1000"])
def test_kept(
    what: str, budget: str | None, source: Path, cache: Path, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    if budget is not None:  # results go to their file while they grow
        monkeypatch.setenv("CRUCIBLE_MEMORY_BUDGET", budget)
    work = MAPS[what]
    plain = work(Dataset.from_dict(load(source).to_dict()), calls)
    ran = calls.take()
    first = work(load(source), calls)
    assert calls.take() == ran > 0
    again = work(load(source), calls)
    assert calls.take() == 0
    for made in (first, again):
        assert made.to_list() == plain.to_list()
        assert made.features == plain.features
        assert made.column_names == plain.column_names
        assert made._fingerprint == first._fingerprint
        assert made.split == load(source).split
        assert pickle.loads(pickle.dumps(made)).to_list() == plain.to_list()
    assert others(cache) == []


@pytest.mark.parametrize("what", ["a new column", "filter", "batches", "shuffled", "columns removed", "nothing new"])
def test_kept_of_processes(what: str, source: Path, cache: Path, calls: Calls) -> None:
    def work(processes: int | None) -> Any:
        class Split:
            """Passes `num_proc` on."""

            def __init__(self, ds: Any) -> None:
                self.ds = ds

            def __getattr__(self, name: str) -> Any:
                method = getattr(self.ds, name)
                if name in {"map", "filter"}:
                    return lambda *args, **kwargs: method(*args, **kwargs, num_proc=processes)
                return lambda *args, **kwargs: Split(method(*args, **kwargs))

        return MAPS[what](Split(load(source)), calls)

    first = work(3)
    assert calls.take() > 0
    files = results(cache)
    assert [path.stem[-15:] for path in files] == [f"_0000{rank}_of_00003" for rank in range(3)]
    for processes in (3, 2, None):  # as in `datasets`: the parts serve any number of processes
        again = work(processes)
        assert calls.take() == 0
        assert again.to_list() == first.to_list()
        assert again._fingerprint == first._fingerprint
    files[1].unlink()
    again = work(3)
    assert 0 < calls.take() <= ROWS // 3  # the missing part
    assert again.to_list() == first.to_list()


def test_ranks_are_not_shared(source: Path, calls: Calls) -> None:
    def ranked(processes: int | None) -> list[Any]:
        return load(source).map(lambda r, k: (calls(), {"k": k})[1], with_rank=True, num_proc=processes)["k"][:]

    assert set(ranked(2)) == {0, 1}
    assert calls.take() == ROWS
    assert set(ranked(3)) == {0, 1, 2}
    assert calls.take() == ROWS
    assert set(ranked(None)) == {None}
    assert set(ranked(2)) == {0, 1}
    assert calls.take() == ROWS


# -------------------------------------------------------------------------------------------------------- what counts


def test_what_is_another_result(source: Path, tmp_path: Path, calls: Calls) -> None:
    def f(row: Any, i: int = 0, k: int = 1) -> Any:
        calls()
        return {"x": row["n"] + k}

    ds = load(source)
    variants: list[Callable[[], Any]] = [
        lambda: ds.map(f),
        lambda: ds.map(f, fn_kwargs={"k": 2}),
        lambda: ds.map(f, with_indices=True),
        lambda: ds.map(f, remove_columns="t"),
        lambda: ds.map(f, writer_batch_size=7),
        lambda: ds.map(f, on_mixed_types=None),
        lambda: ds.map(f, features=cd.Features({**ds.features, "x": cd.Value("int16")})),
        lambda: ds.select(range(5)).map(f),
        lambda: ds.select([1, 0]).map(f),
        lambda: ds.shuffle(seed=1).map(f),
        lambda: ds.shuffle(seed=2).map(f),
        lambda: ds.rename_column("t", "u").map(f),
        lambda: ds.cast_column("n", cd.Value("int32")).map(f),
        lambda: ds.with_format("numpy").map(f),
        lambda: ds.with_format("numpy", columns=["n"]).map(f),
        lambda: ds.with_transform(lambda b: {"n": [5] * len(b["n"])}).map(f),
        lambda: ds.with_transform(lambda b: {"n": [6] * len(b["n"])}).map(f),
        lambda: concatenate_datasets([ds, ds]).map(f),
        lambda: load(write(tmp_path / "other.parquet", start=1)).map(f),
        lambda: ds.map(f, new_fingerprint="mine"),
    ]
    prints = []
    for make in variants:
        prints.append(make()._fingerprint)
        assert calls.take() > 0, len(prints)
    assert len(set(prints)) == len(prints)
    for number, make in enumerate(variants):
        assert make()._fingerprint == prints[number]
        assert calls.take() == 0, number


def test_a_changed_file(source: Path, calls: Calls) -> None:
    def work() -> Any:
        return load(source).map(lambda r: (calls(), {"x": r["n"]})[1])["x"][:2]

    assert work() == [0, 1]
    calls.take()
    write(source, start=5)
    assert work() == [5, 6]
    assert calls.take() == ROWS


def test_arguments_that_change_nothing(source: Path, calls: Calls) -> None:
    def f(row: Any) -> Any:
        calls()
        return {"x": 1}

    load(source).map(f)
    calls.take()
    same: list[dict[str, Any]] = [{"desc": "label"}, {"batch_size": 5}, {"load_from_cache_file": True}, {"num_proc": 1}]
    for arguments in same:
        load(source).map(f, **arguments)
        assert calls.take() == 0, arguments


def test_order_of_calls_does_not_matter(source: Path, calls: Calls) -> None:
    def f(row: Any) -> Any:
        calls()
        return {"x": 1}

    load(source).select([0, 1, 2]).map(f)
    calls.take()
    load(source).select(range(50)).take(3).map(f)  # the same rows by another way, though as a range
    assert calls.take() in {0, 3}
    load(source).shuffle(seed=7).take(10).map(f)
    calls.take()
    load(source).shuffle(seed=7).select(range(10)).map(f)
    assert calls.take() == 0


def test_what_cannot_be_hashed(source: Path, cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    numbers = iter_of = (n for n in range(10**6))

    def f(row: Any) -> Any:
        return {"x": next(numbers)}

    with caplog.at_level(logging.WARNING, logger="crucible_datasets"):
        first = load(source).map(f)
        second = load(source).map(f)
        named = load(source).map(f, new_fingerprint="mine")
        again = load(source).map(f, new_fingerprint="mine")
    assert first["x"][:2] == [0, 1]
    assert second["x"][0] == ROWS
    assert named["x"][0] == again["x"][0] == 2 * ROWS
    said = [record for record in caplog.records if "cannot be hashed" in record.message]
    assert len(said) <= 1  # once a process: another test may have been first
    assert [path.name for path in results(cache)] == ["cache-mine.arrow"]
    assert next(iter_of) == 3 * ROWS


def test_said_once(source: Path, tmp_path: Path) -> None:
    code = f"""
import crucible_datasets as cd
ds = cd.load_dataset("parquet", data_files={str(source)!r}, split="train")
for _ in range(3):
    numbers = (n for n in range(10**6))
    ds.map(lambda r: {{"x": next(numbers)}})
    ds.filter(lambda r: next(numbers) > 5)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    lines = [line for line in done.stderr.splitlines() if "cannot be hashed" in line]
    assert len(lines) == 1
    assert "global 'numbers'" in lines[0]
    assert "generator" in lines[0]


# ---------------------------------------------------------------------------------------------------------- switches


def test_switches(source: Path, cache: Path, calls: Calls) -> None:
    def work(**arguments: Any) -> Any:
        return load(source).map(lambda r: (calls(), {"x": 1})[1], **arguments)

    cd.disable_caching()
    try:
        prints = [work()._fingerprint, work()._fingerprint]
        assert calls.take() == 2 * ROWS
        assert results(cache) == []
        assert prints[0] == prints[1]
    finally:
        cd.enable_caching()
    work(keep_in_memory=True)
    assert calls.take() == ROWS
    assert results(cache) == []
    work()
    assert calls.take() == ROWS
    before = results(cache)[0].stat().st_mtime_ns
    work(load_from_cache_file=False)
    assert calls.take() == ROWS
    assert results(cache)[0].stat().st_mtime_ns > before
    work()
    assert calls.take() == 0
    for path in results(cache):
        path.unlink()
    in_memory = load(source, keep_in_memory=True).map(lambda r: {"x": 1})
    assert in_memory.cache_files == []
    assert Dataset.from_dict({"a": [1]}).map(lambda r: {"x": 1}).cache_files == []
    assert results(cache) == []


def test_errors() -> None:
    ds = Dataset.from_dict({"a": [1]})
    with pytest.raises(ValueError, match="not both"):
        ds.map(lambda r: r, keep_in_memory=True, cache_file_name="x.arrow")
    with pytest.raises(ValueError, match="extension"):
        ds.map(lambda r: r, cache_file_name="x")
    with pytest.raises(ValueError, match="Invalid fingerprint"):
        ds.filter(lambda r: True, new_fingerprint="a/b")
    assert ds.map(lambda r: {"x": 1}, new_fingerprint="mine")._fingerprint == "mine"
    assert ds.filter(lambda r: True, new_fingerprint="mine")._fingerprint == "mine"


def test_a_failure_leaves_nothing(source: Path, cache: Path) -> None:
    for arguments in ({}, {"num_proc": 2}):
        with pytest.raises(ZeroDivisionError):
            load(source).map(lambda r: {"x": 1 // (r["n"] - 200)}, **arguments)
        assert others(cache) == []
    whole = results(cache)
    assert len(whole) <= 1  # the other part, if it was done before the failure ended it
    load(source).map(lambda r: None)
    load(source).map(lambda b: None, batched=True)
    assert results(cache) == whole


# -------------------------------------------------------------------------------------------------------- named files


def test_named_files(source: Path, tmp_path: Path, calls: Calls) -> None:
    path = tmp_path / "sub" / "named.arrow"
    memory = Dataset.from_dict({"n": list(range(50)), "t": ["a"] * 50})
    for ds in (memory, load(source)):
        calls.take()
        made = ds.map(lambda r: (calls(), {"x": r["n"]})[1], cache_file_name=str(path))
        assert calls.take() == len(ds)
        assert [file["filename"] for file in made.cache_files] == [str(path)]
        assert Dataset.from_file(path).to_list() == made.to_list()  # all columns, readable on their own
        with pa.memory_map(str(path)) as file:
            assert pa.ipc.open_stream(file).read_all().to_pylist() == made.to_list()
        again = ds.map(lambda r: (calls(), {"x": r["n"]})[1], cache_file_name=str(path))
        assert calls.take() == 0
        assert again.to_list() == made.to_list()
        other = ds.map(lambda r: (calls(), {"x": -r["n"]})[1], cache_file_name=str(path))  # another function
        assert calls.take() == len(ds)
        assert other["x"][:3] == [0, -1, -2]
    rows = tmp_path / "rows.arrow"
    for _ in range(2):
        kept = memory.filter(lambda r: (calls(), r["n"] > 40)[1], cache_file_name=str(rows))
        assert kept["n"][:] == list(range(41, 50))
    assert calls.take() == 50
    assert kept.cache_files == [{"filename": str(rows)}]
    parts = memory.map(
        lambda r: {"x": 1}, cache_file_name=str(tmp_path / "p.arrow"), num_proc=2, suffix_template="-{rank}-{num_proc}"
    )
    assert sorted(path.name for path in tmp_path.glob("p*.arrow")) == ["p-0-2.arrow", "p-1-2.arrow"]
    assert parts["x"][:] == [1] * 50


def test_a_dict_of_splits(source: Path, tmp_path: Path, cache: Path, calls: Calls) -> None:
    both = load_dataset(
        "parquet", data_files={"train": str(source), "test": str(write(tmp_path / "u.parquet", 10, 500))}
    )
    names = {"train": str(tmp_path / "a.arrow"), "test": str(tmp_path / "b.arrow")}
    for arguments in ({}, {"cache_file_names": names}, {"with_split": True}):
        for count in (ROWS + 10, 0):
            made = both.map(lambda r, split="": (calls(), {"x": split})[1], **arguments)
            assert calls.take() == count, arguments
    assert set(made["test"]["x"][:]) == {"test"}
    assert {name: len(files) for name, files in made.cache_files.items()} == {"train": 1, "test": 1}
    both.filter(lambda r: r["n"] > 5)
    assert len(results(cache)) == 6
    assert made.cleanup_cache_files() == {"train": 2, "test": 2}
    assert len(results(cache)) == 2
    assert both.cleanup_cache_files() == {"train": 1, "test": 1}


# ------------------------------------------------------------------------------------------------- cleaning and bounds


def test_cleanup(source: Path, tmp_path: Path, cache: Path) -> None:
    ds = load(source)
    first = ds.map(lambda r: {"x": 1})
    second = first.map(lambda r: {"y": 2})
    third = second.filter(lambda r: r["n"] > 3)
    other = load(write(tmp_path / "u.parquet", start=7)).map(lambda r: {"x": 1})
    assert [len(one.cache_files) for one in (ds, first, second, third)] == [0, 1, 2, 3]
    assert third.cleanup_cache_files() == 0
    assert second.cleanup_cache_files() == 1
    assert first.cleanup_cache_files() == 1
    assert ds.cleanup_cache_files() == 1
    assert results(cache) == [Path(other.cache_files[0]["filename"])]
    assert third[0] == {"n": 4, "t": "text 4", "x": 1, "y": 2}  # still mapped
    assert Dataset.from_dict({"a": [1]}).cleanup_cache_files() == 0


def test_size_is_bounded(source: Path, cache: Path, calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    ds = load(source)

    def work(k: int) -> Any:
        return ds.map(lambda r: (calls(), {"x": r["n"] + k})[1])

    made = [work(k) for k in range(3)]
    files = [Path(one.cache_files[0]["filename"]) for one in made]
    for age, path in enumerate(files):
        os.utime(path, (age + 1, age + 1))
    calls.take()
    fresh = work(0)  # used now: the second is the oldest
    assert calls.take() == 0
    assert fresh._fingerprint == made[0]._fingerprint
    size = files[0].stat().st_size
    monkeypatch.setenv("CRUCIBLE_STORE_LIMIT", str(int(size * 3.5)))
    work(3)
    assert [path.exists() for path in files] == [True, False, True]
    assert made[1]["x"][0] == 1
    calls.take()
    assert work(1)["x"][0] == 1
    assert calls.take() == ROWS
    assert clean_store(0) > 0
    assert results(cache) == []
    assert list((cache / "crucible" / "maps").iterdir()) == []


def test_leftovers(source: Path, cache: Path) -> None:
    made = load(source).map(lambda r: {"x": 1})
    folder = Path(made.cache_files[0]["filename"]).parent
    old, lock = folder / ".tmp-old.arrow", folder / "cache-1.arrow.lock"
    for path in (old, lock, folder / ".tmp-new.arrow"):
        path.write_bytes(b"x" * 100)
    for path in (old, lock):
        os.utime(path, (1, 1))
    assert clean_store() == 200
    old.write_bytes(b"x")
    os.utime(old, (1, 1))
    load(source).map(lambda r: {"x": 1})  # also on the way
    assert not old.exists()
    assert sorted(path.name for path in folder.iterdir()) == [
        ".tmp-new.arrow",
        Path(made.cache_files[0]["filename"]).name,
    ]


# ------------------------------------------------------------------------------------------------------ broken files


@pytest.mark.parametrize("damage", ["empty", "cut", "other", "text"])
def test_damage(damage: str, source: Path, cache: Path, calls: Calls) -> None:
    def work() -> tuple[Any, Any]:
        ds = load(source)
        return (
            ds.map(lambda r: (calls(), {"x": r["n"]})[1]).to_list(),
            ds.filter(lambda r: (calls(), r["n"] > 5)[1]).to_list(),
        )

    right = work()
    calls.take()
    files = results(cache)
    assert len(files) == 2
    whole = [path.read_bytes() for path in files]
    for path, data in zip(files, whole, strict=True):
        path.unlink()
        new = {"empty": b"", "cut": data[: len(data) // 2], "other": whole[0], "text": b"not Arrow at all" * 9}[damage]
        path.write_bytes(new)
    assert work() == right
    assert calls.take() == (ROWS if damage == "other" else 2 * ROWS)
    assert work() == right
    assert calls.take() == 0


def test_a_folder_that_cannot_be_written(source: Path, cache: Path, calls: Calls) -> None:
    ds = load(source)
    (cache / "crucible").mkdir(parents=True, exist_ok=True)
    (cache / "crucible" / "maps").write_text("a file where the folder should be")
    for _ in range(2):
        assert ds.map(lambda r: (calls(), {"x": r["n"]})[1])["x"][1] == 1
    assert calls.take() == 2 * ROWS
