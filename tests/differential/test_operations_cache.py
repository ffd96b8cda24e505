"""Kept results and fingerprints beside the official library: the same calls run the function, or do not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets as theirs
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import crucible_datasets as ours

ROWS = 60
pytestmark = pytest.mark.filterwarnings("ignore:Specifying null_placement:FutureWarning")  # `datasets` on new pyarrow


class Count:
    """Counts calls and looks the same to both libraries however often it was called."""

    def __init__(self) -> None:
        self.calls = 0

    def __getstate__(self) -> str:
        return "count"

    def __call__(self) -> None:
        self.calls += 1


count = Count()


def taken() -> int:
    """Calls since the last time."""
    number, count.calls = count.calls, 0
    return number


@pytest.fixture(params=["ours", "theirs"])
def opened(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """Loads the same file anew, in one of the libraries."""
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    pq.write_table(pa.table({"n": range(ROWS), "t": [f"text {i}" for i in range(ROWS)]}), tmp_path / "t.parquet")
    library = ours if request.param == "ours" else theirs
    taken()

    def load(**options: Any) -> Any:
        return library.load_dataset(
            "parquet",
            data_files=str(tmp_path / "t.parquet"),
            split=options.pop("split", "train"),
            cache_dir=str(tmp_path / "cache"),
            **options,
        )

    load.library = library  # type: ignore[attr-defined]
    return load


def plus(row: Any, k: int = 1) -> dict[str, Any]:
    count()
    return {"x": row["n"] + k}


def batch_plus(batch: Any) -> dict[str, Any]:
    count()
    return {"x": [n + 1 for n in batch["n"]]}


def small(row: Any) -> bool:
    count()
    return bool(row["n"] < 10)


# Two calls one after the other on datasets that are loaded anew: what the second runs, of `ROWS` rows.
PAIRS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any], int]] = {
    "the same": (lambda ds: ds.map(plus), lambda ds: ds.map(plus), 0),
    "other arguments": (lambda ds: ds.map(plus), lambda ds: ds.map(plus, fn_kwargs={"k": 2}), ROWS),
    "the same arguments": (
        lambda ds: ds.map(plus, fn_kwargs={"k": 2}),
        lambda ds: ds.map(plus, fn_kwargs={"k": 2}),
        0,
    ),
    "not from the cache": (lambda ds: ds.map(plus), lambda ds: ds.map(plus, load_from_cache_file=False), ROWS),
    "in memory first": (lambda ds: ds.map(plus, keep_in_memory=True), lambda ds: ds.map(plus), ROWS),
    "columns removed": (lambda ds: ds.map(plus), lambda ds: ds.map(plus, remove_columns=["t"]), ROWS),
    "after another operation": (lambda ds: ds.map(plus), lambda ds: ds.select(range(20)).map(plus), 20),
    "after the same operation": (
        lambda ds: ds.shuffle(seed=3).map(plus),
        lambda ds: ds.shuffle(seed=3).map(plus),
        0,
    ),
    "after another seed": (lambda ds: ds.shuffle(seed=3).map(plus), lambda ds: ds.shuffle(seed=4).map(plus), ROWS),
    "after sort": (lambda ds: ds.sort("t").map(plus), lambda ds: ds.sort("t").map(plus), 0),
    "after rename": (lambda ds: ds.rename_column("t", "u").map(plus), lambda ds: ds.map(plus), ROWS),
    "after a format": (lambda ds: ds.map(plus), lambda ds: ds.with_format("numpy").map(plus), ROWS),
    "two in a row": (lambda ds: ds.map(plus).filter(small), lambda ds: ds.map(plus).filter(small), 0),
    "the second is new": (lambda ds: ds.map(plus), lambda ds: ds.map(plus).filter(small), ROWS),
    "filter": (lambda ds: ds.filter(small), lambda ds: ds.filter(small), 0),
    "batches": (
        lambda ds: ds.map(batch_plus, batched=True, batch_size=10),
        lambda ds: ds.map(batch_plus, batched=True, batch_size=10),
        0,
    ),
    "other batches": (
        lambda ds: ds.map(batch_plus, batched=True, batch_size=10),
        lambda ds: ds.map(batch_plus, batched=True, batch_size=20),
        3,
    ),
    "a name for the result": (
        lambda ds: ds.map(plus, new_fingerprint="abc"),
        lambda ds: ds.map(plus, new_fingerprint="abc"),
        0,
    ),
    "another label": (lambda ds: ds.map(plus), lambda ds: ds.map(plus, desc="label"), 0),
    "a lambda": (
        lambda ds: ds.map(lambda r: (count(), {"x": 1})[1]),
        lambda ds: ds.map(lambda r: (count(), {"x": 2})[1]),
        ROWS,
    ),
}


@pytest.mark.parametrize("what", list(PAIRS))
def test_calls(what: str, opened: Callable[[], Any]) -> None:
    first, second, expected = PAIRS[what]
    first(opened())
    taken()
    second(opened())
    assert taken() == expected


@pytest.mark.parametrize(("first", "second"), [(2, 2), (2, None), (None, 2), (3, 2), (2, 3)])
def test_numbers_of_processes(first: int | None, second: int | None, opened: Callable[[], Any]) -> None:
    """Calls in other processes are not seen here: their files are."""
    made = opened().map(plus, num_proc=first)
    files = sorted(Path(file["filename"]) for file in made.cache_files)
    kept = [path for path in files if path.name.startswith("cache-")]
    assert len(kept) == (first or 1)
    times = [path.stat().st_mtime_ns for path in kept]
    taken()
    again = opened().map(plus, num_proc=second)
    assert taken() == 0
    assert [path.stat().st_mtime_ns for path in kept] == times
    assert sorted(file["filename"] for file in again.cache_files) == sorted(map(str, files))
    assert again._fingerprint == made._fingerprint


def test_missing_parts(opened: Callable[[], Any]) -> None:
    made = opened().map(plus, num_proc=3)
    kept = sorted(Path(f["filename"]) for f in made.cache_files if "_of_00003" in f["filename"])
    kept[1].unlink()
    times = [path.stat().st_mtime_ns for path in (kept[0], kept[2])]
    again = opened().map(plus, num_proc=3)
    assert [path.stat().st_mtime_ns for path in (kept[0], kept[2])] == times
    assert kept[1].exists()
    assert again["x"][:] == made["x"][:] == list(range(1, ROWS + 1))


def test_switch(opened: Callable[[], Any]) -> None:
    library = opened.library  # type: ignore[attr-defined]
    found = []
    opened().map(plus)
    taken()
    library.disable_caching()
    try:
        for options in ({}, {"load_from_cache_file": True}):
            made = opened().map(plus, **options)
            found.append(taken())
        found.append(opened().map(plus)._fingerprint == made._fingerprint)
    finally:
        library.enable_caching()
    taken()
    opened().map(plus)
    found.append(taken())
    assert found == [ROWS, ROWS, True, 0]


def test_cleanup(opened: Callable[[], Any]) -> None:
    ds = opened()
    found = []
    first = ds.map(plus)
    second = first.filter(small)
    third = second.map(batch_plus, batched=True, num_proc=2)
    found.append(third.cleanup_cache_files())
    found.append(third.cleanup_cache_files())
    found.append(ds.cleanup_cache_files())
    assert found == [2, 0, 2]
    assert ds.cleanup_cache_files() == 0
    assert third["x"][:3] == [1, 2, 3]


def test_named_files(opened: Callable[[], Any], tmp_path: Path) -> None:
    path = tmp_path / "named.arrow"
    made = opened().map(plus, cache_file_name=str(path))
    assert [file["filename"] for file in made.cache_files] == [str(path)]
    taken()
    again = opened().map(plus, cache_file_name=str(path))
    assert taken() == 0
    for library in (ours, theirs):  # each reads the other's
        assert library.Dataset.from_file(str(path)).to_dict() == again.to_dict()
    opened().filter(small, cache_file_name=str(tmp_path / "rows.arrow"))
    taken()
    opened().filter(small, cache_file_name=str(tmp_path / "rows.arrow"))
    assert taken() == 0


def test_a_named_file_of_the_other_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    rows = {"n": list(range(20))}
    path, picked = tmp_path / "m.arrow", tmp_path / "f.arrow"
    theirs.Dataset.from_dict(rows).map(plus, cache_file_name=str(path))
    theirs.Dataset.from_dict(rows).filter(small, cache_file_name=str(picked))
    taken()
    ds = ours.Dataset.from_dict(rows)
    assert ds.map(plus, cache_file_name=str(path))["x"][:] == list(range(1, 21))
    assert ds.filter(small, cache_file_name=str(picked))["n"][:] == list(range(10))
    assert taken() == 0


# ------------------------------------------------------------------------------------------------------- fingerprints

CHAINS: list[Callable[[Any], Any]] = [
    lambda ds: ds,
    lambda ds: ds.map(plus),
    lambda ds: ds.map(plus, fn_kwargs={"k": 3}),
    lambda ds: ds.map(plus).map(plus, fn_kwargs={"k": 3}),
    lambda ds: ds.map(batch_plus, batched=True),
    lambda ds: ds.filter(small),
    lambda ds: ds.select([3, 1, 2]),
    lambda ds: ds.shuffle(seed=1),
    lambda ds: ds.shuffle(seed=2),
    lambda ds: ds.shuffle(generator=np.random.default_rng(5)),
    lambda ds: ds.sort("t"),
    lambda ds: ds.sort("t", reverse=True),
    lambda ds: ds.rename_column("t", "u"),
    lambda ds: ds.remove_columns("t"),
    lambda ds: ds.train_test_split(0.2, seed=1)["train"],
    lambda ds: ds.train_test_split(0.2, seed=1)["test"],
    lambda ds: ds.with_format("numpy"),
    lambda ds: ds.with_format("numpy", columns=["n"]),
    lambda ds: ds.take(7),
    lambda ds: ds.repeat(2),
    lambda ds: ds.add_column("z", list(range(ROWS))),
    lambda ds: ds.add_column("z", list(range(1, ROWS + 1))),
]


def test_fingerprints(opened: Callable[[], Any]) -> None:
    first = [chain(opened())._fingerprint for chain in CHAINS]
    assert [chain(opened())._fingerprint for chain in CHAINS] == first
    assert len(set(first)) == len(first)
    assert {len(fingerprint) for fingerprint in first} == {16}


HASHED: list[Any] = [
    1,
    1.0,
    "a",
    b"a",
    [1, 2],
    (1, 2),
    {"a": 1},
    {1, 2},
    None,
    plus,
    batch_plus,
    len,
    np.arange(3),
    np.float32(1),
    Count,
    range(3),
]


def test_hasher() -> None:
    """Which objects have other hashes, and the same ones again."""
    for library in (ours, theirs):
        hashes = [library.fingerprint.Hasher.hash(value) for value in HASHED]
        assert len(set(hashes)) == len(hashes)
        assert [library.fingerprint.Hasher.hash(value) for value in HASHED] == hashes
        assert all(len(one) == 16 for one in hashes)
